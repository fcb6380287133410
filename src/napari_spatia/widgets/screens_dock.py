"""The Screens dock: many edits at once. A strip of doses, a grid of two genes, a screen of the panel, two cells."""

from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QTabBar

from napari_spatia.inference.screen import readable_features
from napari_spatia.session.session import Session
from napari_spatia.widgets.parts import Dock, hint, row
from napari_spatia.widgets.screen_page import ScreenPage
from napari_spatia.widgets.side_by_side_page import SideBySidePage
from napari_spatia.widgets.sweep_pages import GridPage, StripPage

NO_SLIDE = "Open a slide first; then click a cell."
NO_MODEL = "Load a model in the Explorer to edit the genes of a cell."
NO_CELL = "Click a cell on the slide."
WAIT = "The cell is being read."
STRIP, GRID, SCREEN, SIDE_BY_SIDE = "Dose strip", "Grid", "Screen", "Side by side"


class ScreensDock(Dock):
    """Four pages behind tabs, and the feature that all of them read."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.tabs = QTabBar()
        self.tabs.setExpanding(True)
        self.tabs.setAccessibleName("Kinds of screens")
        self.hint = hint("")
        self.feature = QComboBox()
        self.feature.setAccessibleName("Feature that is read off the pictures")
        self.feature.setToolTip("What is read off the pictures: curves show it and screens are ranked by it")
        self.feature.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.feature.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.feature.activated.connect(self._choose)
        label = QLabel("Feature")
        label.setBuddy(self.feature)
        self.feature_row = row(label, self.feature)
        for widget in (self.tabs, self.hint, self.feature_row):
            self.body.addWidget(widget)
        self.strip, self.grid, self.screen, self.side_by_side = (
            page(self) for page in (StripPage, GridPage, ScreenPage, SideBySidePage)
        )
        self.pages = {STRIP: self.strip, GRID: self.grid, SCREEN: self.screen, SIDE_BY_SIDE: self.side_by_side}
        for name, page in self.pages.items():
            self.tabs.addTab(name)
            self.body.addWidget(page)
        self.body.addStretch(1)
        self.tabs.currentChanged.connect(lambda _idx: self._show_page())
        self.watch(self._show_page, "slide", "checkpoint", "bound", "selected", "cell", "chosen")
        self.watch(self._show_features, "checkpoint", "feature")
        self.watch(self._show_terms, "checkpoint", "edit")

    def _show_page(self) -> None:
        state = self.state
        missing = (
            NO_SLIDE if state.slide is None
            else NO_MODEL if state.checkpoint is None
            else NO_CELL if state.selected is None and state.chosen is None
            else WAIT if state.cell is None and state.chosen is None
            else ""
        )  # fmt: skip
        self.hint.setText(missing)
        self.hint.setVisible(bool(missing))
        ready = state.checkpoint is not None and state.slide is not None
        compares = self.tabs.currentIndex() == list(self.pages).index(SIDE_BY_SIDE)
        self.feature_row.setVisible(ready and not compares)  # two cells are compared in all features
        for number, page in enumerate(self.pages.values()):
            page.setVisible(ready and number == self.tabs.currentIndex())

    def _show_features(self) -> None:
        info = self.state.checkpoint
        features = () if info is None else readable_features(info.channels, info.cell_types)
        if [self.feature.itemData(number) for number in range(self.feature.count())] != [each.key for each in features]:
            self.feature.clear()
            for each in features:
                self.feature.addItem(each.label, each.key)
        self.feature.setCurrentIndex(max(0, self.feature.findData(self.state.feature)))

    def _show_terms(self) -> None:
        info = self.state.checkpoint
        genes = () if info is None else info.panel.genes
        sliders = tuple(key for key, _ in self.state.edit.present.terms)
        for first, term in ((0, self.strip.term), (0, self.grid.terms[0]), (1, self.grid.terms[1])):
            term.show_terms(sliders, genes, first)

    def _choose(self, number: int) -> None:
        self.attempt(self.session.show_feature, str(self.feature.itemData(number)))
