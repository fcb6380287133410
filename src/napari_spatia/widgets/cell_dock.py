"""The Cell dock: what is known of the clicked cell, and how it would look with other gene expression."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QDockWidget, QLabel, QPushButton, QSizePolicy, QWidget

from napari_spatia.inference.edits import Edit
from napari_spatia.session.opened import TOP_GENES
from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.session.session import Session
from napari_spatia.session.state import CellCard
from napari_spatia.viewer import keys
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.widgets.canvas import canvas_beside
from napari_spatia.widgets.cell_search import CellSearch
from napari_spatia.widgets.edit_menus import NicheButton, PresetButton, TermButton
from napari_spatia.widgets.evidence import EvidenceView
from napari_spatia.widgets.gene_sliders import GeneSearch, GeneSliders
from napari_spatia.widgets.keep_dialog import KeepRow
from napari_spatia.widgets.marking import MarkStrip
from napari_spatia.widgets.moves_most import MovesMost
from napari_spatia.widgets.overdue import Overdue
from napari_spatia.widgets.parts import (
    Busy,
    Dock,
    FixedLines,
    button,
    column,
    headed,
    heading,
    hint,
    passes_text,
    quiet_line,
    row,
)
from napari_spatia.widgets.patch_bar import PatchBar
from napari_spatia.widgets.pictures import CellPictures, PictureGrid
from napari_spatia.widgets.walk import Walk

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import Counterfactual
    from napari_spatia.inference.resolve import ResolvedEdit

FAR_PERCENTILE = 95.0
TALL_PX = 760
"""A dock at least this high has room for large pictures."""
CARD_LINES = 4
"""Of a card with a prediction and two lines of genes."""
SHOWN_CHANGES = 5
ALL_STAINS = "All stains"
OWN_NFE = "auto"
NFE_CHOICES = ("1", "2", "4", "8")
NO_SLIDE = "Open a slide first; then click a cell."
NO_CELL = "Click a cell on the slide to see it here."
NO_MODEL = "Load a model in the Explorer to edit this cell's genes."


class CellDock(Dock):
    """Card, pictures and gene sliders of the selected cell."""

    def __init__(self, session: Session, rest: Rest = at_once) -> None:
        super().__init__(session, rest)
        self.find = CellSearch(session)
        self.find.chosen.connect(self._go_to)
        self.bind_key(keys.FIND_CELL, self._to_search)
        self.card = FixedLines(CARD_LINES)
        self.hint = hint(NO_CELL)
        self.pictures = PictureGrid()
        self.measured, self.reach = quiet_line(), quiet_line()
        self.words = column(self.measured, self.reach, spacing=0)
        self.walk = Walk(self)
        self._build_looks()
        at_hand = (row(self.find, self.walk.list, self.walk.buttons), self.hint, self.card, self.looks)
        for widget in (*at_hand, self.pictures, self.words):
            self.body.addWidget(widget)
        self._build_sliders()
        self.evidence = EvidenceView(self)
        self.body.addWidget(self.evidence)
        self.body.addStretch(1)
        self._asked: Edit | None = None
        self.watch(self._render, "edit")
        self.watch(self._show_card, "slide", "selected", "card", "checkpoint", "bound")
        self.watch(
            self._show_pictures, "crop", "cell", "counterfactual", "evidence", "limits", "stain_colours", "stain"
        )
        Overdue(self, (self.pictures.edited, self.pictures.difference))
        self.watch_late(self._show_words, "counterfactual", "evidence")  # the picture is not to wait for them
        self.watch(self._show_edit, "edit", "checkpoint", "selected")
        self.watch(self._show_ranges, "ranges")
        self.watch(self._show_stains, "slide", "checkpoint", "stain")
        self.watch(self._show_nfe, "nfe", "cell")

    def _build_looks(self) -> None:
        """How the pictures are shown and drawn: their stains, and the passes of the decoder."""
        self.stain = QComboBox()
        self.stain.setToolTip("All stains together in their colours on the slide, or one of them")
        self.stain.setAccessibleName("Stain that the pictures show")
        self.stain.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.stain.activated.connect(self._ask_stain)
        self.passes = QLabel("Passes")
        self.nfe = QComboBox()
        self.nfe.addItems([OWN_NFE, *NFE_CHOICES])
        self.nfe.setToolTip(
            "Passes of the decoder per picture (NFE): fewer is faster, more is finer. "
            "auto: few while a slider moves, more once it rests"
        )
        self.nfe.setAccessibleName("Passes of the decoder per picture")
        self.nfe.activated.connect(self._ask_nfe)
        self.looks = row(self.stain, self.passes, self.nfe)

    def _build_sliders(self) -> None:
        self.search = GeneSearch()
        self.search.chosen.connect(self._add_term)
        self.more = TermButton(self.session)
        self.more.chosen.connect(self._add_term)
        self.moves = QPushButton("Moves most")
        self.moves.setToolTip("List the genes that move this cell's picture most")
        self.moves.setCheckable(True)
        self.moves_most = MovesMost(self)
        self.moves.toggled.connect(self._show_moves_most)
        self.coexpressed = QCheckBox("With co-expressed genes")
        self.coexpressed.setToolTip("Let the other genes follow the edited ones as they do on this slide")
        self.coexpressed.toggled.connect(self.session.set_coexpressed)
        self.niche = NicheButton(self.session)
        self.niche.chosen.connect(lambda niche: self.attempt(self.session.set_niche, niche))
        self.niche.picked.connect(lambda: self.attempt(self.session.use_tool, NEIGHBOURS))
        self.changed = hint("")
        self.changed.setTextFormat(Qt.TextFormat.PlainText)  # laid out at each move of a slider; rich text is slower
        self.sliders = GeneSliders()
        self.sliders.moved.connect(self._move)
        self.sliders.released.connect(self.session.end_gesture)
        self.sliders.removed.connect(self.session.remove_term)
        self.edit_rows = [
            headed(heading("Edit expression and niche"), Busy(self, "select")),
            row(self.search, self.more, self.moves),
            row(self.coexpressed, self.niche),  # above the sliders: seen on a low screen, however many there are
            self.sliders,
            self._history_row(),
            self.changed,
            PatchBar(self),
            KeepRow(self),
        ]
        for widget in self.edit_rows:
            self.body.addWidget(widget)
        self.body.insertWidget(self.body.indexOf(self.sliders), self.moves_most)
        self.body.insertWidget(self.body.indexOf(self.changed) - 1, MarkStrip(self))
        self.moves_most.hide()

    def _history_row(self) -> QWidget:
        self.undo = button("Undo", "Take the last edit back", self.session.undo)
        self.redo = button("Redo", "Do it again", self.session.redo)
        self.reset = button("Reset all", "All sliders back to 0, the niche as it is", self.session.reset_edit)
        self.presets = PresetButton(self.session)
        self.presets.saved.connect(lambda path: self.attempt(self.session.save_edit, path))
        self.presets.loaded.connect(lambda path: self.attempt(self.session.load_edit, path))
        return row(self.undo, self.redo, self.reset, self.presets)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Sliders and pictures are seen together: on a low screen the pictures are smaller, and in one row."""
        super().resizeEvent(event)
        self.pictures.set_tall(self.height() >= TALL_PX)

    # -- state → dock ---------------------------------------------------------------------------------------------

    def _show_card(self) -> None:
        state = self.state
        self.find.setEnabled(state.slide is not None)
        self.card.setVisible(state.card is not None)
        self.pictures.setVisible(state.card is not None)
        self.looks.setVisible(state.card is not None)
        words = NO_SLIDE if state.slide is None else NO_CELL if state.card is None else NO_MODEL
        self.hint.setText(words)
        self.hint.setVisible(state.card is None or state.checkpoint is None)
        if state.card is not None:
            self.card.setText(card_html(state.card))
            self.card.setToolTip(self.card.text())  # also what a long name leaves no room for

    def _show_pictures(self) -> None:
        state = self.state
        channels = () if state.slide is None else state.slide.channels
        self.pictures.show_cell(
            CellPictures(
                state.crop, state.cell, state.counterfactual, state.limits, channels, state.stain_colours, state.stain
            )
        )

    def _show_words(self) -> None:
        """What is said of the pictures."""
        state, info = self.state, self.state.checkpoint
        self.changed.setText("" if state.resolved is None else changed_text(state.resolved))
        measured = far = ""
        if state.counterfactual is not None and info is not None:
            reach = state.counterfactual.reach_percentile
            if reach is None and state.evidence is not None:
                reach = state.evidence.reach_percentile
            measured = measured_text(state.counterfactual, info.cell_types, state.device)
            far = reach_line(reach, state.resolved is not None and state.resolved.edit != Edit())
        for words, text in ((self.measured, measured), (self.reach, far)):
            words.setText(text)
            words.setToolTip(text)

    def _show_edit(self) -> None:
        state = self.state
        editable = state.checkpoint is not None and state.card is not None
        for widget in (*self.edit_rows, self.words, self.passes, self.nfe):
            widget.setVisible(editable)
        self.moves_most.setVisible(editable and self.moves.isChecked())
        self.search.show_genes(state.checkpoint.panel.genes if state.checkpoint is not None else ())
        self.sliders.show_edit(state.edit.present, state.ranges)
        self.coexpressed.setChecked(state.edit.present.coexpressed)
        self.niche.show_niche(state.edit.present.niche)
        self.undo.setEnabled(state.edit.can_undo)
        self.redo.setEnabled(state.edit.can_redo)
        self.reset.setEnabled(state.edit.present != state.edit.present.at_zero())

    def _show_ranges(self) -> None:
        self.sliders.show_edit(self.state.edit.present, self.state.ranges)

    def _show_stains(self) -> None:
        self.stain.clear()
        self.stain.addItems([ALL_STAINS, *self.session.stains()])
        self.stain.setCurrentText(self.state.stain or ALL_STAINS)

    def _show_moves_most(self, shown: bool) -> None:
        self.moves_most.setVisible(shown)
        if shown:
            self.moves_most.begin()
        else:
            self.session.jobs.cancel("sensitivity")

    def _show_nfe(self) -> None:
        wanted = OWN_NFE if self.state.nfe is None else str(self.state.nfe)
        self.nfe.setCurrentText(wanted)

    def _to_search(self) -> None:
        """Bring the search line forward, also when another tab is in front of this dock."""
        around = self.parentWidget()
        if isinstance(around, QDockWidget):
            around.raise_()
        self.find.setFocus()
        self.find.selectAll()

    # -- dock → session -------------------------------------------------------------------------------------------

    def _go_to(self, cell_id: str) -> None:
        """The keys are the slide's again once the cell is there."""
        before = self.state.goal
        self.attempt(self.session.go_to_cell, cell_id)
        canvas = canvas_beside(self)
        if self.state.goal is not before and canvas is not None:
            canvas.setFocus()

    def _add_term(self, key: str) -> None:
        """A slider at 0; one that is there already stays as it is."""
        if key not in dict(self.state.edit.present.terms):
            self.attempt(self.session.set_strength, key, 0.0)

    def _ask_stain(self, place: int) -> None:
        self.attempt(self.session.show_stain, self.stain.itemText(place) if place else None)

    def _move(self, gene: str, value: float) -> None:
        self.attempt(self.session.set_strength, gene, value, gene)

    def _render(self) -> None:
        """Ask for the picture of the edit at once, before anything is painted: it is drawn while Qt paints the slider.

        While a picture is drawn, only the newest request waits.
        """
        asked, self._asked = self._asked, self.state.edit.present.active()
        if self._asked != asked and self.state.cell is not None:
            self.session.render()

    def _ask_nfe(self) -> None:
        text = self.nfe.currentText()
        self.session.set_nfe(None if text == OWN_NFE else int(text))


def card_html(card: CellCard, extra: tuple[str, ...] = (), num_genes: int = TOP_GENES) -> str:
    """The card as rich text, with ``extra`` lines before its counts and its ``num_genes`` most expressed genes."""
    known = (("in the table", card.known_type), ("my annotation", card.annotation))
    said = [f"{where}: {cell_type}" for where, cell_type in known if cell_type is not None]
    lines = [" · ".join([f"<b>{card.cell_id}</b>", *said])]
    if card.cell_type is not None:
        sure = "" if card.confidence is None else f" ({card.confidence:.0%} sure)"
        where = "" if card.domain is None else f" · niche domain {card.domain}"
        lines.append(f"Predicted: <b>{card.cell_type}</b>{sure}{where}")
    genes = ", ".join(f"{gene} {count}" for gene, count in card.top_genes[:num_genes]) or "no counts"
    lines.extend(extra)
    lines.append(f"{card.total_counts:,} counts over {card.num_genes} genes: {genes}")
    return "<br>".join(lines)


def measured_text(picture: "Counterfactual", types: tuple[str, ...], device: str) -> str:
    """The quiet line under the pictures: the type under the edit, how well the cell is redrawn, and what it cost."""
    likely = int(picture.type_probability.argmax())
    now = f"As {types[likely]} ({picture.type_probability[likely]:.0%})" if types else "Edited"
    cost = f"{passes_text(picture.nfe)} · {picture.ms:.0f} ms · {device}"
    return f"{now} · zero edit {picture.cell.zero_edit_psnr_db:.0f} dB · {cost}"


def reach_line(reach: float | None, is_edited: bool) -> str:
    """The line below it: how far the edit reaches, or, with nothing edited, how rare the cell itself is."""
    if reach is None:
        return "reach: measured when the edit rests"
    far = "beyond what the model has seen" if is_edited else "a rare cell as it is"
    return f"reach: {ordinal(round(reach))} percentile" + (f" - {far}" if reach > FAR_PERCENTILE else "")


def changed_text(resolved: "ResolvedEdit") -> str:
    """What an edit did: the genes that it changed most, those that ended at 0, and what else is to be known."""
    if not resolved.changed:
        return " ".join(resolved.notes)
    most = sorted(resolved.changed.items(), key=lambda item: -abs(item[1]))[:SHOWN_CHANGES]
    shown = ", ".join(f"{gene} {value:+.2f}" for gene, value in most)
    more = ", …" if len(resolved.changed) > len(most) else ""
    number = "1 gene" if len(resolved.changed) == 1 else f"{len(resolved.changed)} genes"
    stopped = f" · {len(resolved.stopped)} stopped at 0" if resolved.stopped else ""
    return "\n".join([f"{number} changed: {shown}{more}{stopped}", *resolved.notes])


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th…"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
