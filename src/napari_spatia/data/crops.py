"""Cell-centred windows of fixed physical size, read chunk by chunk.

Every crop is cut from one grid of ``um_per_px`` that is anchored at the slide's frame, so a pixel has the same value
however many cells are read at once, and the same on screen, on the command line and in training.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data.slide import Raster
from napari_spatia.progress import Progress, silent

TILE_UM = 320.0
"""Cells whose centres share a square of this size are read together."""


def read_crops(
    image: Raster, centers_um: NDArray, um_per_px: float, size_px: int, progress: Progress = silent
) -> NDArray[np.float32]:
    """Crops `(n, C, size_px, size_px)` float32 in the image's own intensity units, 0 outside the slide.

    ``centers_um`` is `(n, 2)` (y, x). Resampling is antialiased linear: a triangle as wide as the coarser of the two
    pixels, on the coarsest pyramid level that is still as fine as ``um_per_px``.
    """
    level = max(0, sum(um <= um_per_px * 1.001 for um in image.levels_um_per_px) - 1)
    array, source_um = image.levels[level], image.levels_um_per_px[level]
    crops = np.empty((len(centers_um), array.shape[0], size_px, size_px), np.float32)

    def cut(start: NDArray, stop: NDArray, members: NDArray, first: NDArray) -> None:
        rows, y0 = _triangle(start[0], stop[0], um_per_px, image.origin_um[0], source_um, array.shape[1])
        cols, x0 = _triangle(start[1], stop[1], um_per_px, image.origin_um[1], source_um, array.shape[2])
        block = np.asarray(array[:, y0 : y0 + rows.shape[1], x0 : x0 + cols.shape[1]], np.float32)
        grid = np.stack([(cols @ (rows @ channel).T).T for channel in block])
        for cell, (y, x) in zip(members, first - start, strict=True):
            crops[cell] = grid[:, y : y + size_px, x : x + size_px]

    _by_tile(centers_um, um_per_px, size_px, cut, progress)
    return crops


def read_masks(
    labels: Raster,
    instance_id: NDArray,
    centers_um: NDArray,
    um_per_px: float,
    size_px: int,
    progress: Progress = silent,
) -> NDArray[np.bool_]:
    """Masks `(n, size_px, size_px)`: True where the label under a grid pixel's centre is the cell's own."""
    array = labels.levels[0]
    masks = np.zeros((len(centers_um), size_px, size_px), bool)

    def cut(start: NDArray, stop: NDArray, members: NDArray, first: NDArray) -> None:
        rows = _nearest(start[0], stop[0], um_per_px, labels.origin_um[0], labels.um_per_px)
        cols = _nearest(start[1], stop[1], um_per_px, labels.origin_um[1], labels.um_per_px)
        rows_in, cols_in = (rows >= 0) & (rows < array.shape[0]), (cols >= 0) & (cols < array.shape[1])
        grid = np.zeros((len(rows), len(cols)), array.dtype)
        if rows_in.any() and cols_in.any():
            y0, x0 = rows[rows_in][0], cols[cols_in][0]
            block = np.asarray(array[y0 : rows[rows_in][-1] + 1, x0 : cols[cols_in][-1] + 1])
            grid[np.ix_(rows_in, cols_in)] = block[np.ix_(rows[rows_in] - y0, cols[cols_in] - x0)]
        for cell, (y, x) in zip(members, first - start, strict=True):
            masks[cell] = grid[y : y + size_px, x : x + size_px] == instance_id[cell]

    _by_tile(centers_um, um_per_px, size_px, cut, progress)
    return masks


def first_grid_px(centers_um: NDArray, um_per_px: float, size_px: int) -> NDArray[np.int64]:
    """`(n, 2)` grid index (y, x) of each crop's first pixel; the crop starts at this times ``um_per_px`` in µm."""
    return np.rint(np.asarray(centers_um, float) / um_per_px - size_px / 2).astype(np.int64)


def _by_tile(centers_um: NDArray, um_per_px: float, size_px: int, cut: Callable[..., None], progress: Progress) -> None:
    """Calls ``cut(first grid pixel, one past the last, cells, their first grid pixels)`` for each tile with cells."""
    first = first_grid_px(centers_um, um_per_px, size_px)
    done = 0
    for members in _tiles(np.asarray(centers_um, float)):
        cut(first[members].min(axis=0), first[members].max(axis=0) + size_px, members, first[members])
        done += len(members)
        progress(done / len(first), "reading cells")


def _tiles(centers_um: NDArray) -> Iterator[NDArray[np.intp]]:
    if not len(centers_um):
        return
    _, tile = np.unique(np.floor(centers_um / TILE_UM).astype(np.int64), axis=0, return_inverse=True)
    order = np.argsort(tile.ravel(), kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(tile.ravel()[order])) + 1)


def _triangle(
    start: int, stop: int, um_per_px: float, origin_um: float, source_um: float, source_px: int
) -> tuple[csr_matrix, int]:
    """Weights `(stop - start, source pixels)` of one axis and the index of the first source pixel they touch."""
    reach = max(um_per_px, source_um)
    center = (np.arange(start, stop) + 0.5) * um_per_px
    nearest = np.floor((center - origin_um) / source_um).astype(np.int64)
    steps = int(np.ceil(reach / source_um)) + 1
    source = nearest[:, None] + np.arange(-steps, steps + 1)
    weight = np.maximum(0, 1 - np.abs(center[:, None] - origin_um - (source + 0.5) * source_um) / reach)
    inside = (source >= 0) & (source < source_px)
    weight = np.where(inside & ((nearest >= 0) & (nearest < source_px))[:, None], weight, 0)
    total = weight.sum(axis=1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0).astype(np.float32)
    row, slot = np.nonzero(weight)
    if not len(row):
        return csr_matrix((stop - start, 0), dtype=np.float32), 0
    used = source[row, slot]
    first, past = used.min(), used.max() + 1
    return csr_matrix((weight[row, slot], (row, used - first)), shape=(stop - start, past - first)), int(first)


def _nearest(start: int, stop: int, um_per_px: float, origin_um: float, source_um: float) -> NDArray[np.int64]:
    center = (np.arange(start, stop) + 0.5) * um_per_px
    return np.floor((center - origin_um) / source_um).astype(np.int64)
