"""Edits of many cells: read, inverted and drawn in batches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.data.morphology import nuclear_channel, nucleus_mask
from napari_spatia.errors import PanelError
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.outline import OutlineStretch
from napari_spatia.inference.predictor import DEFAULT_NFE, BoundSlide
from napari_spatia.model.device import mapped_on_cores
from napari_spatia.model.flow_solver import invert
from napari_spatia.model.inputs import Around, Condition, GeneTokens
from napari_spatia.progress import Progress, silent

if TYPE_CHECKING:
    from napari_spatia.inference.programmes import Programme
    from napari_spatia.inference.resolve import EditResolver, ResolvedEdit

CELLS_AT_ONCE = 8
"""Cells of one batch."""


@dataclass(frozen=True, slots=True)
class EditedCells:
    """n cells, each under an edit: ``before`` (the zero edits) and ``after`` `(n, C, H, W)` float32 in the slide's
    units; ``was_cell`` `(n, H, W)` bool and ``mask`` `(n, H, W)` float32 in [0, 1], the cell before and after.

    ``cell_idx`` `(n,)` are their rows, ``channels`` the model's.
    """

    cell_idx: NDArray[np.int64]
    channels: tuple[str, ...]
    um_per_px: float
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    was_cell: NDArray[np.bool_]
    mask: NDArray[np.float32]


def edit_cells(
    bound: BoundSlide,
    resolver: "EditResolver",
    cell_idx: NDArray[np.int64],
    edit: Edit,
    programmes: "Mapping[str, Programme]",
    nfe: int = DEFAULT_NFE,
    progress: Progress = silent,
) -> EditedCells:
    """As `edit_each`, the same edit of each cell. Raises `SpatiaError` as `EditResolver` does."""
    edits = (resolver.resolve(row, edit, programmes) for row in cell_idx.tolist())
    return edit_each(bound, cell_idx, edits, nfe, progress)


def edit_each(
    bound: BoundSlide,
    cell_idx: NDArray[np.int64],
    edits: "Iterable[ResolvedEdit]",
    nfe: int = DEFAULT_NFE,
    progress: Progress = silent,
) -> EditedCells:
    """Each cell `(n,)` under its own one of n ``edits``, as `CellEditor` draws it alone, up to float rounding; several
    batches at once, on several cores. Niches are edited of all cells or of none.

    ``progress`` is called during each batch, from the thread that draws it: what it raises ends the work within a pass.
    """
    num, num_drawn = len(cell_idx), 0

    def tell(_fraction: float = 0.0, _doing: str = "") -> None:
        progress(num_drawn / num, f"drawing {num_drawn} of {num} cells")

    def done(num_batches: int) -> None:
        nonlocal num_drawn
        num_drawn = min(CELLS_AT_ONCE * num_batches, num)
        tell()

    batches, coming = [], iter(edits)
    for start in range(0, num, CELLS_AT_ONCE):
        rows = cell_idx[start : start + CELLS_AT_ONCE]
        batches.append(_read_batch(bound, rows, list(islice(coming, len(rows)))))
        tell()
    num_cores = None if bound.predictor.device == "cpu" else 1
    drawn = mapped_on_cores(lambda batch: _draw_batch(bound, batch, nfe, tell), batches, done, num_cores)
    info = bound.predictor.info
    columns = (np.concatenate(column) for column in zip(*drawn, strict=True))
    return EditedCells(cell_idx, info.channels, info.um_per_px, *columns)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is read of the slide for n cells: their pictures (n, C + 1, H, W), and their genes and all that the decoder
    reads, as they are and as they are edited.
    """

    picture: torch.Tensor
    genes: GeneTokens
    condition: Condition
    edited_genes: GeneTokens
    edited: Condition


def _read_batch(bound: BoundSlide, rows: NDArray[np.int64], edits: "Sequence[ResolvedEdit]") -> _Batch:
    genes, values = bound.genes_of(rows), edited_values(bound, rows, [edit.log2_fc for edit in edits])
    condition, edited_genes = bound.condition(rows, genes), gene_tokens(values).to(bound.predictor.device)
    around = [edit.around for edit in edits if edit.around is not None]
    edited = bound.condition(rows, edited_genes, Around.joined(around) if around else None)
    return _Batch(whole_pictures(bound, rows, condition), genes, condition, edited_genes, edited)


def _draw_batch(bound: BoundSlide, cells: _Batch, nfe: int, progress: Progress) -> tuple[NDArray, ...]:
    white = white_noise_of(bound, cells.picture, cells.condition, nfe, progress)
    before, _ = bound.restore(bound.draw(white, cells.condition, nfe, progress=progress))
    drawn = bound.draw(white, cells.edited, nfe, progress=progress)
    stretches = stretches_of(bound, cells.picture, cells.genes, cells.condition)
    each = zip(stretches, drawn, outlines_expected(bound, cells.edited_genes, cells.edited), strict=True)
    after, mask = bound.restore(torch.cat([stretch.apply(one[None], to[None]) for stretch, one, to in each]))
    return before, after, (cells.picture[:, -1] > 0).cpu().numpy(), mask


def whole_pictures(bound: BoundSlide, rows: NDArray, condition: Condition) -> torch.Tensor:
    """(n, C + 1, H, W) crops of real cells; a stain that the slide lacks is as the model expects it."""
    picture = bound.pictures_of(rows)
    missing = np.flatnonzero(bound.channel_idx < 0)
    if len(missing):
        picture[:, missing] = condition.prior[:, missing]
    return picture


@torch.no_grad()
def white_noise_of(
    bound: BoundSlide, picture: torch.Tensor, condition: Condition, nfe: int, progress: Progress = silent
) -> torch.Tensor:
    """The white noise (n, C + 1, H, W) from which ``picture`` is drawn in ``nfe`` passes."""
    decoder = bound.model.sampler(nfe)
    velocity, step_back = bound.velocity(condition, nfe), decoder.spectrum.step_back
    start = invert(velocity, step_back, picture, nfe, decoder.inversion, progress)
    return bound.model.white_of(start, condition, nfe)


@torch.no_grad()
def outlines_expected(bound: BoundSlide, genes: GeneTokens, condition: Condition) -> torch.Tensor:
    """(n, 4) as in `OUTLINE_AXES`: the outlines that are expected of cells when they express ``genes``."""
    return bound.model.expected_outline(condition.vector, genes)


def stretches_of(
    bound: BoundSlide, picture: torch.Tensor, genes: GeneTokens, condition: Condition
) -> list[OutlineStretch]:
    """How each of n cells gives way, from its ``picture`` (n, C + 1, H, W) and what is expected of it unedited."""
    info = bound.predictor.info
    stains, masks = bound.scale.restore(picture[:, :-1].cpu().numpy()), (picture[:, -1] > 0).cpu().numpy()
    nuclear = nuclear_channel([name for name, idx in zip(info.channels, bound.channel_idx, strict=True) if idx >= 0])
    nuclei = np.zeros_like(masks)
    if nuclear is not None:
        dapi = stains[:, info.channels.index(nuclear)]
        nuclei = np.stack([nucleus_mask(*pair, info.um_per_px) for pair in zip(dapi, masks, strict=True)])
    expected = outlines_expected(bound, genes, condition)
    return [OutlineStretch.of_cell(*each) for each in zip(masks, nuclei, expected, strict=True)]


def edited_values(bound: BoundSlide, rows: NDArray, edits: Sequence[Mapping[str, float]]) -> csr_matrix:
    """`(n, G)` log2(1 + counts) of some cells, each after its own edit of genes; none ends below 0."""
    if "genes" not in bound.inputs:
        raise PanelError("Genes cannot be edited: they are not among the inputs that were asked for (--inputs).")
    panel, values = bound.predictor.info.panel, bound.values[rows].toarray()
    for row, edit in enumerate(edits):
        for gene, fc in edit.items():
            position = panel.index(gene)
            values[row, position] = max(0.0, values[row, position] + fc)
    return csr_matrix(values)
