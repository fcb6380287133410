"""A line of gene names to click on: the genes that tell the cells in view from all others."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget
from superqt import QFlowLayout

CHIP_STYLE = "QPushButton { padding: 1px 6px; border-radius: 7px; }"


class GeneChips(QWidget):
    """Takes no room while there are no genes."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.chips: dict[str, QPushButton] = {}
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(3)
        title = QLabel("In this view:")
        title.setToolTip("Genes that the cells on screen express more than all others, the most telling first")
        self._flow.addWidget(title)
        self.setVisible(False)

    def show_genes(self, genes: tuple[str, ...]) -> None:
        """Replace the chips where they differ."""
        if genes == tuple(self.chips):
            return
        for chip in self.chips.values():
            self._flow.removeWidget(chip)
            chip.deleteLater()
        self.chips = {gene: self._chip(gene) for gene in genes}
        for chip in self.chips.values():
            self._flow.addWidget(chip)
        self.setVisible(bool(genes))
        self.updateGeometry()

    def _chip(self, gene: str) -> QPushButton:
        made = QPushButton(gene, self)
        made.setStyleSheet(CHIP_STYLE)
        made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        made.setToolTip(f"Colour the cells by {gene}")
        made.clicked.connect(lambda _checked=False: self.chosen.emit(gene))
        return made
