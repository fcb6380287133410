"""Sliders of an edit: genes and programmes from −4 to +4 log2 fold change, cell types from 0 to 1."""

from functools import partial

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCompleter,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit
from napari_spatia.session.editing import strength_range
from napari_spatia.widgets.parts import small_button

STEPS_PER_UNIT = 50
NAME_PX = 90


class ZeroSlider(QSlider):
    """A horizontal slider that a double click puts to 0, and a click on its groove moves there."""

    reset = Signal()

    def __init__(self, low: float, high: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(round(low * STEPS_PER_UNIT), round(high * STEPS_PER_UNIT))
        self.setPageStep(round((high - low) * STEPS_PER_UNIT / 16))
        self.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.setTickInterval(round((high - low) * STEPS_PER_UNIT / 2))
        self.setMinimumWidth(110)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()
        event.accept()


class GeneRow(QWidget):
    """Name, slider, number and a cross of one gene, programme or cell type, by the key of its term."""

    moved = Signal(str, float)
    released = Signal()
    removed = Signal(str)

    def __init__(self, gene: str) -> None:
        super().__init__()
        self.gene = gene
        low, high = strength_range(gene)
        shown, meaning = term_text(gene)
        name = QElidingLabel(shown)
        name.setFixedWidth(NAME_PX)
        name.setToolTip(meaning)
        self.slider = ZeroSlider(low, high)
        self.slider.setToolTip(f"{meaning}; double click for 0")
        self.slider.valueChanged.connect(lambda step: self.moved.emit(gene, step / STEPS_PER_UNIT))
        self.slider.sliderReleased.connect(self.released)
        self.slider.reset.connect(self._to_zero)
        self.number = QDoubleSpinBox()
        self.number.setRange(low, high)
        self.number.setDecimals(2)
        self.number.setSingleStep((high - low) / 32)
        self.number.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.number.setFixedWidth(54)
        self.number.setKeyboardTracking(False)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.valueChanged.connect(self._typed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(name)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        layout.addWidget(small_button("✕", f"Remove {shown}", partial(self.removed.emit, gene)))

    def show_value(self, value: float) -> None:
        """Show a value without telling that it moved."""
        for widget, shown in ((self.slider, round(value * STEPS_PER_UNIT)), (self.number, value)):
            if widget.value() != shown:
                widget.blockSignals(True)
                widget.setValue(shown)
                widget.blockSignals(False)

    def _typed(self, value: float) -> None:
        self.moved.emit(self.gene, float(value))
        self.released.emit()

    def _to_zero(self) -> None:
        self.moved.emit(self.gene, 0.0)
        self.released.emit()


def term_text(key: str) -> tuple[str, str]:
    """What a slider is called, and what it means."""
    if key.startswith(PROGRAMME):
        name = key.removeprefix(PROGRAMME)
        return name, f"Programme {name}: log2 fold change of each of its genes"
    if key.startswith(TOWARDS):
        name = key.removeprefix(TOWARDS)
        return f"→ {name}", f"Towards {name}: part of the way from the mean of the cell's type"
    return key, f"{key}: log2 fold change"


class GeneSearch(QLineEdit):
    """Type a part of a gene's name, choose, and it gets a slider."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Add a gene…")
        self.setClearButtonEnabled(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setEnabled(False)
        self._shown: tuple[str, ...] = ()
        self._genes = QStringListModel(self)
        completer = QCompleter(self._genes, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.activated.connect(self._choose)
        self.setCompleter(completer)
        self.returnPressed.connect(lambda: self._choose(self.text()))

    def show_genes(self, genes: tuple[str, ...]) -> None:
        if genes != self._shown:
            self._shown = genes
            self._genes.setStringList(sorted(genes))
            self.setEnabled(bool(genes))

    def _choose(self, text: str) -> None:
        typed = text.strip()
        if not typed:
            return
        known = {gene.lower(): gene for gene in self._genes.stringList()}
        self.clear()
        self.chosen.emit(known.get(typed.lower(), typed))


class GeneSliders(QWidget):
    """The rows, in the order of the edit."""

    moved = Signal(str, float)
    released = Signal()
    removed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, GeneRow] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)

    def show_edit(self, edit: Edit) -> None:
        """Add, remove and move what differs from the rows on screen."""
        genes = [gene for gene, _ in edit.terms]
        for gene in [gene for gene in self.rows if gene not in genes]:
            gone = self.rows.pop(gene)
            self._layout.removeWidget(gone)
            gone.deleteLater()
        for place, (gene, value) in enumerate(edit.terms):
            if gene not in self.rows:
                self.rows[gene] = self._make(gene)
            if self._layout.indexOf(self.rows[gene]) != place:
                self._layout.insertWidget(place, self.rows[gene])
            self.rows[gene].show_value(value)

    def _make(self, gene: str) -> GeneRow:
        made = GeneRow(gene)
        made.moved.connect(self.moved)
        made.released.connect(self.released)
        made.removed.connect(self.removed)
        return made
