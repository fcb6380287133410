"""What edited genes stand on in the selected cell, and which genes would move its picture most."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress, part
from napari_spatia.session.base import SessionBase
from napari_spatia.session.gene_range import GeneRange, gene_range
from napari_spatia.session.opened import OpenedSlide

if TYPE_CHECKING:
    from napari_spatia.inference.sensitivity import Sensitivity


class RangeVerbs(SessionBase):
    """Ranges and ranking of genes: ``state.ranges``, ``state.sensitivity``."""

    def rank_genes(self) -> None:
        """Rank the genes by how far each alone moves the selected cell's picture, in few passes; see `Sensitivity`.

        Raises `SpatiaError` while no cell can be edited.
        """
        editor, resolver, cell = self._editor, self._resolver, self._preview or self.state.cell
        if editor is None or resolver is None or cell is None:
            raise SpatiaError("No cell can be edited yet. Load a checkpoint, click a cell and wait for its zero edit.")
        cell_id, preview, backend = cell.cell_id, self._preview, self._backend

        def work(progress: Progress) -> "Sensitivity":
            read = preview or editor.preview(cell_id, part(progress, 0.0, 0.05))
            return backend.rank_genes(editor, resolver, read, part(progress, 0.05, 1.0))

        def accept(ranking: "Sensitivity") -> None:
            if self.state.selected == cell_id and self._editor is editor:
                self.state.sensitivity = ranking

        self.jobs.submit("sensitivity", work, accept)

    def _forget_ranges(self) -> None:
        """Another cell, slide, model, or other types: what was found does not hold any more."""
        self.jobs.cancel("ranges")
        self.jobs.cancel("sensitivity")
        self.state.ranges, self.state.sensitivity = {}, None

    def _find_ranges(self) -> None:
        """Find the ranges of the edited genes that are not known yet, in the background."""
        state, opened = self.state, self._opened
        genes = [gene for gene in state.edit.present.genes() if gene not in state.ranges]
        if not genes or state.card is None or opened is None:
            return
        cell_idx = state.card.cell_idx

        def work(progress: Progress) -> dict[str, GeneRange]:
            found = {}
            for number, gene in enumerate(genes):
                progress(number / len(genes), "measuring the genes on the slide")
                found[gene] = self._range_of(opened, gene, cell_idx)
            return found

        def accept(found: dict[str, GeneRange]) -> None:
            card = self.state.card
            if self._opened is opened and card is not None and card.cell_idx == cell_idx:
                self.state.ranges = {**self.state.ranges, **found}

        self.jobs.submit("ranges", work, accept)

    def _range_of(self, opened: OpenedSlide, gene: str, cell_idx: int) -> GeneRange:
        """The range of a gene for one cell of the slide; reads the gene's counts."""
        panel = opened.slide.panel
        counts = opened.genes.column(panel.index(gene)) if gene in panel else None
        return gene_range(counts, cell_idx, self._of_its_type(cell_idx))

    def _of_its_type(self, cell_idx: int) -> NDArray[np.bool_] | None:
        """`(N,)` the cells of a cell's type, as edits know types; None where it has none."""
        if self._resolver is None or self._resolver.types.code[cell_idx] < 0:
            return None
        code = self._resolver.types.code
        return np.asarray(code == code[cell_idx])
