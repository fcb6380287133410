"""The legend: categories with colours, counts and check boxes, or a colour bar with two handles for numbers."""

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QHeaderView, QLabel, QSizePolicy, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget
from superqt import QLabeledDoubleRangeSlider

from napari_spatia.data.colors import Rgb
from napari_spatia.session.colour import LegendRow, Lookup, colormap_lut

SWATCH_PX = 12


def swatch(colour: Rgb) -> QIcon:
    """A small square in a category's colour."""
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(QColor(*colour))
    return QIcon(pixmap)


class CategoryLegend(QTreeWidget):
    """One row a category; the check box says whether its cells are painted."""

    toggled = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        self.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self.itemChanged.connect(self._changed)
        self._rows: tuple[LegendRow, ...] = ()

    def show_rows(self, rows: tuple[LegendRow, ...]) -> None:
        """Show these rows; nothing is rebuilt when they are the ones on screen."""
        if rows == self._rows:
            return
        same = [row.name for row in rows] == [row.name for row in self._rows]
        self._rows = rows
        self.blockSignals(True)
        if not same:
            self.clear()
            self.addTopLevelItems([QTreeWidgetItem() for _ in rows])
        for number, row in enumerate(rows):
            item = self.topLevelItem(number)
            item.setText(0, row.name)
            item.setToolTip(0, row.name)
            item.setIcon(0, swatch(row.colour))
            item.setText(1, f"{row.count:,}")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setCheckState(0, Qt.CheckState.Checked if row.shown else Qt.CheckState.Unchecked)
        self.blockSignals(False)

    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            self.toggled.emit(item.text(0), item.checkState(0) == Qt.CheckState.Checked)


class ColourBar(QWidget):
    """The colour map from left to right."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(14)
        lut = np.ascontiguousarray(colormap_lut()[None])
        image = QImage(lut.tobytes(), 256, 1, 256 * 3, QImage.Format.Format_RGB888)
        self._pixmap = QPixmap.fromImage(image)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(self.rect(), self._pixmap)
        painter.end()


class NumberLegend(QWidget):
    """Colour bar and the two ends of the colours."""

    def __init__(self, changed: Callable[[float, float], None]) -> None:
        super().__init__()
        self._changed = changed
        self.slider = QLabeledDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.slider.setEdgeLabelMode(QLabeledDoubleRangeSlider.EdgeLabelMode.NoLabel)
        self.slider.setHandleLabelPosition(QLabeledDoubleRangeSlider.LabelPosition.LabelsBelow)
        self.slider.setToolTip("Values at the two ends of the colours")
        self.slider.setMinimumHeight(48)
        self.slider.valueChanged.connect(lambda ends: self._changed(*ends))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 4, 12, 0)
        layout.addWidget(ColourBar())
        layout.addWidget(self.slider)

    def show_range(self, limits: tuple[float, float], shown_range: tuple[float, float]) -> None:
        self.slider.blockSignals(True)
        span = limits[1] - limits[0]
        self.slider.setDecimals(0 if span >= 10 else 2)
        self.slider.setRange(*limits)
        if tuple(self.slider.value()) != shown_range:
            self.slider.setValue(shown_range)
        self.slider.blockSignals(False)


class Legend(QWidget):
    """Title and the legend of whatever the cells are coloured by."""

    def __init__(self, toggled: Callable[[str, bool], None], ranged: Callable[[float, float], None]) -> None:
        super().__init__()
        self.title = QLabel()
        self.categories = CategoryLegend()
        self.categories.toggled.connect(toggled)
        self.numbers = NumberLegend(ranged)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self.categories, self.numbers):
            layout.addWidget(widget)
        layout.addStretch(0)
        self.show_lookup(None)

    def show_lookup(self, lookup: Lookup | None) -> None:
        self.setVisible(lookup is not None)
        if lookup is None:
            return
        self.title.setText(lookup.title)
        is_numbers = lookup.limits is not None and lookup.shown_range is not None
        self.categories.setVisible(not is_numbers)
        self.numbers.setVisible(is_numbers)
        self.categories.show_rows(lookup.legend)
        if lookup.limits is not None and lookup.shown_range is not None:
            self.numbers.show_range(lookup.limits, lookup.shown_range)
