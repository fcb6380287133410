"""A page of the Screens dock: all genes of the panel, on one cell or on many, ranked by their effect."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QTableWidgetItem, QVBoxLayout, QWidget

from napari_spatia.data.cell_names import cell_name
from napari_spatia.inference.screen import SCREEN_LOG2_FC, RankedGene, Screen
from napari_spatia.session.state import LOG2_FC_LIMIT
from napari_spatia.widgets.measure_table import CopyTable, number_text, signed
from napari_spatia.widgets.parts import Busy, Dock, button, hint, row
from napari_spatia.widgets.plots import EffectPlot, Effects
from napari_spatia.widgets.screens_parts import axis_title, chosen_feature, dose_text

if TYPE_CHECKING:
    from napari_spatia.data.morphology import Feature

HOW = (
    "Edits each gene of the panel, alone, and ranks the genes by what they change. What is drawn is kept beside the "
    "slide: a screen that was stopped goes on where it was."
)
STOPPED = "Stopped. What was drawn is kept: the next screen goes on where this one was."
READ = (
    "Grey band: what noise alone makes of the feature. A click on a gene puts it on a slider of the Cell dock. Effects "
    "are of counterfactuals: what the model draws, not what was measured."
)
TABLE_PX = 220
MOST_ROWS = 500
THIS_CELL, CHOSEN_CELLS = "this", "chosen"


class ScreenPage(QWidget):
    """What to screen, the effects as a plot and as a ranked table."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self.cells = QComboBox()
        self.cells.setAccessibleName("Cells to screen")
        self.cells.setToolTip("The selected cell, or all cells that are chosen by lasso, box or map")
        self.dose = QDoubleSpinBox()
        self.dose.setRange(-LOG2_FC_LIMIT, LOG2_FC_LIMIT)
        self.dose.setSingleStep(0.5)
        self.dose.setDecimals(1)
        self.dose.setValue(SCREEN_LOG2_FC)
        self.dose.setPrefix("log2 ")
        self.dose.setToolTip("Log2 fold change of each gene")
        self.dose.setAccessibleName("Log2 fold change of each gene")
        self.start = button("Screen", HOW, self._start)
        self.how, self.title = hint(HOW), QLabel()
        self.title.setWordWrap(True)
        self.plot = EffectPlot()
        self.plot.picked.connect(self._take)
        self.table = CopyTable("Genes, the largest effect first")
        self.table.cellClicked.connect(lambda line, _column: self._take(self._genes[line]))
        self.table.cellActivated.connect(lambda line, _column: self._take(self._genes[line]))
        self.copy = button("Copy table", "Copy the ranked genes, with tabs between columns", self.table.copy)
        self._genes: tuple[str, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        controls = row(self.cells, self.dose, self.start)
        for widget in (controls, Busy(dock, "screen"), self.how, self.title, self.plot, self.table, self.copy):
            layout.addWidget(widget)
        dock.watch(self._show_cells, "selected", "chosen", "checkpoint")
        dock.watch(self._show, "screen", "feature")
        dock.watch(self._show_how, "screen", "jobs")

    def _start(self) -> None:
        session, chosen = self._dock.session, self._dock.state.chosen
        cells = None
        if self.cells.currentData() == CHOSEN_CELLS and chosen is not None:
            cells = tuple(str(cell) for cell in session.slide.cell_id[chosen])
        self._dock.attempt(session.screen, cells, None, None, self.dose.value())

    def _take(self, gene: str) -> None:
        self.plot.mark(gene)
        self._dock.attempt(self._dock.session.edit_as_screened, gene)

    def _show_cells(self) -> None:
        state, wanted = self._dock.state, self.cells.currentData()
        genes = 0 if state.checkpoint is None else len(state.checkpoint.panel)
        self.cells.clear()
        if state.selected is not None:
            self.cells.addItem("The selected cell", THIS_CELL)
        if state.chosen is not None:
            self.cells.addItem(f"{len(state.chosen):,} chosen cells", CHOSEN_CELLS)
        self.cells.setCurrentIndex(max(0, self.cells.findData(wanted)))
        self.start.setEnabled(self.cells.count() > 0 and state.checkpoint is not None)
        self.start.setText(f"Screen {genes} genes" if genes else "Screen")

    def _show_how(self) -> None:
        status = self._dock.state.jobs.get("screen")
        stopped = status is not None and status.cancelled and not status.running
        self.how.setText(STOPPED if stopped else READ if self._dock.state.screen is not None else HOW)

    def _show(self) -> None:
        screen = self._dock.state.screen
        for widget in (self.title, self.plot, self.table, self.copy):
            widget.setVisible(screen is not None)
        if screen is not None:
            self._show_screen(screen)

    def _show_screen(self, screen: Screen) -> None:
        feature = chosen_feature(screen.features, self._dock.state.feature)
        ranked, plan = screen.ranked(feature.key), screen.plan
        self.title.setText(title_text(screen, feature, ranked))
        names, values = tuple(gene.gene for gene in ranked), tuple(gene.effect for gene in ranked)
        self.plot.show_effects(Effects(names, values, ranked[0].null_sd, f"Change of {axis_title(feature)}"))
        self._genes = names[:MOST_ROWS]
        several = len(plan.cells) > 1
        header = ("Gene", "Change", *(("± cells",) if several else ()), "/ noise", "Reach")
        self.table.show_rows(header, [_texts(gene, several) for gene in ranked[:MOST_ROWS]])
        self.table.setFixedHeight(min(self.table.height(), TABLE_PX))
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        for line, gene in enumerate(ranked[:MOST_ROWS]):
            if gene.is_beyond_noise and gene.null_sd > 0:
                _embolden(self.table.item(line, 0))


def title_text(screen: Screen, feature: "Feature", ranked: Sequence[RankedGene]) -> str:
    """What was screened, and how many genes do more than noise."""
    plan, first = screen.plan, ranked[0]
    cells = cell_name(plan.cells[0]) if len(plan.cells) == 1 else f"{len(plan.cells):,} cells"
    done = f"{len(ranked)} genes at {dose_text(plan.log2_fc)} in {cells}"
    before = f"{number_text(first.before)}{f' {feature.unit}' if feature.unit else ''} with nothing edited"
    if first.null_sd == 0:
        return f"<b>{feature.label}</b>, {before}: {done}. It does not depend on noise."
    beyond = sum(gene.is_beyond_noise for gene in ranked)
    verb = "changes" if beyond == 1 else "change"
    return (
        f"<b>{feature.label}</b>, {before}: {done}. <b>{beyond}</b> {verb} it by more than noise alone does "
        f"(± {number_text(first.null_sd)})."
    )


def _texts(gene: RankedGene, several: bool) -> tuple[str, ...]:
    times = f"{abs(gene.effect) / gene.null_sd:.1f}" if gene.null_sd > 0 and math.isfinite(gene.effect) else "–"
    spread = (f"{number_text(gene.effect_sd)}",) if several else ()
    reach = "–" if math.isnan(gene.reach_percentile) else f"{gene.reach_percentile:.0f}"
    return gene.gene, signed(gene.effect), *spread, times, reach


def _embolden(item: QTableWidgetItem) -> None:
    font = item.font()
    font.setBold(True)
    item.setFont(font)
