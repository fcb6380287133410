"""Pixels of large rasters, read chunk by chunk; the chunks that were read last stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.slide import Slide

MAX_KEPT_BYTES = 1 << 28
"""Decoded chunks of one slide that are kept, of all its stains, labels and levels together."""

Block = tuple[int, int]


class KeptChunks:
    """The chunks that were read last, of any number of `ChunkedPixels`. For several threads."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._chunks: OrderedDict[tuple[int, Block], NDArray[Any]] = OrderedDict()
        self._num_bytes = 0
        self._lock = threading.Lock()

    def get(self, owner: int, block: Block) -> NDArray[Any] | None:
        """A chunk, if it is still there; it counts as read last."""
        with self._lock:
            chunk = self._chunks.get((owner, block))
            if chunk is not None:
                self._chunks.move_to_end((owner, block))
            return chunk

    def put(self, owner: int, block: Block, chunk: NDArray[Any]) -> None:
        """Keep a chunk; those that were not read for longest go, but never the newest."""
        with self._lock:
            if (owner, block) not in self._chunks:
                self._num_bytes += chunk.nbytes
            self._chunks[owner, block] = chunk
            while self._num_bytes > self._max_bytes and len(self._chunks) > 1:
                self._num_bytes -= self._chunks.popitem(last=False)[1].nbytes


class ChunkedPixels:
    """One channel or one level of labels, an array-like `(Y, X)`: a small move of a window reads what is new in it."""

    ndim = 2

    def __init__(self, pixels: da.Array, kept: KeptChunks) -> None:
        assert pixels.ndim == 2, "rows and columns"
        self._pixels, self._kept = pixels, kept
        self._edges = [np.cumsum((0, *sizes)) for sizes in pixels.chunks]
        self.shape: tuple[int, int] = pixels.shape
        self.dtype: np.dtype[Any] = pixels.dtype

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def in_memory(self, y: int, x: int) -> bool:
        """Whether one pixel is answered without reading from disk."""
        return self._kept.get(id(self), self._block_of(y, x)) is not None

    def __getitem__(self, keys: Any) -> NDArray[Any]:
        keys = keys if isinstance(keys, tuple) else (keys,)
        keys = (*keys, *(slice(None),) * (2 - len(keys)))
        spans = [_span(key, length) for key, length in zip(keys, self.shape, strict=True)]
        window = np.zeros([stop - start for start, stop in spans], self.dtype)
        for block, chunk in self._read(self._blocks_in(spans)):
            inside = [_overlap(self._edges[axis], block[axis], spans[axis]) for axis in (0, 1)]
            window[tuple(to for to, _ in inside)] = chunk[tuple(of for _, of in inside)]
        return window[tuple(slice(None, None, key.step) if isinstance(key, slice) else 0 for key in keys)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=False)

    def _block_of(self, y: int, x: int) -> Block:
        rows, columns = self._edges
        return int(np.searchsorted(rows, y, "right")) - 1, int(np.searchsorted(columns, x, "right")) - 1

    def _blocks_in(self, spans: Sequence[tuple[int, int]]) -> list[Block]:
        if any(stop <= start for start, stop in spans):
            return []
        (y0, y1), (x0, x1) = spans
        (top, left), (bottom, right) = self._block_of(y0, x0), self._block_of(y1 - 1, x1 - 1)
        return [(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)]

    def _read(self, blocks: Sequence[Block]) -> list[tuple[Block, NDArray[Any]]]:
        """Each block's pixels; those that are not in memory are read side by side."""
        found = [(block, self._kept.get(id(self), block)) for block in blocks]
        missing = [block for block, chunk in found if chunk is None]
        read = dask.compute(*(self._pixels.blocks[block] for block in missing))
        for block, chunk in zip(missing, read, strict=True):
            self._kept.put(id(self), block, chunk)
        return [(block, chunk) for block, chunk in found if chunk is not None] + list(zip(missing, read, strict=True))


@dataclass(frozen=True, slots=True)
class SlidePixels:
    """The pixels of a slide that share their room in memory: ``stains`` by channel and level, ``labels`` by level."""

    stains: tuple[tuple[ChunkedPixels, ...], ...]
    labels: tuple[ChunkedPixels, ...]
    kept: KeptChunks

    @classmethod
    def of(cls, slide: Slide) -> Self:
        """Those of one slide; nothing is read yet."""
        kept = KeptChunks()
        stains = tuple(
            tuple(ChunkedPixels(level[idx], kept) for level in slide.image.levels) for idx in range(len(slide.channels))
        )
        return cls(stains, tuple(ChunkedPixels(level, kept) for level in slide.labels.levels), kept)

    def with_coarser(self, image: Sequence[da.Array], labels: Sequence[da.Array]) -> Self:
        """The same with coarser levels of the image and of the labels; what is in memory stays there."""
        stains = tuple(
            (*levels, *(ChunkedPixels(level[idx], self.kept) for level in image))
            for idx, levels in enumerate(self.stains)
        )
        added = tuple(ChunkedPixels(level, self.kept) for level in labels)
        return replace(self, stains=stains, labels=(*self.labels, *added))


def _span(key: Any, length: int) -> tuple[int, int]:
    """First and end of what a slice or a number takes, in pixels."""
    if not isinstance(key, slice):
        place = range(length)[key]
        return place, place + 1
    taken = range(length)[key]
    return (min(taken), max(taken) + 1) if len(taken) else (0, 0)


def _overlap(edges: NDArray[np.intp], block: int, span: tuple[int, int]) -> tuple[slice, slice]:
    """Where a block lies in a window, and which part of the block that is."""
    first, last = int(edges[block]), int(edges[block + 1])
    start, stop = max(first, span[0]), min(last, span[1])
    return slice(start - span[0], stop - span[0]), slice(start - first, stop - first)
