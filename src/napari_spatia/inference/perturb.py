"""The same cell with edited expression: encode and invert once a click, then draw each edit in a few passes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.inference.drawing import Drawn, Read, draw_cells
from napari_spatia.inference.edit_many import (
    edited_values,
    stretches_of,
    white_noise_of,
    whole_pictures,
)
from napari_spatia.inference.evidence import NUM_SEEDS, Evidence, examine
from napari_spatia.inference.outline import OutlineStretch
from napari_spatia.inference.predictor import DEFAULT_NFE, PREVIEW_NFE, BoundSlide
from napari_spatia.inference.reach import Reach
from napari_spatia.model.device import mapped_on_cores, one_thread
from napari_spatia.model.inputs import Around, Condition, GeneTokens
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.resolve import ResolvedEdit

EDITS_AT_ONCE, EDITS_AT_ONCE_ON_GPU = 8, 64
"""Edits of one cell that a core, or a GPU, draws together: on a core so few that work which is not wanted ends soon."""


@dataclass(frozen=True, slots=True)
class SelectedCell:
    """A cell that was clicked: ``real`` and ``zero_edit`` `(C, H, W)` float32 in the slide's units.

    ``zero_edit`` is what the decoder draws when nothing is edited; ``zero_edit_psnr_db`` compares it with ``real``
    over the channels that the slide has, with the real crop's range as peak; a channel that it lacks is black in
    ``real``. ``around`` is what lies around it, ``white`` the noise that makes it this very cell, ``stretch`` the way
    its outlines give.
    """

    cell_id: str
    cell_idx: int
    channels: tuple[str, ...]
    um_per_px: float
    nfe: int
    real: NDArray[np.float32]
    mask: NDArray[np.bool_]
    zero_edit: NDArray[np.float32]
    zero_edit_psnr_db: float
    around: Around
    white: torch.Tensor
    stretch: OutlineStretch


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A cell as it would look under an edit: generated, not observed.

    ``image`` `(C, H, W)` float32 in the slide's units, ``mask`` `(H, W)` float32 in [0, 1]: the cell itself;
    ``type_probability`` `(T,)` from the edited expression; ``reach_percentile`` in [0, 100] as in
    `inference.reach.Reach.percentile`, None while nothing has been prepared to compare with. ``condition`` is what the
    decoder read, ``embedding`` `(D,)` float32 what the gene encoder makes of the edited expression. ``cell`` is what
    was edited: its zero edit, drawn in as many passes, is what ``image`` is to be compared with.
    """

    cell: SelectedCell
    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    type_probability: NDArray[np.float32]
    reach_percentile: float | None
    ms: float
    log2_fc: dict[str, float]
    condition: Condition
    embedding: NDArray[np.float32]

    @property
    def nfe(self) -> int:
        return self.cell.nfe


class CellEditor:
    """Edits cells of one bound slide."""

    def __init__(self, bound: BoundSlide):
        self.bound = bound
        self.reach: Reach | None = None

    @one_thread()
    def prepare(self, progress: Progress = silent) -> None:
        """Reads the real cells that edits are compared with; from then on each counterfactual has its reach."""
        self.reach = Reach.of_slide(self.bound.embeddings, progress)

    def preview(self, cell_id: str, progress: Progress = silent) -> SelectedCell:
        """As `select`, in so few passes that its edits follow a moving hand; coarser, and its own zero edit."""
        return self.select(cell_id, PREVIEW_NFE, progress)

    @one_thread()
    def select(self, cell_id: str, nfe: int = DEFAULT_NFE, progress: Progress = silent) -> SelectedCell:
        """Reads, encodes and inverts one cell: the costly part of a click. Raises `CellError` for an unknown id."""
        cell_idx = self.bound.slide.cell_idx(cell_id)
        genes, around = self._genes(cell_idx, [{}]), self.bound.around(np.array([cell_idx]))
        condition = self.bound.condition(np.array([cell_idx]), genes, around)
        picture = whole_pictures(self.bound, np.array([cell_idx]), condition)
        real = self.bound.scale.restore(picture[:, :-1].cpu().numpy())
        white = white_noise_of(self.bound, picture, condition, nfe, part(progress, 0.0, 0.8))
        drawn = self._draw((genes, around, white), nfe, progress=part(progress, 0.8, 1.0))
        zero_edit, _ = self.bound.restore(drawn.picture)
        there = self.bound.channel_idx >= 0
        psnr = _psnr_db(real[0, there], zero_edit[0, there])
        real[0, ~there] = self.bound.scale.restore(np.full_like(real[0], -np.inf))[~there]
        info = self.bound.predictor.info
        return SelectedCell(
            cell_id=cell_id,
            cell_idx=cell_idx,
            channels=info.channels,
            um_per_px=info.um_per_px,
            nfe=nfe,
            real=real[0],
            mask=(picture[0, -1] > 0).cpu().numpy(),
            zero_edit=zero_edit[0],
            zero_edit_psnr_db=psnr,
            around=around,
            white=white,
            stretch=stretches_of(self.bound, picture, genes, condition)[0],
        )

    @one_thread()
    def render(
        self,
        cell: SelectedCell,
        log2_fc: Mapping[str, float],
        around: Around | None = None,
        *,
        merge_ratio: float = 0.0,
        progress: Progress = silent,
    ) -> Counterfactual:
        """Draws the cell with ``log2_fc`` added to log2(1 + counts) of each named gene, not below 0.

        ``around`` takes the place of what lies around the cell. `EditResolver` makes both of any kind of edit.
        An edit of nothing gives ``cell.zero_edit`` bit for bit. ``progress`` is called before each pass, so that a
        picture that is not wanted any more ends there. Raises `PanelError` for a gene that the model does not read.
        """
        return self._drawn(cell, [log2_fc], cell.around if around is None else around, merge_ratio, progress)[0]

    def render_many(
        self,
        cell: SelectedCell,
        edits: Sequence["ResolvedEdit"],
        *,
        nfe: int | None = None,
        progress: Progress = silent,
    ) -> list[Counterfactual]:
        """Draws the cell under each of many edits, several at once and on several cores; in the order of ``edits``.

        The pictures are those of `render` to within the rounding of sums taken in another order (1e-4 of a picture's
        range in float32). ``nfe`` other than ``cell.nfe`` reads the cell again: `Counterfactual.cell` then is that one.
        ``progress`` is called after each batch; what it raises ends the work within a batch.
        """
        if nfe is not None and nfe != cell.nfe:
            cell, progress = self.select(cell.cell_id, nfe, part(progress, 0.0, 0.1)), part(progress, 0.1, 1.0)
        on_cpu = self.bound.predictor.device == "cpu"

        def work(batch: Sequence["ResolvedEdit"]) -> list[Counterfactual]:
            arounds = [cell.around if edit.around is None else edit.around for edit in batch]
            return self._drawn(cell, [edit.log2_fc for edit in batch], Around.joined(arounds))

        size = EDITS_AT_ONCE if on_cpu else EDITS_AT_ONCE_ON_GPU
        batches = [edits[start : start + size] for start in range(0, len(edits), size)]

        def done(num_batches: int) -> None:
            num = min(size * num_batches, len(edits))
            progress(num / len(edits), f"drawing {num} of {len(edits)} edits")

        made = mapped_on_cores(work, batches, done, num_cores=None if on_cpu else 1)
        return [picture for batch in made for picture in batch]

    def _drawn(
        self,
        cell: SelectedCell,
        asked: Sequence[Mapping[str, float]],
        around: Around,
        merge_ratio: float = 0.0,
        progress: Progress = silent,
    ) -> list[Counterfactual]:
        """One picture for each log2_fc that is ``asked``; ``around`` has a row for each."""
        began, num = time.perf_counter(), len(asked)
        edits = [{gene: float(fc) for gene, fc in log2_fc.items() if fc} for log2_fc in asked]
        genes = self._genes(cell.cell_idx, edits)
        drawn = self._draw((genes, around, cell.white.expand(num, -1, -1, -1)), cell.nfe, merge_ratio, progress)
        image, mask = self.bound.restore(cell.stretch.apply(drawn.picture, drawn.outline))
        with torch.no_grad():
            type_probability = self.bound.type_probability(around, genes, drawn.condition.vector)
        embedding = drawn.embedding.cpu().numpy()
        reach = [
            None if self.reach is None else self.reach.percentile(each, apart_from=cell.cell_idx) for each in embedding
        ]
        ms = 1000 * (time.perf_counter() - began) / num
        return [
            Counterfactual(
                cell,
                image[i],
                mask[i],
                type_probability[i],
                reach[i],
                ms,
                edits[i],
                drawn.condition.row(i),
                embedding[i],
            )
            for i in range(num)
        ]

    def _draw(self, read: Read, nfe: int, merge_ratio: float = 0.0, progress: Progress = silent) -> Drawn:
        predictor = self.bound.predictor
        if nfe == PREVIEW_NFE and len(read[-1]) == 1 and not merge_ratio:
            progress(0.0, "drawing")
            return predictor.preview(read)
        return draw_cells(predictor.model, predictor.precision, read, nfe, merge_ratio, progress)

    @one_thread()
    def examine(
        self, cell: SelectedCell, edited: Counterfactual, num_seeds: int = NUM_SEEDS, progress: Progress = silent
    ) -> Evidence:
        """What stands behind a counterfactual: its spread over noise seeds and the nearest real cells."""
        if self.reach is None or self.reach.can_grow(self.bound.embeddings):
            self.prepare(part(progress, 0.0, 0.5))
        assert self.reach is not None, "prepared"
        return examine(self.bound, self.reach, cell, edited, num_seeds, part(progress, 0.5, 1.0))

    def _genes(self, cell_idx: int, edits: Sequence[Mapping[str, float]]) -> GeneTokens:
        values = edited_values(self.bound, np.full(len(edits), cell_idx), edits)
        return gene_tokens(values).to(self.bound.predictor.device)


def _psnr_db(real: NDArray[np.float32], drawn: NDArray[np.float32]) -> float:
    """Of `(C, H, W)`, with the range of ``real`` as peak; infinite where they are equal."""
    if (real == drawn).all():
        return float("inf")
    return float(peak_signal_noise_ratio(real, drawn, data_range=max(float(np.ptp(real)), 1e-6)))
