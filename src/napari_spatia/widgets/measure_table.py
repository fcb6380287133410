"""The table of what an edit changed on the picture: zero edit, counterfactual, and the change over noise seeds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableWidget, QTableWidgetItem

from napari_spatia.widgets.parts import named

if TYPE_CHECKING:
    from napari_spatia.data.morphology import Feature
    from napari_spatia.inference.evidence import MeasuredChange

ROW_PX = 21
MEASURED_ROWS = 60
"""Rows whose texts say how wide a column is."""
MORE, LESS = "▲", "▼"
HEADER_SAYS = (
    "What is measured on the picture",
    "On the zero edit: the cell redrawn with nothing edited",
    "On the counterfactual: the cell under the edit",
    "After − before. Bold, with an arrow, where the seeds agree and it is more than a fifth of what noise alone does",
    "The same change on pictures of other noise: its mean ± its standard deviation over the seeds",
)
SPREAD_SAYS = "What other noise alone makes of it: the standard deviation over the seeds"
NUMBERS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CopyTable(QTableWidget):
    """A table to read: as tall as its rows, sorted by no one, and Ctrl+C copies its rows with tabs between."""

    def __init__(self, name: str) -> None:
        super().__init__()
        named(self, name, f"{name}. Ctrl+C copies the marked rows")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names differ at both ends
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        rows = self.verticalHeader()
        rows.setVisible(False)
        rows.setMinimumSectionSize(ROW_PX)
        rows.setDefaultSectionSize(ROW_PX)
        self.horizontalHeader().setResizeContentsPrecision(MEASURED_ROWS)

    def show_rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Replace everything; the first column takes the room that the numbers leave."""
        columns = self.horizontalHeader()
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # else all rows are measured at each item
        self.setColumnCount(len(header))
        self.setHorizontalHeaderLabels(list(header))
        self.setRowCount(len(rows))
        for number, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column:
                    item.setTextAlignment(NUMBERS)
                self.setItem(number, column, item)
        self.fit_columns()
        columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setFixedHeight(columns.sizeHint().height() + ROW_PX * len(rows) + 2 * self.frameWidth())

    def fit_columns(self) -> None:
        """Each column of numbers is as wide as its widest."""
        for column in range(1, self.columnCount()):
            self.resizeColumnToContents(column)

    def copy(self, rows: Sequence[int] | None = None) -> None:
        """Put rows (all of them), with the header, on the clipboard."""
        lines = [[self.horizontalHeaderItem(column) for column in range(self.columnCount())]]
        for number in range(self.rowCount()) if rows is None else rows:
            lines.append([self.item(number, column) for column in range(self.columnCount())])
        text = "\n".join("\t".join("" if item is None else item.text() for item in line) for line in lines)
        QGuiApplication.clipboard().setText(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the rows that are marked."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy(sorted({index.row() for index in self.selectedIndexes()}))
        else:
            super().keyPressEvent(event)


class MeasureTable(CopyTable):
    """One row a feature. A row whose change counts (`MeasuredChange.is_changed`) is bold and has an arrow."""

    def __init__(self) -> None:
        super().__init__("Features of the cell before and after the edit")

    def show_changes(self, changes: Sequence["MeasuredChange"]) -> None:
        is_edited = any(change.spread.change for change in changes if change.spread.num_seeds > 1)
        header = ("Feature", "Before", "After", *(("Change", "Over seeds") if is_edited else ("Spread",)))
        self.show_rows(header, [_texts(change, is_edited) for change in changes])
        for number, said in enumerate(HEADER_SAYS if is_edited else (*HEADER_SAYS[:3], SPREAD_SAYS)):
            self.horizontalHeaderItem(number).setToolTip(said)
        for number, change in enumerate(changes):
            self._mark(number, change)
        self.fit_columns()  # bold numbers are wider

    def _mark(self, number: int, change: "MeasuredChange") -> None:
        said = tooltip(change)
        for column in range(self.columnCount()):
            item = self.item(number, column)
            item.setToolTip(said)
            if change.is_changed:
                font = item.font()
                font.setBold(True)
                item.setFont(font)


def _texts(change: "MeasuredChange", is_edited: bool) -> tuple[str, ...]:
    spread = change.spread
    before_after = feature_text(change.feature), number_text(change.before), number_text(change.after)
    known = spread.num_seeds > 1
    if not is_edited:
        return *before_after, f"± {number_text(spread.unedited_sd)}" if known else "–"
    arrow = (MORE if change.change > 0 else LESS) + " " if change.is_changed else ""
    over_seeds = f"{signed(spread.change)} ± {number_text(spread.change_sd)}" if known else "–"
    return *before_after, f"{arrow}{signed(change.change)}", over_seeds


def tooltip(change: "MeasuredChange") -> str:
    """What a row means, in words."""
    spread, feature = change.spread, change.feature
    lines = [f"{feature.meaning}{f' ({feature.unit})' if feature.unit else ''}."]
    if spread.num_seeds > 1:
        lines += [
            f"Over {spread.num_seeds} noise seeds the edit changes it by {signed(spread.change)} "
            f"± {number_text(spread.change_sd)} (mean ± standard deviation, same noise before and after).",
            f"Noise alone, without an edit: ± {number_text(spread.unedited_sd)}.",
        ]
    else:
        lines.append("It could not be measured on enough pictures.")
    return "\n".join(lines)


def feature_text(feature: "Feature") -> str:
    """A feature's name with its unit where that is one of length."""
    return f"{feature.label} ({feature.unit})" if feature.unit.startswith("µ") else feature.label


def number_text(value: float) -> str:
    """About three digits that count; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size == 0 else 3
    return f"{value:,.{decimals}f}".replace("-", "−")


def signed(value: float) -> str:
    """With its sign, also where it is +."""
    text = number_text(value)
    return text if text.startswith("−") or not math.isfinite(value) else f"+{text}"
