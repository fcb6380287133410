"""Every state of the Cell dock and the Screens dock, as pictures of the real window.

``python -m napari_spatia.widgets.screenshots OUT [SLIDE] [--checkpoint NAME] [--size 1366x768] [--theme dark]`` writes
one PNG a state. Those of `docs/images/states` are made by the defaults, on a simulated tissue, in the window of a
small screen.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.errors import SpatiaError
from napari_spatia.widgets.arrange import CELL, SCREENS
from napari_spatia.widgets.driving import Driver
from napari_spatia.widgets.host import hosts_for
from napari_spatia.widgets.keep_dialog import KeepDialog
from napari_spatia.widgets.key_list import KeyList
from napari_spatia.widgets.launch import start
from napari_spatia.widgets.screens_dock import GRID, SCREEN, SIDE_BY_SIDE, STRIP, ScreensDock

SMALL_SCREEN = "1366x768"
SIMULATED_CELLS, SIMULATED_SEED = 600, 4207
EDITED = ("LMNB1", 2.0), ("ATP1A1", -1.5)
"""They move nucleus and membrane of the simulated tissue."""
FAR_LOG2_FC, FAR_GENES = 6.0, 8
LOOK_UM = 160.0
SLOW_S = 600.0
COLOURS, KMEANS_ROUNDS = 256, 3


class Screenshots:
    """Takes the window from state to state, and a picture of each."""

    def __init__(self, out: Path, journal: Path, size_px: tuple[int, int], theme: str) -> None:
        self.out = out
        viewer = start(None, None, {}, sidecar=journal)
        viewer.theme = theme
        viewer.window.resize(*size_px)
        self.driver = Driver(viewer)
        self.session = self.driver.session
        screens = self.driver.docks[SCREENS].findChild(ScreensDock)
        assert screens is not None, "the Screens dock is open"
        self.screens: ScreensDock = screens

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
        hosts_for(self.driver.viewer).slides.open(slide)
        self.driver.until(lambda: self.session.state.slide is not None, "opening the slide", SLOW_S)
        self._select_middle()
        self.driver.until(lambda: self.session.state.crop is not None, "reading the cell")
        self._shoot_docks("no-model")
        self.session.select_cell(None)
        self.session.load_checkpoint(checkpoint)
        self.driver.ready()
        self._shoot_docks("no-cell")

    def cell_states(self) -> None:
        """A cell as it is, edited, ranked, and edited far beyond what the model has seen."""
        session = self.session
        self._select_middle()
        self.driver.picture_rests()
        self._shoot_cell("cell-selected")
        info = session.state.checkpoint
        assert info is not None, "a model is loaded"
        known = [(gene, log2_fc) for gene, log2_fc in EDITED if gene in info.panel]
        for gene, log2_fc in known or [(info.panel.genes[0], EDITED[0][1])]:
            session.set_strength(gene, log2_fc)
        self._edit_is_examined()
        self._shoot_cell("cell-edited-below", below=True)
        self._shoot_cell("cell-edited")
        self._shoot("window-edited", self.driver.docks[CELL].window())
        self.driver.cell_dock.moves.click()
        self.driver.until(lambda: session.state.sensitivity is not None, "ranking the genes", SLOW_S)
        self._shoot_cell("cell-ranked")
        self.driver.cell_dock.moves.click()
        before = session.state.edit.present
        for gene in info.panel.genes[:FAR_GENES]:
            session.set_strength(gene, FAR_LOG2_FC)
        self._edit_is_examined()
        self._shoot_cell("cell-far")
        self._shoot_cell("cell-far-below", below=True)
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
            self._shoot(name, dialog)
            dialog.close()

    def error(self) -> None:
        """What is told of a gene that the model does not read."""
        search = self.driver.cell_dock.search
        QTest.keyClicks(search, "NOSUCHGENE")
        QTest.keyClick(search, Qt.Key.Key_Return)
        self.driver.settle(1.0)  # the message fades in
        self._shoot("error", self.driver.docks[CELL].window())

    def _select_middle(self) -> None:
        """Look at the cell in the middle of the slide, and select it."""
        slide = self.session.slide
        cell_idx = int(np.linalg.norm(slide.centers_um - slide.centers_um.mean(axis=0), axis=1).argmin())
        y_um, x_um = slide.centers_um[cell_idx].tolist()
        self.driver.look_at(y_um, x_um, LOOK_UM)
        self.session.select_cell(str(slide.cell_id[cell_idx]))

    def _edit_is_examined(self) -> None:
        state = self.session.state

        def done() -> bool:
            drawn = state.resolved is not None and state.resolved.edit == state.edit.present.active()
            return drawn and state.evidence is not None

        self.driver.until(done, "examining the edit", SLOW_S)

    def _shoot_docks(self, state: str) -> None:
        self._shoot_cell(f"cell-{state}")
        self.driver.docks[SCREENS].raise_()
        self._shoot_screens(f"screens-{state}", STRIP)
        self.driver.docks[CELL].raise_()

    def _shoot_cell(self, name: str, below: bool = False) -> None:
        """The Cell dock from its top, or down to its end."""
        area = self.driver.cell_dock.findChild(QScrollArea)
        assert area is not None and area.verticalScrollBar() is not None, "a dock scrolls"
        self.driver.settle()
        area.verticalScrollBar().setValue(area.verticalScrollBar().maximum() if below else 0)
        self._shoot(name, self.driver.docks[CELL])

    def _shoot_screens(self, name: str, page: str) -> None:
        self.screens.tabs.setCurrentIndex(list(self.screens.pages).index(page))
        self._shoot(name, self.driver.docks[SCREENS])

    def _shoot(self, name: str, widget: QWidget) -> None:
        """In so few colours that a picture is small."""
        self.driver.settle()
        path = self.out / f"{name}.png"
        widget.grab().save(str(path))
        with Image.open(path) as picture:
            few = picture.convert("RGB").quantize(COLOURS, kmeans=KMEANS_ROUNDS)  # legends keep their colours
        few.save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures; exit code 1 with one clear message when the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("slide", type=Path, nargs="?", help="a slide; a simulated tissue by default")
    parser.add_argument("--checkpoint", default="sim-small")
    parser.add_argument("--size", default=SMALL_SCREEN, help="of the window")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    width, _, height = asked.size.partition("x")
    shots = None
    with tempfile.TemporaryDirectory() as folder:
        slide = asked.slide
        if slide is None:
            slide = Path(folder) / "tissue.zarr"
            simulate_slide(slide, num_cells=SIMULATED_CELLS, seed=SIMULATED_SEED)
        try:
            shots = Screenshots(asked.out.resolve(), Path(folder) / "journal", (int(width), int(height)), asked.theme)
            shots.run(slide, asked.checkpoint)
        except SpatiaError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            if shots is not None:
                shots.driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
