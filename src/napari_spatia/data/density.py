"""How many points lie in each square bin of a window of the slide."""

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float, float, float]


def bin_places(places: NDArray[np.float32], window_um: Window, step_um: float) -> NDArray[np.float32]:
    """`(H, W)` float32: how many of the places `(k, 2)` (y, x) lie in each bin of a window (y0, x0, y1, x1), in µm."""
    y0, x0, y1, x1 = window_um
    shape = max(1, int(np.ceil((y1 - y0) / step_um))), max(1, int(np.ceil((x1 - x0) / step_um)))
    row, column = np.floor((places - np.array([y0, x0], np.float32)) / step_um).astype(np.intp).T
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    flat = row[inside] * shape[1] + column[inside]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)
