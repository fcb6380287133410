"""The Transcripts dock: single transcripts of chosen genes over the slide."""

from functools import partial

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_spatia.session.session import Session
from napari_spatia.session.state import TranscriptGene
from napari_spatia.widgets.gene_sliders import GeneSearch
from napari_spatia.widgets.legend_parts import SWATCH_PX, swatch
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, row, small_button

NO_SLIDE = "Open a slide with single transcripts first (a points element with a gene column)."
NO_POINTS = "This slide holds no single transcripts (no points element with a gene column)."
CHOOSE = "Type a gene to see each of its transcripts where it was read."
AS_POINTS = "{num:,} in view, each a point."
AS_DENSITY = "{num:,} in view, shown as a density. Zoom in for points."


class TranscriptsDock(Dock):
    """Genes whose transcripts are shown, with their colours and how many are in view."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.hint = hint(CHOOSE)
        self.search = GeneSearch()
        self.search.chosen.connect(self._add)
        self.rows: dict[str, QWidget] = {}
        self.numbers: dict[str, QLabel] = {}
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.status = hint("")
        self.clear = button("Hide all", "Show no transcripts", self.session.hide_transcripts)
        for widget in (heading("Transcripts"), self.hint, row(self.search, self.clear)):
            self.body.addWidget(widget)
        self.body.addLayout(self._list)
        self.body.addWidget(self.status)
        self.body.addWidget(Busy(self, "index"))
        self.body.addStretch(1)
        self.watch(self._show_genes, "slide", "transcript_genes", "transcripts")

    def _show_genes(self) -> None:
        state, known = self.state, self.session.genes_with_transcripts()
        self.hint.setText(NO_SLIDE if state.slide is None else CHOOSE if known else NO_POINTS)
        self.hint.setVisible(not state.transcript_genes)
        self.search.show_genes(known)
        self.clear.setEnabled(bool(state.transcript_genes))
        if tuple(self.rows) != tuple(entry.name for entry in state.transcript_genes):
            self._make_rows(state.transcript_genes)
        picture = state.transcripts
        counts = {} if picture is None else {e.name: n for e, n in zip(picture.genes, picture.counts, strict=True)}
        for name, label in self.numbers.items():
            label.setText(f"{counts[name]:,}" if name in counts else "…")
        words = "" if picture is None else AS_POINTS if picture.density is None else AS_DENSITY
        self.status.setText(words.format(num=sum(counts.values())))

    def _make_rows(self, genes: tuple[TranscriptGene, ...]) -> None:
        for old in self.rows.values():
            self._list.removeWidget(old)
            old.deleteLater()
        self.numbers = {entry.name: QLabel("…") for entry in genes}
        self.rows = {entry.name: self._row(entry) for entry in genes}
        for made in self.rows.values():
            self._list.addWidget(made)

    def _row(self, entry: TranscriptGene) -> QWidget:
        square = QLabel()
        square.setPixmap(swatch(entry.colour).pixmap(QSize(SWATCH_PX, SWATCH_PX)))
        square.setFixedWidth(SWATCH_PX + 4)
        number = self.numbers[entry.name]
        number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        number.setToolTip("Transcripts in view")
        remove = small_button("✕", f"Hide {entry.name}", partial(self._remove, entry.name))
        return row(square, QElidingLabel(entry.name), number, remove)

    def _add(self, gene: str) -> None:
        self._ask((*self.rows, gene))

    def _remove(self, gene: str) -> None:
        self._ask(tuple(name for name in self.rows if name != gene))

    def _ask(self, genes: tuple[str, ...]) -> None:
        self.attempt(self.session.show_transcripts, genes)
