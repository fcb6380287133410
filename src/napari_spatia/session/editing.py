"""Verbs on one cell: select it, edit its genes, draw the counterfactual."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit, NicheChange, NicheEdit
from napari_spatia.inference.programmes import SHIPPED_FILE, find_programme, load_programmes, read_gmt
from napari_spatia.progress import Progress
from napari_spatia.session.history import History
from napari_spatia.session.opened import cell_id_at, read_card, read_crop
from napari_spatia.session.ranging import RangeVerbs
from napari_spatia.session.state import LOG2_FC_LIMIT, PROGRAMME_LIMIT, CellCrop

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.resolve import EditResolver, ResolvedEdit

FIRST_SLIDERS = 4
"""Sliders that the first selected cell starts with: its most expressed genes."""
HAND_RESTS_S = 0.08
"""While a slider is held, its picture is drawn in all passes only where the hand pauses: the next move would wait."""
CROP_UM_PER_PX, CROP_PX = 0.32, 64
"""Window of a cell's crop while no checkpoint says otherwise."""


class EditVerbs(RangeVerbs):
    """The selected cell and its edit."""

    def cell_at(self, y_um: float, x_um: float) -> str | None:
        """The cell at a point of the slide, or None."""
        return cell_id_at(self.opened, y_um, x_um)

    def select_cell(self, cell_id: str | None) -> None:
        """Select a cell: its card and crop now, what the model makes of it as soon as it is computed.

        Its edit is as it was left, with its steps of undo; of a cell that was not edited yet, nothing is edited.
        """
        state = self.state
        card = None if cell_id is None else read_card(self.opened, cell_id, state.prediction, state.annotations)
        for kind in ("crop", "select", "refine", "render", "examine"):
            self.jobs.cancel(kind)
        self._preview = None
        self._forget_ranges()
        state.crop = state.cell = state.resolved = state.counterfactual = state.evidence = None
        self._swap_edits(cell_id)
        state.card = card
        state.selected = cell_id
        if card is not None and cell_id is not None:
            self._find_ranges()
            self._read_crop(cell_id, card.center_um)
            if self._bound is not None:
                self._invert(cell_id)

    def _swap_edits(self, cell_id: str | None) -> None:
        """Keep the edit of the cell that is left, and take that of another."""
        state = self.state
        if state.selected is not None and (state.edit.can_undo or state.edit.can_redo):
            self._edits[state.selected] = state.edit.end_gesture()
        known = None if cell_id is None else self._edits.get(cell_id)
        state.edit = known or History(state.edit.present.at_zero())

    def _read_crop(self, cell_id: str, center_um: tuple[float, float]) -> None:
        info, slide = self.state.checkpoint, self.slide
        um_per_px, size_px = (info.um_per_px, info.crop_px) if info else (CROP_UM_PER_PX, CROP_PX)

        def accept(crop: CellCrop) -> None:
            if self.state.selected == cell_id:
                self.state.crop = crop

        self.jobs.submit("crop", lambda progress: read_crop(slide, cell_id, center_um, um_per_px, size_px), accept)

    def _invert(self, cell_id: str) -> None:
        """Read the cell in few passes, so that it can be edited soon, and then in all; in as many as asked, if so."""
        editor, nfe = self._editor, self.state.nfe
        if editor is None:
            return

        def accept(cell: "SelectedCell") -> None:
            if self.state.selected == cell_id and self._editor is editor:
                self.state.cell = cell
                self._start_sliders()
                self._draw(cell)

        def accept_preview(cell: "SelectedCell") -> None:
            self._preview = cell
            accept(cell)
            self.jobs.submit("refine", lambda progress: editor.select(cell_id, progress=progress), accept)

        self._preview = None
        self.jobs.cancel("refine")
        if nfe is None:
            self.jobs.submit("select", lambda progress: editor.preview(cell_id, progress), accept_preview)
        else:
            self.jobs.submit("select", lambda progress: editor.select(cell_id, nfe, progress), accept)

    def _start_sliders(self) -> None:
        card, info = self.state.card, self.state.checkpoint
        if self.state.edit.present.terms or card is None or info is None:
            return
        genes = [gene for gene, _ in card.top_genes if gene in info.panel] or list(info.panel.genes)
        terms = tuple((gene, 0.0) for gene in genes[:FIRST_SLIDERS])
        self._take_edit(History(replace(self.state.edit.present, terms=terms)))

    def set_log2_fc(self, gene: str, value: float, gesture: str | None = None) -> None:
        """Edit one gene; a gene without a slider gets one. Values set under one ``gesture`` are undone together."""
        self.set_strength(gene, value, gesture)

    def set_strength(self, key: str, value: float, gesture: str | None = None) -> None:
        """Edit a gene, a programme (key ``programme:NAME``) or go towards a cell type (``towards:TYPE``); see `Edit`.

        Raises `SpatiaError` as `check_term` does.
        """
        self.check_term(key, value)
        self._set_edit(self.state.edit.present.with_term(key, float(value)), gesture)

    def check_term(self, key: str, value: float) -> None:
        """Raises `SpatiaError` for a name that is unknown, or a value outside its `strength_range`."""
        self._check_key(key)
        low, high = strength_range(key)
        if not (math.isfinite(value) and low <= value <= high):
            what = f"Strength of '{key}'" if key.startswith(TOWARDS) else f"log2_fc of '{key}'"
            raise SpatiaError(f"{what} is {value}; it goes from {low:g} to {high:g}.")

    def _check_key(self, key: str) -> None:
        if self.state.checkpoint is None:
            raise SpatiaError("No checkpoint is loaded, so no gene can be edited. Load a checkpoint first.")
        panel = self.state.checkpoint.panel
        if key.startswith(PROGRAMME):
            find_programme(key.removeprefix(PROGRAMME), self.state.programmes).log2_fc(0.0, panel)
        elif key.startswith(TOWARDS):
            if self._resolver is not None:
                self._resolver.types.find(key.removeprefix(TOWARDS))
        else:
            panel.index(key)

    def set_coexpressed(self, on: bool) -> None:
        """Let the other genes follow the edited ones as they do on the slide, or keep them as they are."""
        self._set_edit(replace(self.state.edit.present, coexpressed=on))

    def set_niche(self, niche: NicheEdit | None) -> None:
        """Change what lies around the cell, or (None) leave it as it is. Raises `SpatiaError` for an unknown name."""
        if niche is not None:
            self.check_niche(niche)
        self._set_edit(replace(self.state.edit.present, niche=niche))

    def check_niche(self, niche: NicheEdit) -> None:
        """Raises `SpatiaError` for a cell, a type or a domain that is not on the slide."""
        for cell_id in niche.cells:
            self.slide.cell_idx(cell_id)
        if niche.change == NicheChange.CELL:
            self.slide.cell_idx(niche.name)
        elif niche.name and self._resolver is not None:
            groups = self._resolver.domains if niche.change == NicheChange.DOMAIN else self._resolver.types
            groups.find(niche.name)

    def read_programmes(self) -> None:
        """Read the programmes again, the person's own among them; a malformed file is said and left out."""
        try:
            self.state.programmes = load_programmes()
        except SpatiaError as error:
            self.state.programmes = self.state.programmes or read_gmt(SHIPPED_FILE)
            self.tell_error(str(error))

    def remove_term(self, key: str) -> None:
        """Take a slider and its edit away."""
        self._set_edit(self.state.edit.present.without_term(key))

    def reset_edit(self) -> None:
        """All sliders back to 0, the niche as it is."""
        self._set_edit(self.state.edit.present.at_zero())

    def _set_edit(self, edit: Edit, gesture: str | None = None) -> None:
        self._take_edit(self.state.edit.set(edit, gesture))

    def _take_edit(self, edit: History[Edit]) -> None:
        """Show another edit; what its new genes stand on follows."""
        self.state.edit = edit
        self._find_ranges()

    def end_gesture(self, gesture: str | None = None) -> None:
        """The slider was let go: what follows is a new step of undo, and the picture is drawn in all its passes.

        A ``gesture`` that is named ends if it is the one of now: a slider may rest when another is moving already.
        """
        if gesture is not None and gesture != self.state.edit.gesture:
            return
        self.state.edit = self.state.edit.end_gesture()
        best, shown, resolved = self.state.cell, self.state.counterfactual, self.state.resolved
        if best is None or shown is None or resolved is None or shown.cell is best:
            return
        if resolved.edit == self.state.edit.present.active():  # else the newest edit is being drawn, and all follows
            self._draw(best)

    def undo(self) -> None:
        self._take_edit(self.state.edit.undo())

    def redo(self) -> None:
        self._take_edit(self.state.edit.redo())

    def set_nfe(self, nfe: int | None) -> None:
        """Decoder passes of a picture; None takes few while the edit moves and more once it rests. The cell is read
        again.
        """
        if nfe != self.state.nfe:
            self.state.nfe = nfe
            if self.state.cell is not None:
                self._invert(self.state.cell.cell_id)

    def render(self) -> None:
        """Draw the selected cell under the edit as it is now: in few passes at once, then, if it rests, in all.

        Nothing to do while no cell is inverted.
        """
        if self.state.cell is not None:
            self._draw(self._preview or self.state.cell)

    def _draw(self, cell: "SelectedCell", pause_s: float = 0.0) -> None:
        editor, resolver = self._editor, self._resolver
        if editor is None or resolver is None:
            return
        edit, programmes = self.state.edit.present, self.state.programmes
        refines = self._preview is not None and cell is not self._preview
        self.jobs.cancel("examine")

        def work(progress: Progress) -> "tuple[ResolvedEdit, Counterfactual]":
            resolved = resolver.resolve(cell.cell_idx, edit, programmes)
            return resolved, editor.render(cell, resolved.log2_fc, resolved.around, progress=progress)

        def accept(result: "tuple[ResolvedEdit, Counterfactual]") -> None:
            best = self.state.cell
            if best is None or (cell is not best and cell is not self._preview):
                return
            self.state.evidence = None
            self.state.resolved, self.state.counterfactual = result
            if cell is not best and self.state.edit.present is edit:  # no newer edit waits to be drawn
                self._draw(best, HAND_RESTS_S if self.state.edit.gesture else 0.0)

        self.jobs.submit("render", work, accept, drop_stale=refines, pause_s=pause_s)

    def job_failed(self, kind: str, error: Exception) -> None:
        """No picture of an older edit stays under the sliders of one that could not be drawn."""
        if kind == "render":
            self.state.resolved = self.state.counterfactual = self.state.evidence = None
        super().job_failed(kind, error)

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

    def _prepare_edits(self) -> None:
        """Make ready what edits of cells of this slide need, with the types and domains as they are now known."""
        bound, prediction = self._bound, self.state.prediction
        if bound is None:
            return

        def accept(resolver: "EditResolver") -> None:
            if self._bound is bound:
                self._resolver = resolver
                self.state.types, self.state.domains = resolver.types.names, resolver.domains.names
                self._forget_ranges()
                self._find_ranges()
                self.render()

        self.jobs.submit("edits", lambda progress: self._backend.resolver(bound, prediction), accept)


def strength_range(key: str) -> tuple[float, float]:
    """Lowest and highest strength of a term."""
    if key.startswith(TOWARDS):
        return 0.0, 1.0
    limit = PROGRAMME_LIMIT if key.startswith(PROGRAMME) else LOG2_FC_LIMIT
    return -limit, limit
