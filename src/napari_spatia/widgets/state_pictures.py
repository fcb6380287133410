"""Every state of the Cell dock and of the Screens dock, as pictures of the real window."""

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spatia.widgets.arrange import CELL, SCREENS
from napari_spatia.widgets.keep_dialog import KeepDialog
from napari_spatia.widgets.key_list import KeyList
from napari_spatia.widgets.picture_taker import SLOW_S, PictureTaker
from napari_spatia.widgets.screens_dock import GRID, SCREEN, SIDE_BY_SIDE, STRIP, ScreensDock

EDITED = ("LMNB1", 2.0), ("ATP1A1", -1.5)
"""They move nucleus and membrane of the simulated tissue."""
FAR_LOG2_FC, FAR_GENES = 6.0, 8


class StatePictures(PictureTaker):
    """Takes the window from state to state, and a picture of each."""

    @property
    def screens(self) -> ScreensDock:
        """The Screens dock."""
        screens = self.driver.docks[SCREENS].findChild(ScreensDock)
        assert isinstance(screens, ScreensDock), "the Screens dock is open"
        return screens

    def run(self, slide: Path, checkpoint: str) -> None:
        """All states, in the order in which a person meets them."""
        self.empty(slide, checkpoint)
        self.cell_states()
        self.screens_states()
        self.dialogs()
        self.error()

    def empty(self, slide: Path, checkpoint: str) -> None:
        """No slide, no model, no cell."""
        self._shoot_docks("no-slide")
        self.open(slide)
        self._select_middle()
        self.driver.until(lambda: self.session.state.crop is not None, "reading the cell")
        self._shoot_docks("no-model")
        self.session.select_cell(None)
        self.load(checkpoint)
        self._shoot_docks("no-cell")

    def cell_states(self) -> None:
        """A cell as it is, edited, ranked, and edited far beyond what the model has seen."""
        session = self.session
        self._select_middle()
        self.driver.picture_rests()
        self.shoot_dock("cell-selected", CELL)
        info = session.state.checkpoint
        assert info is not None, "a model is loaded"
        known = [(gene, log2_fc) for gene, log2_fc in EDITED if gene in info.panel]
        for gene, log2_fc in known or [(info.panel.genes[0], EDITED[0][1])]:
            session.set_strength(gene, log2_fc)
        self._edit_is_examined()
        self.shoot_dock("cell-edited-below", CELL, below=True)
        self.shoot_dock("cell-edited", CELL)
        self.shoot_window("window-edited")
        self.driver.cell_dock.moves.click()
        self.driver.until(lambda: session.state.sensitivity is not None, "ranking the genes", SLOW_S)
        self.shoot_dock("cell-ranked", CELL)
        self.driver.cell_dock.moves.click()
        before = session.state.edit.present
        for gene in info.panel.genes[:FAR_GENES]:
            session.set_strength(gene, FAR_LOG2_FC)
        self._edit_is_examined()
        self.shoot_dock("cell-far", CELL)
        self.shoot_dock("cell-far-below", CELL, below=True)
        for gene in set(info.panel.genes[:FAR_GENES]) - dict(before.terms).keys():
            session.remove_term(gene)
        for gene, log2_fc in before.terms:
            session.set_strength(gene, log2_fc)
        self._edit_is_examined()

    def screens_states(self) -> None:
        """A strip of doses, a grid, two cells beside each other, a ranked screen."""
        session, state = self.session, self.session.state
        first, second, *_ = [key for key, _ in state.edit.present.active().terms] + [state.edit.present.terms[0][0]]
        self.driver.docks[SCREENS].raise_()
        self._shoot_screens("screens-empty", STRIP)
        session.show_feature("nucleus_area")
        session.sweep(first)
        self.driver.until(lambda: state.strip is not None, "drawing the doses", SLOW_S)
        self._shoot_screens("screens-strip", STRIP)
        session.grid(first, second)
        self.driver.until(lambda: state.grid is not None, "drawing the grid", SLOW_S)
        self._shoot_screens("screens-grid", GRID)
        assert state.evidence is not None, "the edit was examined"
        session.set_beside(state.evidence.nearest[0].cell_id)
        self.driver.until(lambda: state.side_by_side is not None, "drawing the other cell", SLOW_S)
        self._shoot_screens("screens-side-by-side", SIDE_BY_SIDE)
        session.screen()
        self.driver.until(lambda: state.screen is not None, "screening the genes", SLOW_S)
        self._shoot_screens("screens-ranking", SCREEN)
        self.driver.docks[CELL].raise_()

    def dialogs(self) -> None:
        """The dialog that saves a cell, and the list of keys."""
        for name, dialog in (
            ("save-cell", KeepDialog(self.driver.cell_dock)),
            ("keys", KeyList(self.driver.docks[CELL].window())),
        ):
            dialog.show()
            self.shoot(name, dialog)
            dialog.close()

    def error(self) -> None:
        """What is told of a gene that the model does not read."""
        search = self.driver.cell_dock.search
        QTest.keyClicks(search, "NOSUCHGENE")
        QTest.keyClick(search, Qt.Key.Key_Return)
        self.driver.settle(1.0)  # the message fades in
        self.shoot_window("error")

    def _select_middle(self) -> None:
        """Look at the cell in the middle of the slide, and select it."""
        self.session.select_cell(str(self.session.slide.cell_id[self.look_at_middle()]))

    def _edit_is_examined(self) -> None:
        state = self.session.state

        def done() -> bool:
            drawn = state.resolved is not None and state.resolved.edit == state.edit.present.active()
            return drawn and state.evidence is not None

        self.driver.until(done, "examining the edit", SLOW_S)

    def _shoot_docks(self, state: str) -> None:
        self.shoot_dock(f"cell-{state}", CELL)
        self._shoot_screens(f"screens-{state}", STRIP)

    def _shoot_screens(self, name: str, page: str) -> None:
        self.screens.tabs.setCurrentIndex(list(self.screens.pages).index(page))
        self.shoot_dock(name, SCREENS)
