"""Two pages of the Screens dock: the doses of one gene, and a grid of two."""

from collections.abc import Sequence

import numpy as np
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QVBoxLayout, QWidget

from napari_spatia.data.cell_names import cell_name
from napari_spatia.inference.edits import TOWARDS
from napari_spatia.inference.screen import GRID_DOSES, SWEEP_DOSES, Grid, Strip
from napari_spatia.session.screening import PARTS_OF_WAY
from napari_spatia.session.state import LOG2_FC_LIMIT
from napari_spatia.widgets.drawn_pictures import PictureFlow
from napari_spatia.widgets.gene_sliders import term_text
from napari_spatia.widgets.measure_table import number_text, signed
from napari_spatia.widgets.parts import Busy, Dock, button, hint, row
from napari_spatia.widgets.plots import Curve, CurvePlot
from napari_spatia.widgets.screens_parts import (
    Numbers,
    TermChoice,
    axis_title,
    captioned,
    chosen_feature,
    dose_text,
    edit_text,
    limits_of,
    zero_edit,
)

HOW_STRIP = "Draws the selected cell at seven doses of one gene; the rest of its edit stays."
HOW_GRID = "Draws the selected cell at each pair of doses of two genes; the rest of its edit stays."
HOW_CURVE = (
    "Dotted: nothing edited. Shaded: doses at which cells of this slide express the gene. A dot's colour is its reach, "
    "green to red: from what was seen to far beyond it."
)
GRID_SIZES = (3, 5)


class DoseRange(QDoubleSpinBox):
    """How far the doses go up and down, in log2 fold change."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.setRange(0.5, LOG2_FC_LIMIT)
        self.setSingleStep(0.5)
        self.setDecimals(1)
        self.setPrefix("± ")
        self.setValue(value)
        self.setToolTip("How far the doses go up and down, in log2 fold change")
        self.setAccessibleName("Range of the doses")

    def doses(self, key: str, num: int) -> tuple[float, ...]:
        """``num`` doses of a term; parts of the way where it goes towards a type."""
        if key.startswith(TOWARDS):
            return PARTS_OF_WAY
        return tuple(float(dose) for dose in np.linspace(-self.value(), self.value(), num))

    def show_doses(self, key: str, doses: Sequence[float]) -> None:
        """Show how far the doses of a screen go that was started elsewhere."""
        if not key.startswith(TOWARDS):
            self.setValue(max(map(abs, doses)))


class StripPage(QWidget):
    """Pictures in a row and the curve of the chosen feature."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self._followed: Strip | None = None
        self.term = TermChoice("Gene of the strip")
        self.range = DoseRange(SWEEP_DOSES[-1])
        self.draw = button("Draw strip", HOW_STRIP, self._draw)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.pictures = PictureFlow("Counterfactuals at doses of the gene")
        self.curve, self.how = CurvePlot(), hint(HOW_STRIP)
        self.curve.setToolTip(HOW_CURVE)
        self.numbers = Numbers("The chosen feature at each dose")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        controls = row(self.term, self.range, self.draw)
        for widget in (controls, Busy(dock, "sweep"), self.how, self.title, self.pictures, self.curve, self.numbers):
            layout.addWidget(widget)
        dock.watch(self._show, "strip", "feature", "limits")

    def _draw(self) -> None:
        key = self.term.key()
        self._dock.attempt(self._dock.session.sweep, key, self.range.doses(key, len(SWEEP_DOSES)))

    def _show(self) -> None:
        strip = self._dock.state.strip
        self.how.setText(HOW_STRIP if strip is None else HOW_CURVE)
        for widget in (self.title, self.pictures, self.curve, self.numbers):
            widget.setVisible(strip is not None)
        if strip is not None:
            self._follow(strip)
            self._show_strip(strip)

    def _follow(self, strip: Strip) -> None:
        """The controls say what is drawn, wherever that was asked for."""
        if strip is not self._followed:
            self._followed = strip
            self.term.show_key(strip.key)
            self.range.show_doses(strip.key, strip.doses)

    def _show_strip(self, strip: Strip) -> None:
        feature = chosen_feature(strip.features, self._dock.state.feature)
        limits, name = limits_of(self._dock.state, strip.cell), term_text(strip.key)[0]
        others = strip.edit.without_term(strip.key).active()
        rest = f" · also {edit_text(others)}" if others.terms or others.niche else ""
        self.title.setText(f"<b>{name}</b> in {cell_name(strip.cell.cell_id)}{rest}")
        self.pictures.show_pictures(
            [
                zero_edit(strip.cell, limits),
                *(
                    captioned(each, strip.cell, limits, dose_text(dose), feature)
                    for dose, each in zip(strip.doses, strip.drawn, strict=True)
                ),
            ]
        )
        values = tuple(each.features[feature.key] for each in strip.drawn)
        reach = tuple(each.reach_percentile for each in strip.drawn)
        before = strip.before.features[feature.key]
        self.curve.show_curve(Curve(strip.doses, values, reach, before, strip.seen, name, axis_title(feature)))
        lines = [
            (dose_text(dose), number_text(value), signed(value - before), "" if far is None else f"{far:.0f}")
            for dose, value, far in zip(strip.doses, values, reach, strict=True)
        ]
        self.numbers.table.show_rows((f"{name}, dose", feature.label, "Change", "Reach"), lines)


class GridPage(QWidget):
    """Pictures of two genes' doses, one down and one across."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self._followed: Grid | None = None
        self.terms = TermChoice("Gene down"), TermChoice("Gene across")
        self.range = DoseRange(GRID_DOSES[-1])
        self.size = QComboBox()
        self.size.setToolTip("Doses of each gene")
        self.size.setAccessibleName("Size of the grid")
        for size in GRID_SIZES:
            self.size.addItem(f"{size} × {size}", size)
        self.draw = button("Draw grid", HOW_GRID, self._draw)
        self.how, self.title = hint(HOW_GRID), QLabel()
        self.title.setWordWrap(True)
        self.pictures = PictureFlow("Counterfactuals at doses of two genes")
        self.numbers = Numbers("The chosen feature at each pair of doses")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        rows = (row(*self.terms), row(self.range, self.size, self.draw))
        for widget in (*rows, Busy(dock, "grid"), self.how, self.title, self.pictures, self.numbers):
            layout.addWidget(widget)
        dock.watch(self._show, "grid", "feature", "limits")

    def _draw(self) -> None:
        size, (down, across) = int(self.size.currentData()), (term.key() for term in self.terms)
        doses = tuple(self.range.doses(key, size) for key in (down, across))
        self._dock.attempt(self._dock.session.grid, down, across, *doses)

    def _show(self) -> None:
        grid = self._dock.state.grid
        self.how.setVisible(grid is None)
        for widget in (self.title, self.pictures, self.numbers):
            widget.setVisible(grid is not None)
        if grid is not None:
            self._follow(grid)
            self._show_grid(grid)

    def _follow(self, grid: Grid) -> None:
        """The controls say what is drawn, wherever that was asked for."""
        if grid is self._followed:
            return
        self._followed = grid
        for term, key, doses in zip(self.terms, (grid.key_a, grid.key_b), (grid.doses_a, grid.doses_b), strict=True):
            term.show_key(key)
            self.range.show_doses(key, doses)
        size = self.size.findData(len(grid.doses_a))
        self.size.setCurrentIndex(size if size >= 0 else self.size.currentIndex())

    def _show_grid(self, grid: Grid) -> None:
        feature = chosen_feature(grid.features, self._dock.state.feature)
        limits = limits_of(self._dock.state, grid.cell)
        down, across = (term_text(key)[0] for key in (grid.key_a, grid.key_b))
        before = f"{number_text(grid.before.features[feature.key])} with nothing edited"
        self.title.setText(
            f"<b>{down}</b> down, <b>{across}</b> across in {cell_name(grid.cell.cell_id)}. "
            f"Below each picture: doses, and {axis_title(feature)}, {before}."
        )
        shown = [
            captioned(
                each,
                grid.cell,
                limits,
                f"{dose_text(a)}, {dose_text(b)}: {number_text(each.features[feature.key])}",
                feature,
            )
            for a, line in zip(grid.doses_a, grid.drawn, strict=True)
            for b, each in zip(grid.doses_b, line, strict=True)
        ]
        self.pictures.show_pictures(shown, columns=len(grid.doses_b))
        self.numbers.table.show_rows(
            (f"{down} ↓ {across} →", *(dose_text(dose) for dose in grid.doses_b)),
            [
                (dose_text(dose), *(number_text(each.features[feature.key]) for each in line))
                for dose, line in zip(grid.doses_a, grid.drawn, strict=True)
            ],
        )
