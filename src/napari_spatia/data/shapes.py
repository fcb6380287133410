"""Polygons and circles of a slide, read from their parquet file without the rest of SpatialData."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from napari_spatia.data.elements import SlideStore
from napari_spatia.data.ngff import Placement
from napari_spatia.errors import SlideError

_FILE = "shapes.parquet"
_CIRCLE_SEGMENTS = 8


def read_shapes(store: SlideStore, name: str) -> gpd.GeoDataFrame:
    """One shapes element in its own frame (x, y), circles still points with a ``radius``."""
    frame = gpd.read_parquet(shapes_file(store, name))
    if frame.index.has_duplicates:
        raise SlideError(
            f"Shapes '{name}' of slide '{store.path.name}' have {int(frame.index.duplicated().sum())} ids more than "
            "once. Expected one shape for each cell."
        )
    return frame


def shapes_file(store: SlideStore, name: str) -> Path:
    """The parquet file of one shapes element."""
    file = store.path / "shapes" / name / _FILE
    if not file.is_file():
        raise SlideError(
            f"Shapes '{name}' of slide '{store.path.name}' have no {_FILE}. Expected shapes as SpatialData ≥ 0.1 "
            "writes them; read the slide with spatialdata and write it again."
        )
    return file


def label_values(index: pd.Index) -> pd.Series:
    """The label that each shape is drawn with: its own id where all are whole numbers > 0, else its position + 1."""
    if pd.api.types.is_integer_dtype(index.dtype) and (not len(index) or index.min() > 0):
        return pd.Series(index.to_numpy(dtype=np.int64), index=index)
    return pd.Series(np.arange(1, len(index) + 1), index=index)


def outlines(frame: gpd.GeoDataFrame, placement: Placement) -> NDArray[np.object_]:
    """`(n,)` shapely polygons (x, y) in the frame that ``placement`` leads to; circles become 32-sided polygons."""
    geometry = np.asarray(frame.geometry.array)
    if "radius" in frame and (shapely.get_type_id(geometry) == shapely.GeometryType.POINT).any():
        geometry = shapely.buffer(geometry, frame["radius"].to_numpy(float), quad_segs=_CIRCLE_SEGMENTS)
    shift_xy = np.asarray(placement.shift[::-1])
    return np.asarray(shapely.transform(geometry, lambda xy: xy * placement.scale + shift_xy))


def shape_centroids(frame: gpd.GeoDataFrame, placement: Placement) -> NDArray[np.float64]:
    """`(n, 2)` centroids (y, x) in the frame that ``placement`` leads to."""
    points = shapely.centroid(np.asarray(frame.geometry.array))
    yx = np.column_stack([shapely.get_y(points), shapely.get_x(points)])
    return placement.apply(yx)
