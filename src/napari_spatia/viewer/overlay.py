"""Cells in colour: an image that is computed from the labels under the window, whatever the number of cells.

Recolouring replaces one small table of colours; only the pixels on screen are painted again.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.chunks import TILE_PX, ChunkedPixels, Span
from napari_spatia.session.colour import CELL_STYLES
from napari_spatia.session.instances import ColourTable

KEPT_WINDOWS = 6
"""Label windows that are kept in memory: what is on screen and the thumbnail, before and after a small move."""
MAX_KEPT_PX = 1 << 24
FAINT = 0.35
"""Share of its opacity that the inside of a cell keeps under its outline."""


class ColourSource:
    """The table that all levels paint with, replaced as a whole, and one of `CELL_STYLES`."""

    def __init__(self) -> None:
        self.table = ColourTable(ids=None, packed=np.zeros(2, dtype=np.uint32))
        self.style = CELL_STYLES[0]


@dataclass(frozen=True, slots=True)
class Window:
    """The labels of one part of a level, and (once asked for) which of their pixels are edges."""

    labels: NDArray[np.integer]
    edges: NDArray[np.bool_] | None = None


def label_edges(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """`(Y, X)` whether one of a pixel's four neighbours has another label; outside of ``labels`` is no neighbour."""
    edges = np.zeros(labels.shape, dtype=bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edges[1:] |= down
    edges[:-1] |= down
    edges[:, 1:] |= right
    edges[:, :-1] |= right
    return edges


class PaintedLevel:
    """One level of the overlay, an array-like `(Y, X, 4)` uint8 RGBA whose pixels exist only when they are read."""

    ndim = 3
    dtype = np.dtype(np.uint8)
    chunks = (TILE_PX, TILE_PX, 4)

    def __init__(self, labels: ChunkedPixels, source: ColourSource) -> None:
        self.labels = labels
        self._source = source
        self._windows: OrderedDict[tuple[Any, ...], Window] = OrderedDict()

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width = self.labels.shape
        return height, width, 4

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = tuple(slice(None) if part is Ellipsis else part for part in keys)
        style = self._source.style
        window = self._window(keys[:2], self._with_edges)
        painted = self._source.table.paint(window.labels)
        if self._with_edges and window.edges is not None:
            inside = (np.arange(256) * (FAINT if style == "both" else 0.0)).astype(np.uint8)
            alpha = painted[..., 3]
            np.copyto(alpha, inside[alpha], where=~window.edges)
        return painted[(..., keys[2])] if len(keys) > 2 else painted

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=False)

    @property
    def _with_edges(self) -> bool:
        return self._source.style != "fill"

    def reads(self, rows: Span, columns: Span) -> tuple[Span, Span]:
        """The labels that a window is painted from."""
        if not self._with_edges:
            return rows, columns
        height, width = self.labels.shape
        return (max(rows[0] - 1, 0), min(rows[1] + 1, height)), (max(columns[0] - 1, 0), min(columns[1] + 1, width))

    def holds(self, rows: Span, columns: Span) -> bool:
        """Whether a window is painted without reading from disk."""
        found = self._windows.get(_name((slice(*rows, 1), slice(*columns, 1))))
        if found is not None and (found.edges is not None or not self._with_edges):
            return True
        return self.labels.holds(*self.reads(rows, columns))

    def _window(self, keys: tuple[Any, ...], with_edges: bool) -> Window:
        name = _name(keys)
        found = self._windows.get(name)
        if found is None or (with_edges and found.edges is None):
            found = self._read(keys, with_edges)
            if found.labels.size <= MAX_KEPT_PX:
                self._windows[name] = found
        if name in self._windows:
            self._windows.move_to_end(name)
        while len(self._windows) > KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return found

    def _read(self, keys: tuple[Any, ...], with_edges: bool) -> Window:
        """Read labels; for their edges a pixel more on every side, as a neighbour may lie outside of the window.

        Only what is drawn has edges, which is read by two slices; the value under the mouse is that of the whole cell.
        """
        if not with_edges or len(keys) < 2 or not all(isinstance(part, slice) for part in keys):
            return Window(np.asarray(self.labels[keys]))
        spans = [part.indices(length) for part, length in zip(keys, self.labels.shape, strict=True)]
        wide = tuple(slice(*span) for span in self.reads(spans[0][:2], spans[1][:2]))
        inner = tuple(
            slice(low - part.start, high - part.start, step)
            for (low, high, step), part in zip(spans, wide, strict=True)
        )
        labels = np.asarray(self.labels[wide])
        return Window(labels[inner], label_edges(labels)[inner])


def _name(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a window is kept by: a slice has no hash of its own."""
    return tuple((key.start, key.stop, key.step) if isinstance(key, slice) else key for key in keys)
