"""Which genes move one cell's picture most: each gene doubled and each expressed gene knocked out, drawn in one go."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.data.intensity import IntensityScale
    from napari_spatia.inference.perturb import CellEditor, SelectedCell
    from napari_spatia.inference.resolve import EditResolver

STEP_LOG2_FC = 1.0
"""The edit by which genes are compared: twice what the cell expresses (of 1 + counts)."""
ENOUGH_SHARE = 0.01
"""A gene that a smaller share of the slide's cells expresses, the model has hardly seen."""
MARGIN_UM = 2.0
"""What lies this near to the cell counts too: an edit may move its edge."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How far single genes move the picture of one cell, G genes from the one that moves it most.

    ``raised`` `(G,)` float32 is the change when a gene goes up by `STEP_LOG2_FC`, ``knocked_out`` `(G,)` float32 when
    all of it is taken away, NaN for a gene that the cell does not express. A change is the root mean square over the
    stains and over the pixels of the cell and its `MARGIN_UM`, in standard deviations of each stain's intensity on the
    slide (`data.intensity.IntensityScale`). ``num_cells`` `(G,)` int is how many of the slide's
    ``num_all`` cells express a gene. ``nfe`` are the passes in which the pictures were drawn.
    """

    cell_id: str
    genes: tuple[str, ...]
    raised: NDArray[np.float32]
    knocked_out: NDArray[np.float32]
    num_cells: NDArray[np.intp]
    num_all: int
    nfe: int

    @property
    def is_common(self) -> NDArray[np.bool_]:
        """`(G,)` whether enough cells express a gene for its change to be trusted, see `ENOUGH_SHARE`."""
        return np.asarray(self.num_cells >= ENOUGH_SHARE * self.num_all)


def rank_genes(
    editor: "CellEditor", resolver: "EditResolver", cell: "SelectedCell", progress: Progress = silent
) -> Sensitivity:
    """Ranks all genes that the model reads by the larger of their two changes; ``cell`` says in how many passes.

    Each gene is moved alone, from the cell as it is: other edits and co-expressed genes are left out. Raises
    `SpatiaError` when the model was bound without genes.
    """
    bound, genes = editor.bound, editor.bound.predictor.info.panel.genes
    if "genes" not in bound.inputs:
        raise SpatiaError("No gene moves this cell: genes are not among the inputs that were asked for (--inputs).")
    measured = bound.values[cell.cell_idx].toarray().ravel()
    expressed = np.flatnonzero(measured)
    asked = [(gene, STEP_LOG2_FC) for gene in genes] + [(genes[idx], -float(measured[idx])) for idx in expressed]
    edits = [resolver.resolve(cell.cell_idx, Edit((term,)), {}) for term in asked]
    drawn = editor.render_many(cell, edits, progress=part(progress, 0.0, 0.99))
    counted = _near(cell.mask, cell.um_per_px)
    moved = _changes(bound.scale, cell.zero_edit, np.stack([picture.image for picture in drawn]), counted)
    knocked_out = np.full(len(genes), np.nan, np.float32)
    knocked_out[expressed] = moved[len(genes) :]
    order = np.argsort(-np.fmax(moved[: len(genes)], knocked_out), kind="stable")
    num_cells = bound.values.getnnz(axis=0)[order]
    progress(1.0, "ranked")
    return Sensitivity(
        cell.cell_id,
        tuple(genes[idx] for idx in order),
        moved[order],
        knocked_out[order],
        num_cells,
        bound.values.shape[0],
        drawn[0].nfe,
    )


def _near(mask: NDArray[np.bool_], um_per_px: float) -> NDArray[np.bool_]:
    """`(H, W)` the cell and its margin; all of a window in which no cell was found."""
    if not mask.any():
        return np.ones_like(mask)
    return np.asarray(distance_transform_edt(~mask) * um_per_px <= MARGIN_UM)


def _changes(
    scale: "IntensityScale", before: NDArray[np.float32], after: NDArray[np.float32], counted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """`(C, H, W)` and `(n, C, H, W)` in the slide's units → `(n,)` root mean square change where it counts."""
    change = scale.standardise(after) - scale.standardise(before)
    return np.sqrt(np.square(change[..., counted]).mean(axis=(1, 2))).astype(np.float32)
