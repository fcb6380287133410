"""The Cells map dock: all cells in an embedding, in the slide's colours, linked to the slide by what is chosen."""

from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy

from napari_spatia.session.session import Session
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.widgets.chosen import Chosen
from napari_spatia.widgets.embedding_plot import EmbeddingPlot
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, named, row

NO_SLIDE = "Open a slide first."
NO_EMBEDDING = (
    "There is no embedding of these cells yet. Load a model and press Predict in the Explorer, "
    "or open a slide whose table has one in obsm, such as X_umap."
)
NOT_CHOSEN = "Choose what places the cells, or press Predict in the Explorer to see the model's own embedding."
HANDS = (
    "Drag around cells on the map to choose them (Shift adds, Alt removes); click one to select it. "
    "Right drag moves the map, the wheel zooms, a double click shows all."
)
WHAT = {
    "obsm": "Two columns of the slide's table.",
    "pca": "The two directions in which the prediction's embedding varies most.",
    "tsne": "t-SNE of the prediction's embedding: neighbours are alike; distances between groups mean little.",
}
COMPUTE = (
    "Lay the prediction's embedding out by t-SNE, in the background. Up to 10,000 cells are laid out; "
    "the others go to the mean place of the 5 of these that are most like them"
)


class EmbeddingDock(Dock):
    """A scatter of all cells, and which embedding it shows."""

    def __init__(self, session: Session, rest: Rest = at_once) -> None:
        super().__init__(session, rest)
        self.choice = QComboBox()
        named(self.choice, "Embedding", "Which embedding places the cells")
        self.choice.activated.connect(lambda idx: self.attempt(self.session.show_plot, self.choice.itemData(idx)))
        self.scale = QComboBox()
        named(self.scale, "Scale of the map", "Which of the prediction's embeddings the map is made of")
        self.compute = button("Compute map", COMPUTE, self._compute)
        for combo in (self.choice, self.scale):
            combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.what = hint("")
        self.plot = EmbeddingPlot()
        self.plot.setToolTip(HANDS)
        self.plot.lassoed.connect(lambda polygon, mode: self.attempt(self.session.choose_in_plot, polygon, mode))
        self.plot.picked.connect(self._pick)
        self.chosen = Chosen(self, HANDS)
        self.map_row = row(_beside("Map of"), self.scale, self.compute)
        for widget in (
            heading("Cells map"),
            self.choice,
            self.what,
            self.plot,
            self.map_row,
            Busy(self, "plot", "map"),
        ):
            self.body.addWidget(widget)
        self.body.addWidget(self.chosen)
        self.body.setStretchFactor(self.plot, 1)
        self.body.addStretch(0)
        self.watch(self._show_choices, "slide", "prediction", "plot")
        self.watch(self._show_compute, "slide", "prediction", "jobs")
        self.watch_late(self._show_cells, "plot", "lookup", "chosen")
        self.watch(self._show_selected, "plot", "selected", "card")

    def _show_choices(self) -> None:
        state, choices = self.state, self.session.plot_choices()
        self.choice.clear()
        for key, label in choices.items():
            self.choice.addItem(label, key)
        plot = state.plot
        self.choice.setCurrentIndex(-1 if plot is None else self.choice.findData(plot.key))
        self.choice.setVisible(bool(choices))
        self.plot.setVisible(plot is not None)
        self.chosen.how.setText("" if plot is None else HANDS)
        if plot is not None:
            self.what.setText(WHAT[plot.key.partition(":")[0]])
        else:
            self.what.setText(NO_SLIDE if state.slide is None else NOT_CHOSEN if choices else NO_EMBEDDING)

    def _show_compute(self) -> None:
        scales, shown = self.session.map_scales(), self.scale.currentText()
        if [self.scale.itemText(idx) for idx in range(self.scale.count())] != list(scales):
            self.scale.clear()
            self.scale.addItems(scales)
            self.scale.setCurrentText(shown if shown in scales else next(iter(scales), ""))
        self.map_row.setVisible(bool(scales))
        running = "map" in self.state.jobs and self.state.jobs["map"].running
        self.compute.setEnabled(not running)

    def _show_cells(self) -> None:
        lookup = self.state.lookup
        self.plot.show_plot(self.state.plot)
        self.plot.show_colours(None if lookup is None else lookup.rgba, self.state.chosen)

    def _show_selected(self) -> None:
        card = self.state.card
        self.plot.mark(None if card is None else card.cell_idx)

    def _compute(self) -> None:
        self.attempt(self.session.compute_map, self.scale.currentText())

    def _pick(self, row_picked: int) -> None:
        self.attempt(self.session.select_cell, str(self.session.slide.cell_id[row_picked]))


def _beside(text: str) -> QLabel:
    """A label that takes no more room than its text."""
    label = QLabel(text)
    label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
    return label
