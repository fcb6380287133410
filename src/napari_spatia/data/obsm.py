"""Arrays with one row a cell beside the table (``obsm``): which there are, and one of them when it is asked for."""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data import store
from napari_spatia.data.elements import damage_named, open_store
from napari_spatia.data.ids import IdRows
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SlideError


def list_obsm(slide: Slide) -> dict[str, int]:
    """Name and number of components of each two-dimensional array of numbers; none of a slide that is in memory alone.

    Nothing but their shapes is read.
    """
    if not slide.path.exists():
        return {}
    with damage_named(slide.path, f"obsm of table '{slide.table_name}'"):
        group = open_store(slide.path).group("tables", slide.table_name)
        arrays = dict(group["obsm"].arrays()) if "obsm" in group else {}
        numbers = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "iuf"}
    return {name: int(numbers[name].shape[1]) for name in sorted(numbers)}


def read_obsm(slide: Slide, name: str) -> NDArray[np.float32]:
    """`(N, K)` float32 of one array, row by row the slide's cells. Raises `SlideError` when it is not there."""
    found = list_obsm(slide)
    if name not in found:
        raise SlideError(f"Slide '{slide.name}' has no obsm '{name}'. It has: {', '.join(found) or 'none'}.")
    values = np.asarray(store.read_obsm(slide.path, slide.table_name, name), dtype=np.float32)
    ids = store.read_ids(slide.path, slide.table_name)
    if np.array_equal(ids, slide.cell_id):  # as nearly always
        return values
    return values[IdRows(ids).rows(slide.cell_id)]
