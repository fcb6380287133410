"""Verbs on one cell: select it, edit its genes, draw the counterfactual."""

import math
from typing import TYPE_CHECKING

from napari_spatia.errors import SpatiaError
from napari_spatia.session.base import SessionBase
from napari_spatia.session.history import History
from napari_spatia.session.opened import cell_id_at, read_card, read_crop
from napari_spatia.session.state import LOG2_FC_LIMIT, CellCrop, Edit, log2_fc_of

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell

FIRST_SLIDERS = 4
"""Sliders that the first selected cell starts with: its most expressed genes."""
CROP_UM_PER_PX, CROP_PX = 0.32, 64
"""Window of a cell's crop while no checkpoint says otherwise."""


class EditVerbs(SessionBase):
    """The selected cell and its edit."""

    def cell_at(self, y_um: float, x_um: float) -> str | None:
        """The cell at a point of the slide, or None."""
        return cell_id_at(self.opened, y_um, x_um)

    def select_cell(self, cell_id: str | None) -> None:
        """Select a cell: its card and crop now, its model-side inversion as soon as it is computed."""
        state = self.state
        card = None if cell_id is None else read_card(self.opened, cell_id, state.prediction, state.annotations)
        for kind in ("crop", "select", "render", "examine"):
            self.jobs.cancel(kind)
        state.crop = state.cell = state.counterfactual = state.evidence = None
        state.edit = History(tuple((gene, 0.0) for gene, _ in state.edit.present))
        state.card = card
        state.selected = cell_id
        if card is not None and cell_id is not None:
            self._read_crop(cell_id, card.center_um)
            if self._bound is not None:
                self._invert(cell_id)

    def _read_crop(self, cell_id: str, center_um: tuple[float, float]) -> None:
        info, slide = self.state.checkpoint, self.slide
        um_per_px, size_px = (info.um_per_px, info.crop_px) if info else (CROP_UM_PER_PX, CROP_PX)

        def accept(crop: CellCrop) -> None:
            if self.state.selected == cell_id:
                self.state.crop = crop

        self.jobs.submit("crop", lambda progress: read_crop(slide, cell_id, center_um, um_per_px, size_px), accept)

    def _invert(self, cell_id: str) -> None:
        editor = self._editor
        if editor is None:
            return

        def accept(cell: "SelectedCell") -> None:
            if self.state.selected == cell_id and self._editor is editor:
                self.state.cell = cell
                self._start_sliders()
                self.render()

        passes = {} if self.state.nfe is None else {"nfe": self.state.nfe}
        self.jobs.submit("select", lambda progress: editor.select(cell_id, **passes), accept)

    def _start_sliders(self) -> None:
        card, info = self.state.card, self.state.checkpoint
        if self.state.edit.present or card is None or info is None:
            return
        genes = [gene for gene, _ in card.top_genes if gene in info.panel] or list(info.panel.genes)
        self.state.edit = History(tuple((gene, 0.0) for gene in genes[:FIRST_SLIDERS]))

    def set_log2_fc(self, gene: str, value: float, gesture: str | None = None) -> None:
        """Edit one gene; a gene without a slider gets one. Values set under one ``gesture`` are undone together."""
        if self.state.checkpoint is None:
            raise SpatiaError("No checkpoint is loaded, so no gene can be edited. Load a checkpoint first.")
        self.state.checkpoint.panel.index(gene)
        if not (math.isfinite(value) and abs(value) <= LOG2_FC_LIMIT):
            raise SpatiaError(f"log2_fc of '{gene}' is {value}; it goes from {-LOG2_FC_LIMIT:g} to {LOG2_FC_LIMIT:g}.")
        edit = {**dict(self.state.edit.present), gene: float(value)}
        self.state.edit = self.state.edit.set(tuple(edit.items()), gesture)

    def remove_gene(self, gene: str) -> None:
        """Take a gene's slider and its edit away."""
        self._set_edit(tuple(item for item in self.state.edit.present if item[0] != gene))

    def reset_edit(self) -> None:
        """All genes back to 0."""
        self._set_edit(tuple((gene, 0.0) for gene, _ in self.state.edit.present))

    def _set_edit(self, edit: Edit) -> None:
        self.state.edit = self.state.edit.set(edit)

    def end_gesture(self) -> None:
        """The slider was let go: what follows is a new step of undo."""
        self.state.edit = self.state.edit.end_gesture()

    def undo(self) -> None:
        self.state.edit = self.state.edit.undo()

    def redo(self) -> None:
        self.state.edit = self.state.edit.redo()

    def set_nfe(self, nfe: int | None) -> None:
        """Decoder passes of a picture; None takes the checkpoint's own number. The cell is inverted again."""
        if nfe != self.state.nfe:
            self.state.nfe = nfe
            if self.state.cell is not None:
                self._invert(self.state.cell.cell_id)

    def render(self) -> None:
        """Draw the selected cell under the edit as it is now. Nothing to do while no cell is inverted."""
        cell, editor = self.state.cell, self._editor
        if cell is None or editor is None:
            return
        log2_fc = log2_fc_of(self.state.edit.present)
        self.jobs.cancel("examine")

        def accept(picture: "Counterfactual") -> None:
            if self.state.cell is cell:
                self.state.evidence = None
                self.state.counterfactual = picture

        self.jobs.submit("render", lambda progress: editor.render(cell, log2_fc), accept, drop_stale=False)

    def examine(self) -> None:
        """Measure what stands behind the counterfactual as it is now: its spread over seeds, the nearest real cells.

        For an edit that rests: it takes many pictures. Nothing to do while there is no counterfactual.
        """
        cell, editor, edited = self.state.cell, self._editor, self.state.counterfactual
        if cell is None or editor is None or edited is None:
            return

        def accept(evidence: "Evidence") -> None:
            if self.state.counterfactual is edited:
                self.state.evidence = evidence

        self.jobs.submit("examine", lambda progress: editor.examine(cell, edited, progress=progress), accept)
