"""The outline of each cell of a slide: its polygon in the store, or traced from the labels where there is none."""

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from napari_spatia.data import ngff
from napari_spatia.data.elements import SlideStore, damage_named, open_store
from napari_spatia.data.regions import trace_outlines
from napari_spatia.data.registered import placement_um
from napari_spatia.data.shapes import outlines, read_shapes
from napari_spatia.data.slide import Slide
from napari_spatia.data.table import read_annotation
from napari_spatia.progress import Progress, silent

_SAMPLED_CELLS = 500
_MIN_AGREEMENT = 0.5


def cell_outlines(slide: Slide, progress: Progress = silent) -> NDArray[np.object_]:
    """`(N,)` shapely (multi)polygons (x, y) in the slide's µm; empty for a cell without polygon and label.

    The store's polygons are taken where an element has one for every cell and they lie around the cells' centres; of
    several such elements (cells and their nuclei) the one of the largest polygons.
    """
    store = open_store(slide.path)
    with damage_named(store.path, "the shapes"):
        found = [_polygons_of(store, name, slide) for name in store.names("shapes")]
    fitting = [polygons for polygons in found if polygons is not None]
    if fitting:
        progress(1.0, "Reading the polygons")
        return max(fitting, key=lambda polygons: float(shapely.area(polygons).sum()))
    um_per_px, (y0, x0) = slide.labels.um_per_px, slide.labels.origin_um
    traced = trace_outlines(slide.labels, slide.instance_id, progress)
    return np.asarray(shapely.transform(traced, lambda xy: xy * um_per_px + (x0, y0)))


def _polygons_of(store: SlideStore, name: str, slide: Slide) -> NDArray[np.object_] | None:
    """`(N,)` polygons of one shapes element in µm, or None when it does not hold each of the slide's cells."""
    placement = shapes_placement(store, name, slide)
    if placement is None:
        return None
    frame = read_shapes(store, name)
    rows = rows_of_cells(frame.index, store, slide)
    if (rows < 0).any() or "radius" in frame:
        return None
    polygons = outlines(frame.iloc[rows], placement)
    sample = np.linspace(0, slide.num_cells - 1, min(slide.num_cells, _SAMPLED_CELLS)).astype(int)
    centers = shapely.points(slide.centers_um[sample][:, ::-1])
    return polygons if shapely.intersects(polygons[sample], centers).mean() >= _MIN_AGREEMENT else None


def shapes_placement(store: SlideStore, name: str, slide: Slide) -> ngff.Placement | None:
    """From the frame of one shapes element to the slide's µm; None where it is not in the slide's system."""
    if slide.coordinate_system not in ngff.coordinate_systems(store.transforms("shapes", name)):
        return None
    return placement_um(store, slide, "shapes", name)


def rows_of_cells(index: pd.Index, store: SlideStore, slide: Slide) -> NDArray[np.intp]:
    """`(N,)` row of each cell in a shapes element's ``index``, by that of the cells' names that finds most, or -1."""
    if pd.api.types.is_integer_dtype(index.dtype):  # no text is made of a million numbers
        rows = np.asarray(index.get_indexer(slide.instance_id), dtype=np.intp)
        if (rows >= 0).all():
            return rows
    column = read_annotation(store, slide.table_name).instance_key
    names = [slide.instance_id.astype(str), slide.cell_id]
    if column in slide.obs:
        names.insert(0, slide.obs[column].astype(str).to_numpy())
    texts = index.astype(str)
    found = (np.asarray(texts.get_indexer(cells), dtype=np.intp) for cells in names)
    return max(found, key=lambda rows: int((rows >= 0).sum()))
