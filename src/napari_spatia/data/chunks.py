"""Pixels of large rasters, read chunk by chunk; the chunks that were read last stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from dask.array.core import normalize_chunks
from numpy.typing import NDArray

from napari_spatia.data.slide import Raster

MAX_KEPT_BYTES = 1 << 28
"""Decoded chunks of one slide that are kept, of all its stains, labels and levels together."""

TILE_PX = 256
"""A viewer reads a window in whole squares of this size, so that a small move of it needs nothing new."""

Block = tuple[int, ...]
"""Where a chunk stands in its array, by axis."""
Span = tuple[int, int]
"""First and end of a part of one axis, in pixels or in blocks."""


class KeptChunks:
    """The chunks that were read last, ``num_bytes`` of any number of arrays that outlive it. For several threads."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._chunks: OrderedDict[tuple[int, Block], NDArray[Any]] = OrderedDict()
        self.num_bytes = 0
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
                self.num_bytes += chunk.nbytes
            self._chunks[owner, block] = chunk
            while self.num_bytes > self._max_bytes and len(self._chunks) > 1:
                self.num_bytes -= self._chunks.popitem(last=False)[1].nbytes


class ChunkedPixels:
    """One channel of an image or one level of labels, `(Y, X)`: a small move of a window reads what is new in it.

    ``stored`` is `(Y, X)`, or `(C, Y, X)` with a ``channel``: channels that share their chunks are decoded once. Chunks
    stay in ``kept``.
    """

    ndim = 2
    chunks = (TILE_PX, TILE_PX)

    def __init__(self, stored: Any, kept: KeptChunks, channel: int | None = None) -> None:
        assert stored.ndim == (2 if channel is None else 3), "rows and columns, and the channel of an image"
        self._stored, self.kept = stored, kept
        *lead, rows, columns = (np.cumsum((0, *sizes)) for sizes in normalize_chunks(stored.chunks, stored.shape))
        self._edges = [rows, columns]
        # of the channel: the blocks that hold it, and its place in them
        self._block = tuple(_block_of(edges, channel or 0) for edges in lead)
        self._place = tuple((channel or 0) - int(edges[block]) for edges, block in zip(lead, self._block, strict=True))
        self._channels = tuple(
            slice(edges[block], edges[block + 1]) for edges, block in zip(lead, self._block, strict=True)
        )
        self.shape: tuple[int, int] = stored.shape[-2:]
        self.dtype: np.dtype[Any] = stored.dtype

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def in_memory(self, y: int, x: int) -> bool:
        """Whether one pixel is answered without reading from disk."""
        return self.holds((y, y + 1), (x, x + 1))

    def holds(self, rows: Span, columns: Span) -> bool:
        """Whether a window is answered without reading from disk."""
        blocks = self._blocks_in((rows, columns))
        return all(self.kept.get(id(self._stored), (*self._block, *block)) is not None for block in blocks)

    def keep(self, rows: Span, columns: Span) -> None:
        """Read a window that will be asked for, as far as it is not in memory; from any thread."""
        for _ in self._chunks((rows, columns)):
            pass

    def block_rows(self, rows: Span) -> list[Span]:
        """The parts of ``rows`` that are in chunks of their own: what is read of them is not read for another part."""
        edges = self._edges[0]
        inner = edges[(edges > rows[0]) & (edges < rows[1])].tolist()
        return list(pairwise((rows[0], *inner, rows[1])))

    def __getitem__(self, keys: Any) -> NDArray[Any]:
        keys = keys if isinstance(keys, tuple) else (keys,)
        keys = (*keys, *(slice(None),) * (2 - len(keys)))
        spans = [_span(key, length) for key, length in zip(keys, self.shape, strict=True)]
        window = np.empty([stop - start for start, stop in spans], self.dtype)
        for (row, column), chunk in self._chunks(spans):
            to_y, of_y = _overlap(self._edges[0], row, spans[0])
            to_x, of_x = _overlap(self._edges[1], column, spans[1])
            window[to_y, to_x] = chunk[self._place][of_y, of_x]
        return window[tuple(slice(None, None, key.step) if isinstance(key, slice) else 0 for key in keys)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=False)

    def _chunks(self, spans: Sequence[Span]) -> Iterator[tuple[Block, NDArray[Any]]]:
        """Row and column of each block in a window, and its pixels; those that are not in memory are read."""
        missing = []
        for block in self._blocks_in(spans):
            chunk = self.kept.get(id(self._stored), (*self._block, *block))
            if chunk is None:
                missing.append(block)
            else:
                yield block, chunk
        for rows, columns in _rectangles(missing):
            yield from self._read(rows, columns)

    def _blocks_in(self, spans: Sequence[Span]) -> list[Block]:
        if any(stop <= start for start, stop in spans):
            return []
        rows, columns = (
            range(_block_of(edges, start), _block_of(edges, stop - 1) + 1)
            for edges, (start, stop) in zip(self._edges, spans, strict=True)
        )
        return [(row, column) for row in rows for column in columns]

    def _read(self, rows: Span, columns: Span) -> Iterator[tuple[Block, NDArray[Any]]]:
        """Read a rectangle of blocks at once, and keep each."""
        (top, left), (bottom, right) = (
            [int(edges[blocks[end]]) for edges, blocks in zip(self._edges, (rows, columns), strict=True)]
            for end in (0, 1)
        )
        pixels = np.asarray(self._stored[(*self._channels, slice(top, bottom), slice(left, right))])
        for row in range(*rows):
            for column in range(*columns):
                y, x = (
                    slice(int(edges[block]) - first, int(edges[block + 1]) - first)
                    for edges, block, first in zip(self._edges, (row, column), (top, left), strict=True)
                )
                chunk = pixels[..., y, x].copy()  # so that no chunk keeps its neighbours in memory
                self.kept.put(id(self._stored), (*self._block, row, column), chunk)
                yield (row, column), chunk


@dataclass(frozen=True, slots=True)
class SlidePixels:
    """The pixels of a slide that share their room in memory: ``stains`` by channel and level, ``labels`` by level."""

    kept: KeptChunks
    stains: tuple[tuple[ChunkedPixels, ...], ...]
    labels: tuple[ChunkedPixels, ...] = ()

    @classmethod
    def of_image(cls, image: Raster, coarser: Sequence[Any] = ()) -> Self:
        """Those of the stains, with ``coarser`` `(C, Y, X)` levels made for them; nothing is read yet."""
        kept, levels, channels = KeptChunks(), (*image.sources, *coarser), range(image.levels[0].shape[0])
        return cls(kept, tuple(tuple(ChunkedPixels(level, kept, idx) for level in levels) for idx in channels))

    def with_labels(self, labels: Raster, coarser: Sequence[Any] = ()) -> Self:
        """These and the labels', with ``coarser`` `(Y, X)` levels made for them; nothing is read yet."""
        return replace(self, labels=tuple(ChunkedPixels(level, self.kept) for level in (*labels.sources, *coarser)))

    def with_coarser(self, image: Sequence[Any], labels: Sequence[Any]) -> Self:
        """The same with coarser levels of the image and of the labels; what is in memory stays there."""
        stains = tuple(
            (*levels, *(ChunkedPixels(level, self.kept, idx) for level in image))
            for idx, levels in enumerate(self.stains)
        )
        added = tuple(ChunkedPixels(level, self.kept) for level in labels)
        return replace(self, stains=stains, labels=(*self.labels, *added))


def _block_of(edges: NDArray[np.intp], place: int) -> int:
    return int(np.searchsorted(edges, place, "right")) - 1


def _rectangles(blocks: Sequence[Block]) -> list[tuple[Span, Span]]:
    """Blocks, row by row, as few rectangles: what a move brings into a window is a row of them and a column."""
    runs: list[tuple[int, Span]] = []
    for row, column in blocks:
        if runs and runs[-1][0] == row and runs[-1][1][1] == column:
            runs[-1] = row, (runs[-1][1][0], column + 1)
        else:
            runs.append((row, (column, column + 1)))
    found: dict[Span, list[Span]] = {}
    for row, columns in runs:
        stacked = found.setdefault(columns, [])
        if stacked and stacked[-1][1] == row:
            stacked[-1] = stacked[-1][0], row + 1
        else:
            stacked.append((row, row + 1))
    return [(rows, columns) for columns, stacked in found.items() for rows in stacked]


def _span(key: Any, length: int) -> Span:
    """First and end of what a slice or a number takes, in pixels."""
    if not isinstance(key, slice):
        place = range(length)[key]
        return place, place + 1
    taken = range(length)[key]
    return (min(taken), max(taken) + 1) if len(taken) else (0, 0)


def _overlap(edges: NDArray[np.intp], block: int, span: Span) -> tuple[slice, slice]:
    """Where a block lies in a window, and which part of the block that is."""
    first, last = int(edges[block]), int(edges[block + 1])
    start, stop = max(first, span[0]), min(last, span[1])
    return slice(start - span[0], stop - span[0]), slice(start - first, stop - first)
