"""A reference of single cells with more genes than a slide measured, read from an h5ad file."""

from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
from scipy.sparse import csr_matrix

from napari_spatia.data.keys import COUNT_LAYERS
from napari_spatia.data.panel import Panel
from napari_spatia.data.table import first_non_count
from napari_spatia.errors import SlideError


@dataclass(frozen=True, slots=True)
class Reference:
    """M cells: ``counts`` `(M, R)` raw counts, float32 CSR, of the R genes of ``panel``."""

    name: str
    counts: csr_matrix
    panel: Panel


def read_reference(path: str | Path) -> Reference:
    """Reads an AnnData file with raw counts in ``X`` or in a layer of `keys.COUNT_LAYERS`, genes named as on the slide.

    Raises `SlideError` when it cannot be read or holds no counts.
    """
    path = Path(path)
    try:
        table = ad.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise SlideError(f"Reference '{path}' cannot be read: {error}. Expected an AnnData file (.h5ad).") from error
    table.var_names_make_unique()
    candidates = [table.X, *(table.layers[layer] for layer in COUNT_LAYERS if layer in table.layers)]
    for stored in candidates:
        if stored is None:
            continue
        matrix = csr_matrix(stored, dtype=np.float32)
        if first_non_count(matrix) is None:
            return Reference(path.name, matrix, Panel(tuple(table.var_names.astype(str))))
    raise SlideError(
        f"Reference '{path.name}' has no raw counts: expected whole numbers ≥ 0 in X, or in a layer "
        f"{', '.join(COUNT_LAYERS)}. Put the raw counts in layers['counts']."
    )
