"""The legend of genes that are blended: one colour bar a gene, with its two ends as numbers."""

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_spatia.data.colors import Rgb
from napari_spatia.session.colour import LegendRow
from napari_spatia.widgets.legend_parts import PercentileChoice, ask_colour, ramp, swatch
from napari_spatia.widgets.parts import row, small_button

BAR_PX = 12


class GeneBar(QWidget):
    """From black to a gene's colour."""

    def __init__(self) -> None:
        super().__init__()
        self.colour: Rgb = (0, 0, 0)
        self.setFixedHeight(BAR_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_colour(self, colour: Rgb) -> None:
        self.colour = colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        lut = (np.linspace(0, 1, 256)[:, None] * np.array(self.colour)).astype(np.uint8)
        painter.drawPixmap(self.rect(), ramp(lut))
        painter.end()


class GeneRow(QWidget):
    """One gene: whether it is painted, another colour, off the blend; below, its colour bar."""

    def __init__(self, legend: "BlendLegend") -> None:
        super().__init__()
        self.gene, self._legend = "", legend
        self.shown = QCheckBox()
        self.shown.setToolTip("Paint this gene, or leave it out")
        self.shown.toggled.connect(lambda on: legend.toggled.emit(self.gene, on))
        self.shown.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.recolour = small_button("", "Another colour", self._ask_colour)
        self.remove = small_button("✕", "Take this gene off the blend", lambda: legend.removed.emit(self.gene))
        self.bar, self.low, self.high = GeneBar(), QLabel(), QLabel()
        for end, widest in ((self.low, "000"), (self.high, "0.000")):  # so that the bars of all genes are of one length
            end.setMinimumWidth(end.fontMetrics().horizontalAdvance(widest))
            end.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(2)
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.shown, 1)
        top.addWidget(self.recolour)
        top.addWidget(self.remove)
        layout.addLayout(top)
        layout.addWidget(row(self.low, self.bar, self.high))

    def show_row(self, entry: LegendRow) -> None:
        """Show one gene of the lookup."""
        self.gene = entry.name
        self.shown.blockSignals(True)
        self.shown.setText(entry.name)
        self.shown.setChecked(entry.shown)
        self.shown.blockSignals(False)
        self.shown.setAccessibleDescription(f"{entry.count:,} cells express it")
        self.recolour.setIcon(swatch(entry.colour))
        self.bar.show_colour(entry.colour)
        low, high = entry.ends or (0.0, 1.0)
        self.low.setText(f"{low:.3g}")
        self.high.setText(f"{high:.3g}")

    def _ask_colour(self) -> None:
        colour = ask_colour(self, self.gene, self.bar.colour)
        if colour is not None:
            self._legend.recoloured.emit(self.gene, colour)


class BlendLegend(QWidget):
    """One row a gene, and the percentiles at the ends of all of them."""

    toggled = Signal(str, bool)
    removed = Signal(str)
    recoloured = Signal(str, tuple)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[GeneRow] = []
        self.percentiles = PercentileChoice()
        self._genes = QVBoxLayout()
        self._genes.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addLayout(self._genes)
        layout.addWidget(self.percentiles)

    def show_rows(self, rows: tuple[LegendRow, ...], percent: tuple[float, float] | None) -> None:
        """Show the genes of a blend; ``percent`` as in `PercentileChoice.show_percent`."""
        while len(self.rows) < len(rows):
            self.rows.append(GeneRow(self))
            self._genes.addWidget(self.rows[-1])
        for number, gene_row in enumerate(self.rows):
            gene_row.setVisible(number < len(rows))
            if number < len(rows):
                gene_row.show_row(rows[number])
        self.percentiles.show_percent(percent)
