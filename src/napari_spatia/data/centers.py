"""The frame of ``obsm["spatial"]``, found by looking at the labels under it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.ngff import Placement
from napari_spatia.data.slide import Raster

_SAMPLED_CELLS = 200
_POINTS_FOR_THE_MIDDLE = 10_000
_SAMPLED_HALF_PX = 1024
_SAMPLED_UM_PER_PX = 1.5
_MIN_AGREEMENT = 0.3


def place_centers(
    stored_yx: NDArray[np.float64], frames: Sequence[Placement], labels: Raster, instance_id: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """`(N, 2)` centres (y, x) in µm from stored ones, or None when they fit no frame.

    Files do not say which frame ``obsm["spatial"]`` is in: builders write µm, pixels of the image, or the polygons' own
    units. So each of ``frames`` (maps into the slide's µm) is tried on up to 200 neighbouring cells in the middle of
    the table, and the one wins under whose centres the labels hold the cells' own ids most often. Less than 3 in 10
    is taken as no agreement: a centre is outside its cell only where cells are ring- or crescent-shaped.
    """
    finite = np.isfinite(stored_yx).all(axis=1)
    if not finite.all():
        return None
    sample = _neighbours_of_the_middle(stored_yx)
    scores = [_agreement(frame.apply(stored_yx[sample]), instance_id[sample], labels) for frame in frames]
    best = int(np.argmax(scores))
    return frames[best].apply(stored_yx) if scores[best] >= _MIN_AGREEMENT else None


def _neighbours_of_the_middle(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows of a point near the median and of those around it, nearest first."""
    some = points[:: max(1, len(points) // _POINTS_FOR_THE_MIDDLE)]
    middle = some[np.argmin(_squared_distance(some, np.median(some, axis=0)))]
    distance = _squared_distance(points, middle)
    near = np.argpartition(distance, min(_SAMPLED_CELLS, len(distance)) - 1)[:_SAMPLED_CELLS]
    return near[np.argsort(distance[near], kind="stable")]


def _squared_distance(points: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)`; axis by axis, in a third of the memory: touching new memory is what takes time here."""
    total = np.zeros(len(points))
    for axis, value in zip(points.T, place, strict=True):
        step = axis - value
        total += np.multiply(step, step, out=step)
    return total


def _agreement(centers_um: NDArray[np.float64], instance_id: NDArray[np.int64], labels: Raster) -> float:
    """Share of cells whose own id stands under their centre; a coarse level and one small window are read."""
    sizes = labels.levels_um_per_px
    coarse_enough = [idx for idx, size in enumerate(sizes) if size <= _SAMPLED_UM_PER_PX]
    level_idx = coarse_enough[-1] if coarse_enough else 0
    level, um_per_px = labels.sources[level_idx], sizes[level_idx]
    yx = np.floor((centers_um - np.asarray(labels.origin_um)) / um_per_px).astype(np.int64)
    near = (np.abs(yx - yx[0]) <= _SAMPLED_HALF_PX).all(axis=1)
    inside = near & (yx >= 0).all(axis=1) & (yx < np.asarray(level.shape)).all(axis=1)
    if not inside.any():
        return 0.0
    low, high = yx[inside].min(axis=0), yx[inside].max(axis=0) + 1
    window = np.asarray(level[low[0] : high[0], low[1] : high[1]])
    under = window[tuple((yx[inside] - low).T)].astype(np.int64)
    return float((under == instance_id[inside]).sum() / near.sum())
