"""Cells in colour: an image that is computed from the labels under the window, whatever the number of cells.

Recolouring replaces one small table of colours; only the pixels on screen are painted again.
"""

from collections import OrderedDict
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_spatia.session.instances import ColourTable

KEPT_WINDOWS = 6
"""Label windows that are kept in memory: what is on screen and the thumbnail, before and after a small move."""
MAX_KEPT_PX = 1 << 24


class ColourSource:
    """The table that all levels paint with; replaced as a whole."""

    def __init__(self) -> None:
        self.table = ColourTable(ids=None, packed=np.zeros(2, dtype=np.uint32))


class PaintedLevel:
    """One level of the overlay, an array-like `(Y, X, 4)` uint8 RGBA whose pixels exist only when they are read."""

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, labels: da.Array, source: ColourSource) -> None:
        self._labels = labels
        self._source = source
        self._windows: OrderedDict[str, NDArray[np.integer]] = OrderedDict()

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width = self._labels.shape
        return height, width, 4

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = tuple(slice(None) if part is Ellipsis else part for part in keys)
        painted = self._source.table.paint(self._window(keys[:2]))
        return painted[(..., keys[2])] if len(keys) > 2 else painted

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=False)

    def _window(self, keys: tuple[Any, ...]) -> NDArray[np.integer]:
        name = repr(keys)
        if name in self._windows:
            self._windows.move_to_end(name)
            return self._windows[name]
        labels = np.asarray(self._labels[keys])
        if labels.size <= MAX_KEPT_PX:
            self._windows[name] = labels
        while len(self._windows) > KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return labels
