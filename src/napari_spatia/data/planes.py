"""Two-dimensional pictures of the cells that a slide's table carries: the first two columns of its obsm arrays."""

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from napari_spatia.data import keys
from napari_spatia.data.elements import damage_named, open_store
from napari_spatia.data.slide import Slide
from napari_spatia.data.store import read_obs

NOT_PLANES = (keys.OBSM_SPATIAL, keys.OBSM_TYPE_PROBABILITY, *keys.EMBEDDINGS.values())
"""Places on the slide, probabilities, and the embeddings that belong to a prediction."""


def list_planes(slide: Slide) -> dict[str, int]:
    """Key → number of columns of each dense obsm array with two or more; reads shapes only."""
    if not slide.path.exists():
        return {}
    store = open_store(slide.path)
    with damage_named(slide.path, f"obsm of table '{slide.table_name}'"):
        table = store.group("tables", slide.table_name)
        arrays = table["obsm"].arrays() if "obsm" in table else ()
        found = {key: array.shape[1] for key, array in arrays if array.ndim == 2 and array.shape[1] >= 2}
    return {key: found[key] for key in sorted(found) if key not in NOT_PLANES}


def read_plane(slide: Slide, key: str) -> NDArray[np.float32]:
    """`(N, 2)` float32, the first two columns of an obsm array, row by row the slide's cells."""
    store = open_store(slide.path)
    with damage_named(slide.path, f"obsm['{key}'] of table '{slide.table_name}'"):
        array = store.group("tables", slide.table_name)[f"obsm/{key}"]
        assert isinstance(array, zarr.Array), "list_planes names arrays"
        columns = np.asarray(array[:, :2], dtype=np.float32)
    index: pd.Index = read_obs(slide.path, slide.table_name, ()).index
    return columns[index.get_indexer(slide.cell_id)]
