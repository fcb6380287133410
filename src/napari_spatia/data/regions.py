"""Cells as regions of the labels: their pixels block by block, centroids, bounding boxes, outlines."""

from collections.abc import Iterator

import dask
import numpy as np
import shapely
from numpy.typing import NDArray

from napari_spatia.data.slide import Raster
from napari_spatia.progress import Progress, part, silent

_WINDOW_PX = 2048


def cell_pixels(
    labels: Raster, instance_id: NDArray[np.int64], progress: Progress = silent
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]]:
    """Cell position, y and x of the known cells' pixels at the finest level, block by block as stored."""
    level = labels.levels[0]
    order = np.argsort(instance_id)
    starts = [np.cumsum((0, *sizes[:-1])) for sizes in level.chunks]
    blocks = level.to_delayed()
    for number, (row, col) in enumerate(np.ndindex(blocks.shape)):
        progress(number / blocks.size, "Reading the labels")
        block = dask.compute(blocks[row, col])[0]
        y, x = np.nonzero(block)
        value = block[y, x].astype(np.int64)
        cell_idx = order[np.minimum(np.searchsorted(instance_id, value, sorter=order), len(order) - 1)]
        known = instance_id[cell_idx] == value
        yield cell_idx[known], y[known] + starts[0][row], x[known] + starts[1][col]


def label_centroids(labels: Raster, instance_id: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(N, 2)` centroids (y, x) in µm of the cells' labels, NaN where a cell has none."""
    sums = np.zeros((len(instance_id), 3))
    for cell_idx, y, x in cell_pixels(labels, instance_id):
        for column, weight in enumerate((None, y, x)):
            sums[:, column] += np.bincount(cell_idx, weights=weight, minlength=len(sums))
    with np.errstate(invalid="ignore"):
        yx_px = sums[:, 1:] / sums[:, :1] + 0.5
    return yx_px * labels.um_per_px + np.asarray(labels.origin_um)


def bounding_boxes(labels: Raster, instance_id: NDArray[np.int64], progress: Progress = silent) -> NDArray[np.int64]:
    """`(N, 4)` first y, first x, end y, end x of each cell in pixels; all 0 for a cell without a label."""
    low = np.full((len(instance_id), 2), np.iinfo(np.int64).max)
    high = np.zeros((len(instance_id), 2), np.int64)
    for cell_idx, y, x in cell_pixels(labels, instance_id, progress):
        for axis, coordinate in enumerate((y, x)):
            np.minimum.at(low[:, axis], cell_idx, coordinate)
            np.maximum.at(high[:, axis], cell_idx, coordinate + 1)
    return np.hstack([np.where(high > 0, low, 0), high])


def trace_outlines(labels: Raster, instance_id: NDArray[np.int64], progress: Progress = silent) -> NDArray[np.object_]:
    """`(N,)` shapely (multi)polygons (x, y) in the labels' pixels; empty for a cell without a label.

    Cells are read in windows of about 2048 px and each is traced whole, so no tile border cuts one.
    """
    boxes = bounding_boxes(labels, instance_id, part(progress, 0.0, 0.4))
    traced = np.full(len(instance_id), shapely.Polygon(), dtype=object)
    present = np.flatnonzero(boxes[:, 2] > 0)
    window = boxes[present, :2] // _WINDOW_PX
    for number, (_, members) in enumerate(_grouped(window, present)):
        part(progress, 0.4, 1.0)(min(1.0, number * _WINDOW_PX**2 / labels.levels[0].size), "Tracing the cells")
        low, high = boxes[members, :2].min(axis=0), boxes[members, 2:].max(axis=0)
        pixels = np.asarray(labels.levels[0][low[0] : high[0], low[1] : high[1]])
        for cell in members:
            y0, x0, y1, x1 = boxes[cell] - np.tile(low, 2)
            mask = np.pad(pixels[y0:y1, x0:x1] == instance_id[cell], 1)
            traced[cell] = outline(mask, boxes[cell, :2] - 1)
    progress(1.0, "Tracing the cells")
    return traced


def _grouped(keys: NDArray[np.int64], values: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.intp]]]:
    """Each distinct row of ``keys`` with its values."""
    distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(np.bincount(inverse, minlength=len(distinct)))
    for key, stop, start in zip(distinct, ends, (0, *ends[:-1]), strict=True):
        yield key, values[order[start:stop]]


def outline(mask: NDArray[np.bool_], corner: NDArray[np.int64]) -> shapely.Geometry:
    """The outline (x, y) of a mask along its pixels' edges, so its area is that of the pixels; holes stay holes.

    The mask touches no border; ``corner`` is (y, x) of its first pixel.
    """
    below_y, below_x = np.nonzero(mask[1:] != mask[:-1])
    right_y, right_x = np.nonzero(mask[:, 1:] != mask[:, :-1])
    x = np.concatenate([np.column_stack([below_x, below_x + 1]), np.column_stack([right_x + 1, right_x + 1])])
    y = np.concatenate([np.column_stack([below_y + 1, below_y + 1]), np.column_stack([right_y, right_y + 1])])
    edges = shapely.linestrings(np.stack([x + corner[1], y + corner[0]], axis=2).astype(float))
    return shapely.simplify(shapely.build_area(shapely.multilinestrings(edges)), 0)
