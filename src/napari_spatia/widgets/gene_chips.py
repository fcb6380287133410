"""A line of gene names to click on: those of the cells in view, or a person's favourites."""

from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget
from superqt import QFlowLayout

from napari_spatia.widgets.legend_parts import STAR

CHIP_STYLE = "QPushButton { padding: 1px 6px; border-radius: 7px; }"


class GeneChips(QWidget):
    """Genes after a ``title``; takes no room while there are none.

    ``chosen`` tells a gene that was clicked, ``starred`` one whose star is to be set or taken off.
    """

    chosen = Signal(str)
    starred = Signal(str)

    def __init__(self, title: str, tooltip: str) -> None:
        super().__init__()
        self.chips: dict[str, QPushButton] = {}
        self._favourites: tuple[str, ...] = ()
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(3)
        label = QLabel(title)
        label.setToolTip(tooltip)
        self._flow.addWidget(label)
        self.setVisible(False)

    def show_genes(self, genes: tuple[str, ...], favourites: tuple[str, ...] = ()) -> None:
        """Replace the chips where they differ; those of ``favourites`` have a star."""
        if (genes, favourites) == (tuple(self.chips), self._favourites):
            return
        for chip in self.chips.values():
            chip.hide()  # at once: it is deleted when the event loop comes to it
            self._flow.removeWidget(chip)
            chip.deleteLater()
        self._favourites = favourites
        self.chips = {gene: self._chip(gene) for gene in genes}
        for chip in self.chips.values():
            self._flow.addWidget(chip)
        self.setVisible(bool(genes))
        self.updateGeometry()

    def _chip(self, gene: str) -> QPushButton:
        is_favourite = gene in self._favourites
        made = QPushButton(f"{STAR} {gene}" if is_favourite else gene, self)
        made.setStyleSheet(CHIP_STYLE)
        made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        made.setToolTip(f"Colour the cells by {gene}. Right click: favourite or not")
        made.setAccessibleName(f"{gene}, favourite" if is_favourite else gene)
        made.clicked.connect(lambda _checked=False: self.chosen.emit(gene))
        star = QAction("Remove from favourites" if is_favourite else "Add to favourites", made)
        star.triggered.connect(partial(self.starred.emit, gene))
        made.addAction(star)
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return made
