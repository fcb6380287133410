"""The genes of a comparison as a table that is sorted by any of its columns."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView

from napari_spatia.data.differential import GeneTest
from napari_spatia.widgets.legend_parts import STAR
from napari_spatia.widgets.parts import named

GENE, AUC = 0, 1
COLUMNS = (
    ("Gene", "The gene; click a row to colour the cells by it"),
    ("AUC", "How often a cell of A expresses more of the gene than one of B: 1 always, 0 never, 0.5 no difference"),
    ("log2 FC", "log2 fold change from B to A of the mean counts, of cells scaled to 100 counts"),
    ("p adj.", "Wilcoxon rank-sum test, adjusted for the number of genes (Benjamini-Hochberg)"),
    ("In A", "Share of the cells of A that express the gene"),
    ("In B", "Share of the cells of B that express the gene"),
)
SMALLEST_P = 1e-300
NO_PARENT = QModelIndex()


class GeneTestModel(QAbstractTableModel):
    """The rows of a `GeneTest` in the order of one of its columns."""

    def __init__(self) -> None:
        super().__init__()
        self._test: GeneTest | None = None
        self._order: NDArray[np.intp] = np.zeros(0, np.intp)
        self._favourites: frozenset[str] = frozenset()

    def show_favourites(self, genes: Iterable[str]) -> None:
        """Put a star before the names of these genes."""
        self._favourites = frozenset(genes)
        if self.rowCount():
            self.dataChanged.emit(self.index(0, GENE), self.index(self.rowCount() - 1, GENE))

    def show_test(self, test: GeneTest | None) -> None:
        """Replace all rows; they are sorted by `sort`."""
        self.beginResetModel()
        self._test = test
        self._order = np.arange(0 if test is None else len(test.genes))
        self.endResetModel()

    def gene(self, row: int) -> str:
        """The gene of a row on screen."""
        assert self._test is not None, "there are rows"
        return self._test.genes[self._order[row]]

    def row_of(self, gene: str) -> int | None:
        """The row of a gene on screen."""
        if self._test is None or gene not in self._test.genes:
            return None
        return int(np.flatnonzero(self._order == self._test.genes.index(gene))[0])

    def rowCount(self, parent: QModelIndex = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        if orientation == Qt.Orientation.Horizontal:
            name, meaning = COLUMNS[section]
            return {Qt.ItemDataRole.DisplayRole: name, Qt.ItemDataRole.ToolTipRole: meaning}.get(role)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(int(self._order[index.row()]), index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() != GENE:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; within equal values the rows stay as the test has them, by AUC."""
        if self._test is None:
            return
        values = self._column(column)
        falling = order == Qt.SortOrder.DescendingOrder
        self.beginResetModel()
        if column == GENE:
            places = sorted(range(len(values)), key=lambda idx: str(values[idx]).lower(), reverse=falling)
            self._order = np.array(places, np.intp)
        else:
            self._order = np.argsort(-np.asarray(values) if falling else np.asarray(values), kind="stable")
        self.endResetModel()

    def _column(self, column: int) -> NDArray[np.float64] | tuple[str, ...]:
        test = self._test
        assert test is not None, "there are rows"
        return (test.genes, test.auc, test.log2_fc, test.p_adjusted, test.share_a, test.share_b)[column]

    def _text(self, place: int, column: int) -> str:
        value = self._column(column)[place]
        if column == GENE:
            return f"{STAR} {value}" if value in self._favourites else str(value)
        name, number = COLUMNS[column][0], float(value)
        if name == "p adj.":
            return "< 1e-300" if number < SMALLEST_P else f"{number:.2g}"
        return f"{number:.0%}" if name.startswith("In") else f"{number:{'.3f' if column == AUC else '+.2f'}}"


class GeneTable(QTableView):
    """``picked`` tells the gene of the row that a person goes to, by the mouse or the arrow keys."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.genes = GeneTestModel()
        self.setModel(self.genes)
        named(self, "Genes of the comparison", "Go to a row to colour the slide by its gene; a heading sorts")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(GENE, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setSortIndicator(AUC, Qt.SortOrder.DescendingOrder)
        header.sortIndicatorChanged.connect(self._sort)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(160)
        self.selectionModel().currentRowChanged.connect(self._went)

    def show_test(self, test: GeneTest | None) -> None:
        """Show the genes of a comparison in the order that was chosen last."""
        self.genes.show_test(test)
        header = self.horizontalHeader()
        self.genes.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def current_gene(self) -> str | None:
        """The gene of the current row."""
        index = self.currentIndex()
        return self.genes.gene(index.row()) if index.isValid() else None

    def show_gene(self, gene: str | None) -> None:
        """Make a gene's row the current one without telling; none for a gene that is not there."""
        row = None if gene is None else self.genes.row_of(gene)
        if gene == self.current_gene() or (row is None and not self.currentIndex().isValid()):
            return
        self.blockSignals(True)
        self.selectionModel().blockSignals(True)
        if row is None:
            self.setCurrentIndex(QModelIndex())
            self.clearSelection()
        else:
            self.selectRow(row)
        self.selectionModel().blockSignals(False)
        self.blockSignals(False)
        self.viewport().update()

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        gene = self.current_gene()
        self.genes.sort(column, order)
        self.show_gene(gene)
        self.scrollToTop()

    def _went(self, current: QModelIndex, before: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(self.genes.gene(current.row()))
