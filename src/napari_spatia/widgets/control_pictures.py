"""The controls of the viewer (Explorer, Cells map, Compare, Annotate, Transcripts, Elements, the slide itself), each in
use, as pictures of the real window.
"""

from pathlib import Path

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QCursor, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spatia.session.colour import Lookup
from napari_spatia.session.values import COUNTS, MAX_BLENDED, gene_key
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.arrange import ANNOTATE, CELLS_MAP, COMPARE, ELEMENTS, EXPLORER, TRANSCRIPTS
from napari_spatia.widgets.driving import LEFT, mouse
from napari_spatia.widgets.embedding_plot import EmbeddingPlot
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.hover_card import HoverTip
from napari_spatia.widgets.picture_taker import LOOK_UM, SLOW_S, PictureTaker

CLOSE_UM = 70.0
TYPED_GENE, TYPED_CATEGORY = "KRT", "1"
NUM_FAVOURITES = 3
LASSO_POINTS = 48
MOST_COUNTS_PERCENT = 60.0
CLASS_NAMES = "islet border", "to check"
NUM_ANNOTATED = 6


class ControlPictures(PictureTaker):
    """Takes the window from control to control, and a picture of each."""

    def run(self, slide: Path, checkpoint: str) -> None:
        """All controls, in the order of the docks."""
        self.open(slide)
        self.load(checkpoint)
        self.session.predict()
        self.driver.until(lambda: self.session.state.prediction is not None, "predicting", SLOW_S)
        self.genes = self._genes_in_half()
        self.driver.viewer.reset_view()
        self.predicted_from()
        self.categories()
        self.one_gene()
        self.several_genes()
        self.filters()
        self.on_the_slide()
        self.map_and_compare()
        self.annotate()
        self.elements()

    @property
    def explorer(self) -> ExplorerDock:
        """The Explorer dock."""
        explorer = self.driver.docks[EXPLORER].findChild(ExplorerDock)
        assert isinstance(explorer, ExplorerDock), "the Explorer dock is open"
        return explorer

    def predicted_from(self) -> None:
        """The menu of what a prediction reads."""
        button = self.explorer.predict_from
        button.choices.aboutToShow.emit()
        button.choices.popup(button.mapToGlobal(button.rect().bottomLeft()))
        self.shoot("predict-from", self.driver.docks[EXPLORER], button.choices)
        button.choices.close()

    def categories(self) -> None:
        """The legend of categories: all, some left out by a click, one alone, searched."""
        legend = self.explorer.legend
        lookup = self._colour_by("type")
        self.shoot_beside_slide("colour-types", EXPLORER)
        for entry in lookup.legend[:2]:
            self.session.show_category(entry.name, False)
        self._painted()
        self.shoot_dock("legend-hidden", EXPLORER)
        self.session.solo_category(lookup.legend[0].name)
        self._painted()
        self.shoot_beside_slide("legend-alone", EXPLORER)
        self.session.show_all_categories()
        self._colour_by("cluster")
        QTest.keyClicks(legend.search, TYPED_CATEGORY)
        self.shoot_dock("legend-search", EXPLORER)
        legend.search.clear()

    def one_gene(self) -> None:
        """Search a gene, colour by it, move the ends of its colours, make genes favourites."""
        choice = self.explorer.choice
        line, popup = choice.lineEdit(), choice.completer().popup()
        QTest.mouseClick(line, LEFT)
        QTest.keyClicks(line, TYPED_GENE)
        self.driver.until(popup.isVisible, "listing the genes")
        self.shoot("gene-search", self.driver.docks[EXPLORER], popup)
        popup.hide()
        lookup = self._colour_by(gene_key(self.genes[:1]))
        self.shoot_beside_slide("colour-gene", EXPLORER)
        assert lookup.limits is not None, "counts are numbers"
        low, high = lookup.limits
        self.session.set_colormap("magma")
        self.session.show_range(low + 0.15 * (high - low), low + 0.6 * (high - low))
        self._painted()
        self.shoot_dock("gene-range", EXPLORER)
        self.session.state.favourites = self.genes[:NUM_FAVOURITES]  # on screen only: the person's own are kept
        self._genes_in_half()
        self.shoot_dock("gene-favourites", EXPLORER)
        self.driver.viewer.reset_view()

    def several_genes(self) -> None:
        """Genes blended, each in a colour of its own."""
        self._colour_by(gene_key(self.genes[:MAX_BLENDED]))
        self.shoot_beside_slide("colour-blend", EXPLORER)

    def filters(self) -> None:
        """Cells of two types with few counts."""
        session = self.session
        lookup = self._colour_by("type")
        counts = np.asarray(session.slide.counts.sum(axis=1)).ravel()
        self.explorer.filters.fold.setChecked(True)
        session.filter_by(COUNTS, None, float(np.percentile(counts, MOST_COUNTS_PERCENT)))
        session.filter_categories("type", [entry.name for entry in lookup.legend[:2]])
        self.driver.until(lambda: len(self.explorer.filters.rows) == 2, "filtering")
        self.shoot_beside_slide("filters", EXPLORER, below=True)
        session.clear_filters()
        self.explorer.filters.fold.setChecked(False)
        self.driver.until(lambda: session.state.filtered is None, "taking the filters off")

    def on_the_slide(self) -> None:
        """The card at the mouse, the polygons, and single transcripts."""
        session, driver, canvas = self.session, self.driver, self.driver.canvas
        cell_idx = self.look_at_middle()
        y_um, x_um = session.slide.centers_um[cell_idx].tolist()
        driver.look_at(y_um, x_um + LOOK_UM / 3, LOOK_UM)  # the cell lies left, its card over the slide
        QCursor.setPos(canvas.mapToGlobal(driver.place_of(y_um, x_um)))
        driver.point_at(y_um, x_um)
        driver.until(lambda: session.state.hovered is not None, "reading the cell under the mouse")
        card = next(each for each in QApplication.topLevelWidgets() if isinstance(each, HoverTip))
        self.shoot("hover-card", canvas, card)
        session.show_hover(False)
        opacity = session.state.opacity
        self.look_at_middle(CLOSE_UM)
        session.state.opacity = 0.0
        session.show_polygons(True)
        driver.until(lambda: session.state.polygons is not None, "reading the polygons", SLOW_S)
        self.shoot("polygons", canvas)
        session.show_transcripts(self.genes[:MAX_BLENDED])
        driver.until(lambda: session.state.transcripts is not None, "reading the transcripts", SLOW_S)
        self.shoot_beside_slide("transcripts", TRANSCRIPTS)
        session.hide_transcripts()
        session.show_polygons(False)
        session.state.opacity = opacity

    def map_and_compare(self) -> None:
        """A lasso on the map, drawn with the mouse; the chosen cells on the slide; their genes compared."""
        session, driver = self.session, self.driver
        driver.viewer.reset_view()
        driver.docks[CELLS_MAP].raise_()
        driver.until(lambda: session.state.plot is not None, "mapping the cells", SLOW_S)
        driver.settle()
        self._lasso_first_type()
        driver.until(lambda: session.state.chosen is not None, "choosing the cells in the lasso")
        self.shoot_beside_slide("map-lasso", CELLS_MAP)
        driver.docks[COMPARE].raise_()
        session.compare_groups()
        driver.until(lambda: session.state.comparison is not None, "comparing the genes", SLOW_S)
        self.shoot_dock("compare", COMPARE)
        session.choose_none()

    def _lasso_first_type(self) -> None:
        """Draw around most of the cells of the most frequent type."""
        session = self.session
        plot = self.driver.docks[CELLS_MAP].findChild(EmbeddingPlot)
        lookup = session.state.lookup
        assert isinstance(plot, EmbeddingPlot) and plot.plot is not None, "the map is on screen"
        assert lookup is not None and lookup.category is not None, "the cells are coloured by type"
        most_frequent = np.bincount(lookup.category[lookup.category >= 0]).argmax()
        places = np.stack(plot.view.to_px(plot.plot.points[lookup.category == most_frequent]), axis=1)
        low, high = np.percentile(places, (2, 98), axis=0)
        middle, radius = (low + high) / 2, (high - low) * 0.65
        angles = np.linspace(0, 2 * np.pi, LASSO_POINTS)
        path = middle + np.stack((np.cos(angles), np.sin(angles)), axis=1) * radius
        corners = [QPoint(round(x), round(y)) for x, y in path.clip(1, (plot.width() - 2, plot.height() - 2))]
        mouse(plot, QMouseEvent.Type.MouseButtonPress, corners[0], LEFT)
        for corner in corners[1:]:
            mouse(plot, QMouseEvent.Type.MouseMove, corner, LEFT)
        mouse(plot, QMouseEvent.Type.MouseButtonRelease, corners[-1], LEFT)

    def annotate(self) -> None:
        """Two classes, one of them assigned by clicks on the slide; the legend's menu, which renames a class."""
        session, driver = self.session, self.driver
        dock = driver.docks[ANNOTATE].findChild(AnnotateDock)
        assert isinstance(dock, AnnotateDock), "the Annotate dock is open"
        driver.docks[ANNOTATE].raise_()
        middle = self.look_at_middle(CLOSE_UM)
        for name in CLASS_NAMES:
            QTest.keyClicks(dock.name, name)
            QTest.keyClick(dock.name, Qt.Key.Key_Return)
        session.arm_class(CLASS_NAMES[0])
        centers_um = session.slide.centers_um
        for cell_idx in np.argsort(np.linalg.norm(centers_um - centers_um[middle], axis=1))[:NUM_ANNOTATED]:
            session.annotate(str(session.slide.cell_id[cell_idx]), CLASS_NAMES[0])
        self._painted()
        self.shoot_beside_slide("annotate", ANNOTATE)
        self.to_front(EXPLORER)
        categories = self.explorer.legend.categories
        item = categories.topLevelItem(0)
        menu = categories.menu(item)
        menu.popup(categories.viewport().mapToGlobal(categories.visualItemRect(item).bottomLeft()))
        self.shoot("legend-menu", driver.docks[EXPLORER], menu)
        menu.close()
        session.arm_class(None)

    def elements(self) -> None:
        """Everything in the store; the outlines of the cells are shown over the slide."""
        session, driver = self.session, self.driver
        self._colour_by("type")
        shapes = next(entry.path for entry in session.state.elements if entry.kind == "shapes")
        driver.docks[ELEMENTS].raise_()
        session.show_element(shapes)
        driver.until(lambda: shapes in session.state.shown_elements, "reading the outlines", SLOW_S)
        self.shoot_beside_slide("elements", ELEMENTS)

    def _genes_in_half(self) -> tuple[str, ...]:
        """Look at the middle half of the slide; the genes that tell it from the rest."""
        state = self.session.state
        _, left, _, right = self.session.slide.image.extent_um
        self.look_at_middle((right - left) / 2)
        self.driver.until(lambda: bool(state.view_genes), "finding the genes in view")
        return state.view_genes

    def _colour_by(self, key: str) -> Lookup:
        self.session.colour_by(key)
        return self._painted()

    def _painted(self) -> Lookup:
        """Wait until the cells have the colours that were asked for."""
        state = self.session.state

        def done() -> bool:
            running = "colour" in state.jobs and state.jobs["colour"].running
            return not running and state.lookup is not None and state.lookup.key == state.colour

        self.driver.until(done, "colouring", SLOW_S)
        assert state.lookup is not None, "the cells have colours"
        return state.lookup
