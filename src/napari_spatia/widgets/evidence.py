"""Under the pictures of an edit, once it rests: what it changed, how much of that is noise, how far it reaches, and the
real cells nearest to it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QKeyEvent, QMouseEvent, QShowEvent
from qtpy.QtWidgets import QFileDialog, QGraphicsOpacityEffect, QLabel, QVBoxLayout, QWidget

from napari_spatia.data import picture as pictures
from napari_spatia.data.cell_names import cell_name
from napari_spatia.data.picture import Limits
from napari_spatia.session.opened import read_card
from napari_spatia.widgets.gauges import ReachGauge, TypeBars, most_changed, reach_text
from napari_spatia.widgets.measure_table import MeasureTable
from napari_spatia.widgets.parts import Busy, Dock, FixedLines, button, column, headed, heading, hint, named, row
from napari_spatia.widgets.pictures import PictureView

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence, RealCell

REST_MS = 400
"""An edit that has not changed for so long is examined."""
THUMBNAIL_PX = 84
NUM_THUMBNAILS = 4
SUMMARY_LINES = 2
PALE = 0.65
"""Opacity of what is of the edit before."""
TITLE, OLD_TITLE = "What the edit changed", "What the edit before changed"
OLD = "<b>Of the edit before.</b> The new one is measured once it rests."
SAYS = (
    "This is the model's picture of this one cell if it expressed what the sliders say, learned from real cells like "
    "those below. It was not measured, and it does not tell what the cell would become."
)


class Thumbnail(QWidget):
    """A real cell, its type and how far away it is; a click or Return shows it on the slide."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.cell_id = ""
        self.view = PictureView("")
        self.view.setFixedSize(THUMBNAIL_PX, THUMBNAIL_PX)
        for widget in (self, self.view):
            named(widget, "No real cell")
        self.caption = QLabel()
        self.caption.setFixedWidth(THUMBNAIL_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.view)
        layout.addWidget(self.caption)

    def show_cell(self, cell: "RealCell", cell_type: str, limits: Limits | None) -> None:
        self.cell_id = cell.cell_id
        self.view.show_picture(pictures.composite(cell.image, cell.channels, limits))
        metrics = self.caption.fontMetrics()
        self.caption.setText(metrics.elidedText(cell_type or cell.cell_id, Qt.TextElideMode.ElideRight, THUMBNAIL_PX))
        said = f"Real {cell_name(cell.cell_id)}{f', {cell_type}' if cell_type else ''}"
        away = f"{said}, {cell.distance:.2f} away in the space of the gene encoder. Click to see it on the slide"
        for widget in (self, self.view):
            named(widget, said, away)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit(self.cell_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.chosen.emit(self.cell_id)
        else:
            super().keyPressEvent(event)


class EvidenceView(QWidget):
    """Table of features, types, reach and nearest real cells of the edit that rests, and what all that is.

    While a new edit is measured, that of the edit before stays, pale and named so: what is below a scrolled dock's fold
    does not jump away.
    """

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self.reach, self.reach_words = ReachGauge(), QLabel()
        self.types, self.table, self.summary = TypeBars(), MeasureTable(), FixedLines(SUMMARY_LINES)
        self.copy = button("Copy", "Copy the table, with tabs between its columns", self.table.copy)
        self.save = button("Save CSV…", "Save the table with all numbers", self._save)
        self.compared = QLabel()
        self.thumbnails = [Thumbnail() for _ in range(NUM_THUMBNAILS)]
        for view in self.thumbnails:
            view.chosen.connect(lambda cell_id: dock.attempt(dock.session.look_at_cell, cell_id))
        self.shown = column(
            hint(SAYS), row(self.reach_words, self.reach), self.types, self.summary, self.table,
            row(self.copy, self.save), self.compared, row(*self.thumbnails),
        )  # fmt: skip
        self.title = heading(TITLE)
        self._pale = QGraphicsOpacityEffect(self.shown)
        self._pale.setOpacity(PALE)
        self.shown.setGraphicsEffect(self._pale)
        self.shown.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(headed(self.title, Busy(dock, "examine")))
        layout.addWidget(self.shown)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._examine)
        dock.watch(self._wait, "counterfactual")
        dock.watch(self._show, "counterfactual", "evidence")

    def showEvent(self, event: QShowEvent | None) -> None:
        """An edit that was made while nobody looked is examined now."""
        super().showEvent(event)
        self._wait()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Nothing is measured for a dock that nobody sees."""
        super().hideEvent(event)
        self._rest.stop()

    def _wait(self) -> None:
        state = self._dock.state
        if state.counterfactual is not None and state.evidence is None and self.isVisible():
            self._rest.start()
        else:
            self._rest.stop()

    def _examine(self) -> None:
        self._dock.attempt(self._dock.session.examine)

    def _show(self) -> None:
        state = self._dock.state
        evidence, edited, info = state.evidence, state.counterfactual, state.checkpoint
        if evidence is None or edited is None or info is None:
            self._stand(shown=edited is not None and not self.shown.isHidden(), is_old=True)
            return
        self._stand(shown=True, is_old=False)
        self.reach_words.setText(reach_text(evidence.reach_percentile))
        self.reach.show_reach(evidence.reach_percentile)
        self.types.show_types(most_changed(info.cell_types, evidence.type_before, edited.type_probability))
        self.summary.setText(summary_text(evidence))
        self.table.show_changes(evidence.measured)
        self._show_nearest(evidence)

    def _stand(self, shown: bool, is_old: bool) -> None:
        """What was measured of the edit before stays in its place, pale, until the new one is measured."""
        self.title.setVisible(shown)
        self.title.setText(OLD_TITLE if is_old else TITLE)
        self.shown.setVisible(shown)
        self.shown.setEnabled(not is_old)
        self._pale.setEnabled(is_old)
        if is_old:
            self.summary.setText(OLD)

    def _show_nearest(self, evidence: "Evidence") -> None:
        state = self._dock.state
        self.compared.setText(f"Nearest of {evidence.num_compared:,} real cells")
        for number, view in enumerate(self.thumbnails):
            view.setVisible(number < len(evidence.nearest))
            if number < len(evidence.nearest):
                cell = evidence.nearest[number]
                card = read_card(self._dock.session.opened, cell.cell_id, state.prediction, state.annotations)
                view.show_cell(cell, card.cell_type or card.known_type or "", state.limits)

    def _save(self) -> None:
        cell = self._dock.state.cell
        suggested = f"cell-{cell.cell_id}-counterfactual.csv" if cell is not None else ""
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", suggested, "CSV (*.csv)")
        if path:
            self._dock.attempt(self._dock.session.keep_features, Path(path))


def summary_text(evidence: "Evidence") -> str:
    """How many features change, as far as the seeds agree; without an edit, what the spread is."""
    seeds = max((change.spread.num_seeds for change in evidence.measured), default=0)
    known = [change for change in evidence.measured if change.spread.num_seeds > 1]
    if not known:
        return "Nothing could be measured on the pictures."
    if not any(change.spread.change for change in known):
        return f"Nothing is edited. The spread is what {seeds} noise seeds alone make of each feature."
    changed = [change for change in known if change.is_changed]
    return f"<b>{len(changed)} of {len(known)} features change</b>, and {seeds} noise seeds agree on it."
