"""The legend: categories with colours, counts and check boxes, or a histogram, a colour bar and its two ends."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_spatia.session.colour import COLORMAP, COLORMAPS, LegendRow, Lookup, colormap_lut
from napari_spatia.session.values import ANNOTATION, is_blend, is_whole
from napari_spatia.viewer import keys
from napari_spatia.widgets.blend_legend import BlendLegend
from napari_spatia.widgets.legend_parts import SWATCH_PX, PercentileChoice, ask_colour, ramp, swatch
from napari_spatia.widgets.parts import TICK_BOXES, Dock, is_pressed, named, row
from napari_spatia.widgets.range_slider import SIDE_PX, RangeSlider

SEARCH_FROM_ROWS = 12
"""With fewer categories than this there is no search line above them."""
HISTOGRAM_PX = 36
COLORMAP_PX = 28
KEYS_HINT = (
    "Space: paint or leave out · S: this category alone · A: all · Enter or double click: another colour\n"
    "F2: another name, of a class of the annotation"
)


class CategoryLegend(QTreeWidget):
    """One row a category; the check box says whether its cells are painted."""

    toggled = Signal(str, bool)
    soloed = Signal(str)
    all_shown = Signal()
    recoloured = Signal(str, tuple)
    renamed = Signal(str, str)
    saved = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setStyleSheet(TICK_BOXES)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        self.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        self.setEditTriggers(QTreeWidget.EditTrigger.NoEditTriggers)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self.setToolTip(KEYS_HINT)
        self.setAccessibleName("Categories")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self.itemChanged.connect(self._changed)
        self.itemDoubleClicked.connect(lambda item, _column: self.ask_colour(item.text(0)))
        self._rows: tuple[LegendRow, ...] = ()
        self.renamable = False
        """Whether the categories are classes that a person named."""

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
        for number, entry in enumerate(rows):
            item = self.topLevelItem(number)
            item.setText(0, entry.name)
            item.setToolTip(0, entry.name)
            item.setIcon(0, swatch(entry.colour))
            item.setText(1, f"{entry.count:,}")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setCheckState(0, Qt.CheckState.Checked if entry.shown else Qt.CheckState.Unchecked)
        self.blockSignals(False)

    def filter(self, text: str) -> None:
        """List the categories whose name holds ``text``; what is painted does not change."""
        for number, entry in enumerate(self._rows):
            self.topLevelItem(number).setHidden(text.casefold() not in entry.name.casefold())

    def ask_colour(self, name: str) -> None:
        """Let the person choose another colour of a category."""
        now = next(entry.colour for entry in self._rows if entry.name == name)
        colour = ask_colour(self, name, now)
        if colour is not None:
            self.recoloured.emit(name, colour)

    def ask_name(self, name: str) -> None:
        """Let the person type another name of a class."""
        new, typed = QInputDialog.getText(self, "Rename class", f"New name of {name}", text=name)
        if typed:
            self.renamed.emit(name, new)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if is_pressed(keys.SHOW_ALL, event):
            self.all_shown.emit()
        elif is_pressed(keys.SOLO, event) and item is not None:
            self.soloed.emit(item.text(0))
        elif is_pressed(keys.RECOLOUR, event) and item is not None:
            self.ask_colour(item.text(0))
        elif is_pressed(keys.RENAME, event) and item is not None and self.renamable:
            self.ask_name(item.text(0))
        else:
            super().keyPressEvent(event)

    def _open_menu(self, at: QPoint) -> None:
        self.menu(self.itemAt(at)).exec(self.viewport().mapToGlobal(at))

    def menu(self, item: QTreeWidgetItem | None) -> QMenu:
        """What can be done with the category of a row, and with all."""
        menu = QMenu(self)
        if item is not None:
            name = item.text(0)
            menu.addAction(f"Only {name}", lambda: self.soloed.emit(name))
            menu.addAction("Another colour…", lambda: self.ask_colour(name))
            if self.renamable:
                menu.addAction("Rename…", lambda: self.ask_name(name))
        menu.addAction("Show all", self.all_shown.emit)
        menu.addSeparator()
        menu.addAction("Save colours into slide", self.saved.emit)
        return menu

    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            self.toggled.emit(item.text(0), item.checkState(0) == Qt.CheckState.Checked)


class ColourBar(QWidget):
    """How many cells have which value, over the colours of the values from left to right."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HISTOGRAM_PX + 14)
        self._counts: NDArray[np.float64] = np.zeros(0)
        self._ends = (0.0, 1.0)
        self._pixmap = QPixmap()
        self.show_values(None, (0.0, 1.0), COLORMAP)

    def show_values(self, histogram: NDArray[np.int64] | None, ends: tuple[float, float], colormap: str) -> None:
        """``histogram`` (n,) of the values; ``ends`` of the colours in [0, 1] of its width."""
        counts = np.zeros(0) if histogram is None else np.sqrt(histogram)  # few cells must be seen beside many
        self._counts, self._ends = counts / max(counts.max(initial=0), 1), ends
        self._pixmap = ramp(colormap_lut(colormap))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        start, width = float(self.contentsRect().left()), float(self.contentsRect().width())
        left, inside = self._ends[0] * width, max(1.0, (self._ends[1] - self._ends[0]) * width)
        bar = QRectF(start, HISTOGRAM_PX, width, self.height() - HISTOGRAM_PX)
        first, last = (self._pixmap.copy(x, 0, 1, 1) for x in (0, 255))
        below, between = (
            QRectF(x, bar.top(), across, bar.height()) for x, across in ((start, left), (start + left, inside))
        )
        for place, pixmap in ((bar, last), (below, first), (between, self._pixmap)):
            painter.drawPixmap(place, pixmap, QRectF(pixmap.rect()))
        colour = self.palette().text().color()
        colour.setAlpha(150)
        step = width / max(len(self._counts), 1)
        for number, height in enumerate(self._counts * HISTOGRAM_PX):
            painter.fillRect(QRectF(start + number * step, HISTOGRAM_PX - height, max(step - 1, 1), height), colour)
        painter.end()


class NumberLegend(QWidget):
    """Histogram, colour bar, the two ends of the colours, and the colour map."""

    colormap_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.bar = ColourBar()
        self.slider = RangeSlider("Values at the two ends of the colours")
        self.percentiles = PercentileChoice()
        self.colormap = QComboBox()
        named(self.colormap, "Colour map", "Colour map; cividis looks alike to colour-blind eyes")
        self.colormap.setIconSize(QSize(COLORMAP_PX, SWATCH_PX))
        for name in COLORMAPS:
            self.colormap.addItem(QIcon(ramp(colormap_lut(name)).scaled(COLORMAP_PX, SWATCH_PX)), name)
        self.colormap.textActivated.connect(self.colormap_chosen.emit)
        self.colormap.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        choices = row(self.percentiles, self.colormap)
        for widget in (self.bar, self.slider, choices):
            layout.addWidget(widget)
        self.slider.inset()
        for inset in (self.bar, choices):
            inset.setContentsMargins(SIDE_PX, 0, SIDE_PX, 0)

    def show_numbers(self, lookup: Lookup, percent: tuple[float, float] | None) -> None:
        """``percent`` are the percentiles at the ends of the colours, None where a person chose values."""
        limits, shown = lookup.limits or (0.0, 1.0), lookup.shown_range or (0.0, 1.0)
        span = limits[1] - limits[0]
        ends = (min(max((shown[0] - limits[0]) / span, 0), 1), min(max((shown[1] - limits[0]) / span, 0), 1))
        self.bar.show_values(lookup.histogram, ends, lookup.colormap)
        self.slider.show_range(limits, shown, is_whole(lookup.key))
        self.percentiles.show_percent(percent)
        self.colormap.setCurrentText(lookup.colormap)


class Legend(QWidget):
    """Title and the legend of whatever the cells are coloured by; what is asked for goes to the dock's session."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a category…")
        named(self.search, "Find a category", "Show the categories whose name holds these letters")
        self.search.setClearButtonEnabled(True)
        self.categories, self.numbers, self.blend = CategoryLegend(), NumberLegend(), BlendLegend()
        self.search.textChanged.connect(self.categories.filter)
        session = dock.session
        for signal, verb in (
            (self.categories.toggled, session.show_category),
            (self.categories.soloed, session.solo_category),
            (self.categories.all_shown, session.show_all_categories),
            (self.categories.recoloured, session.recolour_category),
            (self.categories.renamed, session.rename_category),
            (self.categories.saved, session.save_colours),
            (self.numbers.slider.moved, session.show_range),
            (self.numbers.percentiles.picked, session.show_percentiles),
            (self.numbers.colormap_chosen, session.set_colormap),
            (self.blend.toggled, session.show_category),
            (self.blend.removed, session.remove_from_blend),
            (self.blend.recoloured, session.recolour_category),
            (self.blend.percentiles.picked, session.show_percentiles),
        ):
            signal.connect(partial(dock.attempt, verb))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self.search, self.categories, self.numbers, self.blend):
            layout.addWidget(widget)
        layout.setStretchFactor(self.categories, 1)  # all room is theirs, so that few of them are scrolled out of sight
        layout.addStretch(0)
        self.show_lookup(None, None)

    def show_lookup(self, lookup: Lookup | None, percent: tuple[float, float] | None) -> None:
        """``percent`` as in `NumberLegend.show_numbers`."""
        self.setVisible(lookup is not None)
        if lookup is None:
            return
        self.title.setText(lookup.title)
        is_numbers, is_blended = lookup.limits is not None, is_blend(lookup.key)
        self.categories.setVisible(not is_numbers and not is_blended)
        self.numbers.setVisible(is_numbers)
        self.blend.setVisible(is_blended)
        self.categories.renamable = lookup.key == ANNOTATION
        self.categories.show_rows(() if is_blended else lookup.legend)
        self.blend.show_rows(lookup.legend if is_blended else (), percent)
        searchable = len(lookup.legend) >= SEARCH_FROM_ROWS
        self.search.setVisible(searchable)
        self.categories.filter(self.search.text() if searchable else "")
        if is_numbers:
            self.numbers.show_numbers(lookup, percent)
