"""The same cell with edited expression: encode and invert once a click, then draw each edit in a few passes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from skimage.metrics import peak_signal_noise_ratio
from sklearn.neighbors import NearestNeighbors

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.errors import PanelError
from napari_spatia.inference.device import one_thread
from napari_spatia.inference.predictor import DEFAULT_NFE, BoundSlide
from napari_spatia.model.flow_solver import invert
from napari_spatia.model.inputs import Condition, GeneTokens

REFERENCE_CELLS = 1500
"""Cells of the slide that stand for "seen" in `Counterfactual.reach_percentile`."""


@dataclass(frozen=True, slots=True)
class SelectedCell:
    """A cell that was clicked: ``real`` and ``zero_edit`` `(C, H, W)` float32 in the slide's units.

    ``zero_edit`` is what the decoder draws when nothing is edited; ``zero_edit_psnr_db`` compares it with ``real``
    over all channels, with the real crop's range as peak. ``white`` is the noise that makes it this very cell.
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
    white: torch.Tensor


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A cell as it would look under an edit: generated, not observed.

    ``image`` `(C, H, W)` float32 in the slide's units, ``mask`` `(H, W)` float32 in [0, 1]: the cell itself;
    ``type_probability`` `(T,)` from the edited expression; ``reach_percentile`` in [0, 100]: the share of real cells
    that lie nearer to their nearest real neighbour than the edited expression lies to its own.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    type_probability: NDArray[np.float32]
    reach_percentile: float
    nfe: int
    ms: float
    log2_fc: dict[str, float]


class CellEditor:
    """Edits cells of one bound slide."""

    def __init__(self, bound: BoundSlide):
        self.bound, self.model = bound, bound.model
        self._panel = bound.predictor.info.panel

    @one_thread()
    def select(self, cell_id: str, nfe: int = DEFAULT_NFE) -> SelectedCell:
        """Reads, encodes and inverts one cell: the costly part of a click. Raises `CellError` for an unknown id."""
        cell_idx = self.bound.slide.cell_idx(cell_id)
        picture = self.bound.pictures_of(np.array([cell_idx]))
        real, mask = self.bound.restore(picture)
        white = self._invert(cell_idx, picture, nfe)
        zero_edit, _ = self.bound.restore(self.bound.draw(white, self._condition(cell_idx, {}), nfe))
        peak = max(float(np.ptp(real)), 1e-6)
        psnr = peak_signal_noise_ratio(real[0], zero_edit[0], data_range=peak) if (real != zero_edit).any() else np.inf
        info = self.bound.predictor.info
        return SelectedCell(
            cell_id=cell_id,
            cell_idx=cell_idx,
            channels=info.channels,
            um_per_px=info.um_per_px,
            nfe=nfe,
            real=real[0],
            mask=mask[0] > 0.5,
            zero_edit=zero_edit[0],
            zero_edit_psnr_db=float(psnr),
            white=white,
        )

    @one_thread()
    def render(
        self, cell: SelectedCell, log2_fc: Mapping[str, float], *, nfe: int | None = None, merge_ratio: float = 0.0
    ) -> Counterfactual:
        """Draws the cell with ``log2_fc`` added to log2(1 + counts) of each named gene, not below 0.

        An edit of nothing gives ``cell.zero_edit`` bit for bit. Another ``nfe`` than the cell was selected with inverts
        the cell again. Raises `PanelError` for a gene that the model does not read.
        """
        began = time.perf_counter()
        edits = {gene: float(fc) for gene, fc in log2_fc.items() if fc}
        nfe = nfe or cell.nfe
        white = cell.white if nfe == cell.nfe else self._invert(cell.cell_idx, self._picture(cell), nfe)
        genes = self._genes(cell.cell_idx, edits)
        condition = self.bound.condition(np.array([cell.cell_idx]), genes)
        image, mask = self.bound.restore(self.bound.draw(white, condition, nfe, merge_ratio))
        with torch.no_grad():
            type_probability = self.bound.type_probability(np.array([cell.cell_idx]), genes, condition.vector)[0]
        reach = self._reach(cell.cell_idx, genes)
        ms = 1000 * (time.perf_counter() - began)
        return Counterfactual(image[0], mask[0], type_probability, reach, nfe, ms, edits)

    def _picture(self, cell: SelectedCell) -> torch.Tensor:
        return self.bound.pictures_of(np.array([cell.cell_idx]))

    def _invert(self, cell_idx: int, picture: torch.Tensor, nfe: int) -> torch.Tensor:
        condition = self._condition(cell_idx, {})
        velocity = lambda x, t, step: self.model.decoder(x, t, step, condition)  # noqa: E731
        with torch.no_grad():
            start = invert(velocity, self.model.decoder.spectrum.step_back, picture, nfe)
            return self.model.white_of(start, condition)

    def _condition(self, cell_idx: int, edits: Mapping[str, float]) -> Condition:
        return self.bound.condition(np.array([cell_idx]), self._genes(cell_idx, edits))

    def _genes(self, cell_idx: int, edits: Mapping[str, float]) -> GeneTokens:
        return gene_tokens(self._edited(cell_idx, edits)).to(self.bound.predictor.device)

    def _edited(self, cell_idx: int, edits: Mapping[str, float]) -> csr_matrix:
        """`(1, G)` log2(1 + counts) of the cell after the edit."""
        if "genes" not in self.bound.inputs:
            raise PanelError("Genes cannot be edited: they are not among the inputs that were asked for (--inputs).")
        values = self.bound.values[cell_idx].toarray()
        for gene, fc in edits.items():
            position = self._panel.index(gene)
            values[0, position] = max(0.0, values[0, position] + fc)
        return csr_matrix(values)

    def _reach(self, cell_idx: int, genes: GeneTokens) -> float:
        index, cells, seen = self._seen
        with torch.no_grad():
            embedding = self.model.embed_genes(genes)
        distance, nearest = index.kneighbors(embedding.cpu().numpy(), n_neighbors=2)
        distance = distance[0][cells[nearest[0]] != cell_idx][0]  # the cell itself is not evidence for its edit
        return float(100 * np.mean(seen < distance))

    @cached_property
    def _seen(self) -> tuple[NearestNeighbors, NDArray[np.intp], NDArray[np.float32]]:
        """Real cells to compare with, their rows, and each one's distance to the nearest other."""
        num = self.bound.slide.num_cells
        cells = np.linspace(0, num - 1, min(REFERENCE_CELLS, num)).astype(np.intp)
        embedding = self.bound.embeddings.of_cells(cells)[torch.from_numpy(cells)].cpu().numpy()
        index = NearestNeighbors(algorithm="brute").fit(embedding)
        distance, _ = index.kneighbors(embedding, n_neighbors=2)
        return index, cells, distance[:, 1]
