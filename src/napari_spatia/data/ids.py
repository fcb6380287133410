"""Cell ids and their rows, for a million of them: arrays throughout, so that no step holds other threads up for long.

What Python and pandas do with a million texts they do under the interpreter's lock, in one go: a window stands still
for a quarter of a second.
"""

import threading
from collections.abc import Sequence

import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import VLenUTF8Codec, ZstdCodec
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import LocalStore

_AT_ONCE = 10_000
"""Texts that are made an array in one go, in a millisecond or two."""
_LENGTH_BYTES = 4
_MOST_RUNS = 1000
"""In a chunk of texts; where lengths change more often than that, zarr reads them sooner."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that its powers are invertible modulo 2^64."""


def read_texts(array: zarr.Array) -> NDArray[np.str_]:
    """`(n,)` str of fixed width: a whole array of a store's texts.

    zarr makes a Python text of each and numpy's own text of that, under the interpreter's lock: 0.4 s for a million
    ids. As they are usually written, each behind its length, most are as long as the one before: runs of these are read
    as they lie, in a tenth of the time. All others are read by zarr.
    """
    if isinstance(array.metadata, ArrayV3Metadata) and isinstance(array.store, LocalStore):
        chunks = [_texts_of_chunk(array, number) for number in range(array.nchunks)]
        known = [texts for texts in chunks if texts is not None]
        if len(known) == len(chunks):
            return np.concatenate([np.zeros(0, dtype="U1"), *known])
    return as_text(read_elem(array))


def _texts_of_chunk(array: zarr.Array, number: int) -> NDArray[np.str_] | None:
    """None where a chunk is stored otherwise, or not at all."""
    file = array.store.root / array.path / array.metadata.encode_chunk_key((number,))
    num_texts = min(array.chunks[0], array.shape[0] - number * array.chunks[0])
    match array.metadata.codecs:
        case (VLenUTF8Codec(),) if file.is_file():
            return _unpacked(file.read_bytes(), num_texts)
        case (VLenUTF8Codec(), ZstdCodec()) if file.is_file():
            return _unpacked(bytes(Zstd().decode(file.read_bytes())), num_texts)
    return None


def _unpacked(packed: bytes, num_texts: int) -> NDArray[np.str_] | None:
    """`(num_texts,)` from a chunk; None where it is damaged, lengths change too often, or letters are not ASCII."""
    place, left = _LENGTH_BYTES, num_texts  # behind the number of texts
    runs: list[NDArray[np.str_]] = []
    while left and len(runs) <= _MOST_RUNS:
        length = int.from_bytes(packed[place : place + _LENGTH_BYTES], "little")
        step = _LENGTH_BYTES + length
        num = _num_alike(packed, place, step, min(left, (len(packed) - place) // step))
        run = np.frombuffer(packed, np.uint8, num * step, place).reshape(num, step)
        letters = run[:, _LENGTH_BYTES:]
        if not num or length > 127 or run.max() > 127 or np.count_nonzero(run) != num * (length + (length > 0)):
            return None  # a letter that is 0 would end a text
        codes = letters.astype(np.uint32, order="C")
        runs.append(codes.view(f"U{length}").ravel() if length else np.zeros(num, "U1"))
        place, left = place + step * num, left - num
    return None if left else np.concatenate([np.zeros(0, dtype="U1"), *runs])


def _num_alike(packed: bytes, place: int, step: int, most: int) -> int:
    """How many texts from ``place`` on, of at most ``most``, are as long as the first."""
    alike, asked = 0, 64
    while alike < most:
        upto = min(asked, most)
        lengths = np.ndarray((upto,), "<u4", packed, place, (step,))
        same = lengths[alike:] == lengths[0]
        if not same.all():
            return alike + int(same.argmin())
        alike, asked = upto, 8 * asked  # so that short runs are not dear
    return alike


def as_text(values: pd.Index | NDArray | Sequence[str]) -> NDArray[np.str_]:
    """`(n,)` str of fixed width, from texts that are Python objects or of numpy's variable width."""
    runs = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
    return np.concatenate([np.zeros(0, dtype="U1"), *map(_of_fixed_width, runs)])


def _of_fixed_width(run: pd.Index | NDArray | Sequence[str]) -> NDArray[np.str_]:
    if isinstance(run, np.ndarray) and isinstance(run.dtype, np.dtypes.StringDType):
        return run.astype(f"U{max(1, int(np.strings.str_len(run).max()))}")
    return np.asarray(np.asarray(run, dtype=object), str)


class IdRows:
    """The row of each id, made at the first question.

    Parameters
    ----------
    ids
        `(N,)` str.
    """

    def __init__(self, ids: NDArray[np.str_]) -> None:
        self._ids = ids
        self._lock = threading.Lock()
        self._made: tuple[NDArray[np.uint64], NDArray[np.intp]] | None = None

    def prepare(self) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The hashes of the ids in ascending order, and the rows that they are of."""
        with self._lock:
            if self._made is None:
                hashes = _hashes(self._ids)
                order = np.argsort(hashes)
                self._made = hashes[order], order
            return self._made

    def rows(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.intp]:
        """`(n,)` the row of each of some ids, -1 where there is none; any row of an id that stands twice."""
        hashes, order = self.prepare()
        wanted = np.asarray(ids, dtype=str)
        sought = _hashes(wanted)
        place = np.searchsorted(hashes, sought)
        found = np.full(len(wanted), -1, np.intp)
        left = np.arange(len(wanted))
        while len(left):  # once, but for ids that share a hash with another
            left = left[place[left] < len(hashes)]
            left = left[hashes[place[left]] == sought[left]]
            row = order[place[left]]
            is_meant = self._ids[row] == wanted[left]
            found[left[is_meant]] = row[is_meant]
            left = left[~is_meant]
            place[left] += 1
        return found

    def row(self, one_id: str) -> int | None:
        """The row of one id, or None."""
        row = int(self.rows([one_id])[0])
        return None if row < 0 else row

    def __contains__(self, one_id: str) -> bool:
        return self.row(one_id) is not None

    def twice(self) -> str | None:
        """An id that stands more than once, or None."""
        hashes = np.sort(_hashes(self._ids))  # which takes half as long as their order
        if (hashes[1:] != hashes[:-1]).all():
            return None
        hashes, order = self.prepare()
        again = np.flatnonzero(hashes[1:] == hashes[:-1])
        names, counts = np.unique(self._ids[order[np.union1d(again, again + 1)]], return_counts=True)
        return str(names[counts > 1][0]) if (counts > 1).any() else None


def _hashes(ids: NDArray[np.str_]) -> NDArray[np.uint64]:
    """`(n,)` the letters as digits of a number to the base `_FACTOR`, modulo 2^64, whatever the array's width."""
    letters = np.ascontiguousarray(ids).view(np.uint32).reshape(len(ids), ids.itemsize // 4)
    powers = np.multiply.accumulate(np.full(letters.shape[1], _FACTOR))
    total = np.zeros(len(ids), np.uint64)
    for column, power in zip(letters.T, powers, strict=True):
        total += column * power
    return total
