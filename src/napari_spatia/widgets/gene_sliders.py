"""Sliders of an edit: genes from their knock-out up, programmes from −4 to +4 log2 fold change, cell types 0 to 1."""

from collections.abc import Mapping
from functools import partial

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit
from napari_spatia.session.editing import strength_range
from napari_spatia.session.gene_range import SEEN_PERCENT, GeneRange, Span
from napari_spatia.widgets.completing import NameCompleter
from napari_spatia.widgets.log2_slider import Log2Slider
from napari_spatia.widgets.parts import small_button

NAME_PX, COUNTS_PX, NUMBER_PX, ROW_PX = 84, 76, 60, 20
SHOWN_LIMIT = 4.0
"""Ends of a gene's slider until its range is known."""
HOW = "Double click or 0 for no change, arrow and page keys, Home and End for the ends, the wheel once it has the focus"


class Number(QDoubleSpinBox):
    """A strength to be typed; the wheel moves it only once it has the focus."""

    def __init__(self, low: float, high: float, step: float) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setDecimals(2)
        self.setSingleStep(step)
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setStyleSheet("min-width: 0px;")
        self.setFixedWidth(NUMBER_PX)
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class GeneRow(QWidget):
    """Name, slider, counts, number and a cross of one gene, programme or cell type, by the key of its term."""

    moved = Signal(str, float)
    released = Signal(str)
    removed = Signal(str)

    def __init__(self, gene: str) -> None:
        super().__init__()
        self.gene = gene
        low, high = strength_range(gene)
        shown, self._meaning = term_text(gene)
        self._range: GeneRange | None = None
        self._is_gene = not gene.startswith((PROGRAMME, TOWARDS))
        self.name = QElidingLabel(shown)
        self.name.setFixedWidth(NAME_PX)
        self.name.setToolTip(self._meaning)
        self.slider = Log2Slider(max(low, -SHOWN_LIMIT), min(high, SHOWN_LIMIT))
        self.slider.setToolTip(f"{self._meaning}. {HOW}")
        self.slider.setAccessibleName(self._meaning)
        self.slider.moved.connect(partial(self.moved.emit, gene))
        self.slider.rested.connect(partial(self.released.emit, gene))
        self.counts = QLabel()
        self.counts.setFixedSize(COUNTS_PX, ROW_PX)  # of one size: a text that changes lays nothing out anew
        self.counts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.number = Number(low, high, 0.05 if gene.startswith(TOWARDS) else 0.25)
        self.number.setToolTip(f"{self._meaning}: type a number")
        self.number.setAccessibleName(f"{self._meaning}, as a number")
        self.number.valueChanged.connect(self._typed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.name)
        layout.addWidget(self.slider, 1)
        if self._is_gene:
            layout.addWidget(self.counts)
        layout.addWidget(self.number)
        layout.addWidget(small_button("✕", f"Remove {shown}", partial(self.removed.emit, gene)))

    def show_value(self, value: float) -> None:
        """Show a value without telling that it moved."""
        self.slider.show_strength(value)
        if self.number.value() != value:
            self.number.blockSignals(True)
            self.number.setValue(value)
            self.number.blockSignals(False)
        if self._range is not None:
            self.counts.setText(counts_text(self._range, value))

    def show_range(self, known: GeneRange | None, value: float) -> None:
        """Show what a gene stands on, once that is known: limits, bands, counts."""
        if not self._is_gene or known == self._range:
            return
        self._range = known
        if known is None:
            self.slider.show_limits(-SHOWN_LIMIT, SHOWN_LIMIT)
            self.slider.show_bands(None, None)
            self.counts.clear()
            return
        self.slider.show_limits(*known.log2_fc_limits)
        self.slider.show_bands(_as_change(known.seen, known), _as_change(known.of_type, known))
        told = range_text(known)
        self.slider.setToolTip(f"{self._meaning}. {HOW}.\n{told}")
        self.counts.setToolTip(f"Counts of {self.gene} in this cell: measured → under the edit.\n{told}")
        self.show_value(value)

    def _typed(self, value: float) -> None:
        self.released.emit(self.gene)
        self.moved.emit(self.gene, float(value))
        self.released.emit(self.gene)


def _as_change(span: Span | None, known: GeneRange) -> Span | None:
    """Values as the strengths that lead to them."""
    return None if span is None else (span[0] - known.measured, span[1] - known.measured)


def counts_text(known: GeneRange, log2_fc: float) -> str:
    """Counts before and under an edit: ``8 → 17``."""
    return f"{counts_of(known.measured)} → {counts_of(known.edited(log2_fc))}"


def counts_of(value: float) -> str:
    """log2(1 + counts) as counts; one decimal where they are few and not whole."""
    counts = 2.0**value - 1.0
    near = round(counts)
    return f"{near:,}" if counts >= 10 or abs(counts - near) < 0.05 else f"{counts:.1f}"


def range_text(known: GeneRange) -> str:
    """What is seen of a gene, and how far its slider goes, in words."""
    if not known.is_measured:
        return "The slide has not measured this gene: the model reads it as not expressed."
    goes = f"The slider goes from knock-out to {counts_of(known.top)} counts, twice the most that is seen."
    if known.seen is None:
        return f"No cell of the slide expresses it. {goes}"
    low, high = SEEN_PERCENT
    said = [
        f"Grey: {counts_of(known.seen[0])} to {counts_of(known.seen[1])} counts, percentiles {low:g} to {high:g} of "
        f"the {known.num_seen:,} cells that express it."
    ]
    if known.of_type is not None:
        low, high = known.of_type
        said.append(f"Blue: {counts_of(low)} to {counts_of(high)}, the same of the cells of this cell's type.")
    return "\n".join([*said, goes])


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
        self.setAccessibleName("Add a gene")
        self.setToolTip("Type a part of a gene's name, choose it, and press Enter")
        self.setClearButtonEnabled(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setEnabled(False)
        self._shown: tuple[str, ...] = ()
        self._genes = QStringListModel(self)
        completer = NameCompleter(self._genes, self)
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
    released = Signal(str)
    removed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, GeneRow] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)

    def show_edit(self, edit: Edit, ranges: Mapping[str, GeneRange]) -> None:
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
            self.rows[gene].show_range(ranges.get(gene), value)

    def _make(self, gene: str) -> GeneRow:
        made = GeneRow(gene)
        made.moved.connect(self.moved)
        made.released.connect(self.released)
        made.removed.connect(self.removed)
        return made
