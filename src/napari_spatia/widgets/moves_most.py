"""Which genes move this cell's picture most: a list, from which sliders are added."""

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QCheckBox, QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_spatia.inference.sensitivity import ENOUGH_SHARE
from napari_spatia.widgets.parts import Busy, Dock, button, hint, named, passes_text, row

if TYPE_CHECKING:
    from napari_spatia.inference.sensitivity import Sensitivity

SHOWN_GENES = 40
LIST_PX = 120
UNIT = (
    "Change of the picture within the cell and 2 µm around it: root mean square over the stains, in standard "
    "deviations of each stain's intensity on the slide"
)
COLUMNS = (
    ("Gene", "Double click or Enter adds its slider"),
    ("Twice as much", f"Expression one log2 step up. {UNIT}"),
    ("Knock-out", f"All of it taken away; empty for a gene that this cell does not express. {UNIT}"),
    ("In cells", "How many cells of the slide express it: what few do, the model has hardly seen"),
)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class MovesMost(QWidget):
    """Ranks the genes when it is asked to, and lists those that move the selected cell's picture most."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self._shown: Sensitivity | None = None
        self.rank = button(
            "Rank the genes of this cell",
            "Draw the cell with each gene doubled, and each expressed gene knocked out, and list what changes most",
            self.begin,
        )
        self.genes = QTreeWidget()
        named(self.genes, "Genes that move this cell's picture most", "Enter or a double click: a slider for this gene")
        self.genes.setHeaderLabels([title for title, _ in COLUMNS])
        self.genes.setRootIsDecorated(False)
        self.genes.setUniformRowHeights(True)
        self.genes.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.genes.setFixedHeight(LIST_PX)
        self.genes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        head = self.genes.header()
        if head is not None:
            head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            head.setStretchLastSection(False)
            head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, (_, tooltip) in enumerate(COLUMNS):
            self.genes.headerItem().setToolTip(column, tooltip)
            if column:
                self.genes.headerItem().setTextAlignment(column, RIGHT)
        self.genes.itemActivated.connect(lambda item, _column: self._add([item]))
        self.add = button(
            "Add sliders", "Add a slider for each gene that is marked in the list", lambda: self._add(self._marked())
        )
        self.genes.itemSelectionChanged.connect(lambda: self.add.setEnabled(bool(self._marked())))
        self.told = hint("")
        self.all = QCheckBox("Rare genes too")
        self.all.setToolTip("List also the genes that hardly any cell of this slide expresses")
        self.all.toggled.connect(self._list)
        for kept in (self.genes, self.told):  # what is below stays in its place while another cell is ranked
            policy = kept.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            kept.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.genes, self.told, row(self.rank, Busy(dock, "sensitivity"), self.all, self.add)):
            layout.addWidget(widget)
        dock.watch(self._show, "sensitivity", "cell")

    def begin(self) -> None:
        """Rank the genes of this cell, unless that is done or under way."""
        state = self._dock.state
        running = "sensitivity" in state.jobs and state.jobs["sensitivity"].running
        if state.sensitivity is None and state.cell is not None and not running:
            self._dock.attempt(self._dock.session.rank_genes)

    def _show(self) -> None:
        state, ranking = self._dock.state, self._dock.state.sensitivity
        for widget in (self.genes, self.add, self.told, self.all):
            widget.setVisible(ranking is not None)
        self.rank.setVisible(ranking is None)
        self.rank.setEnabled(state.cell is not None)
        if ranking is not self._shown:
            self._shown = ranking
            self._list()

    def _list(self) -> None:
        if self._shown is not None:
            self._fill(self._shown)

    def _fill(self, ranking: "Sensitivity") -> None:
        self.genes.clear()
        ranked = np.arange(len(ranking.genes)) if self.all.isChecked() else np.flatnonzero(ranking.is_common)
        for idx in ranked[:SHOWN_GENES]:
            gene = ranking.genes[idx]
            moved, gone = float(ranking.raised[idx]), float(ranking.knocked_out[idx])
            shown = [f"{moved:.3f}", "" if np.isnan(gone) else f"{gone:.3f}", f"{ranking.num_cells[idx]:,}"]
            item = QTreeWidgetItem([gene, *shown])
            for column in range(1, len(COLUMNS)):
                item.setTextAlignment(column, RIGHT)
            self.genes.addTopLevelItem(item)
        self.add.setEnabled(False)
        which = "genes" if self.all.isChecked() else f"genes that {ENOUGH_SHARE:.0%} of the cells or more express"
        shown_of = f"The first {min(SHOWN_GENES, len(ranked))} of {len(ranked)} {which}"
        self.told.setText(f"{shown_of}, each edited alone, in {passes_text(ranking.nfe)}.")

    def _marked(self) -> list[QTreeWidgetItem]:
        return list(self.genes.selectedItems())

    def _add(self, items: list[QTreeWidgetItem]) -> None:
        for item in items:
            if item.text(0) not in dict(self._dock.state.edit.present.terms):
                self._dock.attempt(self._dock.session.set_strength, item.text(0), 0.0)
