"""Which points lie inside what a hand has drawn."""

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError

CORNERS = 3


def rows_inside(points: NDArray[np.floating], outline: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rows, ascending, of the ``points`` `(N, 2)` that the closed line ``outline`` `(K, 2)` surrounds.

    The line may cross itself, as a hand's does: all that it encloses counts. Both have the same axes and unit; points
    with a NaN lie outside. Raises `SpatiaError` for fewer than three corners.
    """
    if outline.ndim != 2 or outline.shape[1] != 2 or len(outline) < CORNERS or not np.isfinite(outline).all():
        raise SpatiaError(
            f"A polygon of shape {outline.shape} encloses nothing. Expected (K, 2) finite corners, K ≥ {CORNERS}."
        )
    low, high = outline.min(axis=0), outline.max(axis=0)
    first, second = points[:, 0], points[:, 1]
    near = np.flatnonzero((first >= low[0]) & (first <= high[0]) & (second >= low[1]) & (second <= high[1]))
    return near[shapely.contains_xy(_enclosed(outline), first[near], second[near])]


def _enclosed(outline: NDArray[np.floating]) -> shapely.Geometry:
    """The area within a closed line, prepared for many questions."""
    ring = shapely.node(shapely.linestrings(np.vstack([outline, outline[:1]])))
    area = shapely.union_all(shapely.get_parts(shapely.polygonize(shapely.get_parts(ring))))
    shapely.prepare(area)
    return area
