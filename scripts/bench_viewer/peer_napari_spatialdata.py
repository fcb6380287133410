"""napari-spatialdata in the viewer benchmark; run in its own environment.

    python peer_napari_spatialdata.py SLIDE.zarr

A user opens a slide by ``napari_spatialdata view``, which is ``Interactive``; an element by a double click on it in the
SpatialData dock; a gene or a column by a double click on it in the View dock.
"""

import sys
from pathlib import Path
from typing import Any

from napari_spatialdata import Interactive, QtAdataViewWidget
from peer import COORDINATE_SYSTEM, IMAGE, LABELS, Peer, main
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget
from spatialdata import SpatialData


class NapariSpatialData(Peer):
    """Its docks, clicked."""

    package = "napari-spatialdata"

    def open_image(self, store: Path) -> None:
        self._interactive = Interactive(SpatialData.read(store), headless=True)
        self._interactive.switch_coordinate_system(COORDINATE_SYSTEM)
        self._view = self.viewer.window._qt_window.findChild(QtAdataViewWidget)
        _double_click(self._elements.elements_widget, IMAGE)

    def open_cells(self) -> None:
        self._elements.worker_thread.wait()  # it has given its layer; a click is refused until it has ended
        _double_click(self._elements.elements_widget, LABELS)

    def colour_by_gene(self, gene: str) -> None:
        _double_click(self._view.var_widget, gene)

    def colour_by_category(self, column: str) -> None:
        _double_click(self._view.obs_widget, column)

    @property
    def table(self) -> Any:
        return self.viewer.layers[LABELS].metadata["adata"]

    @property
    def _elements(self) -> Any:
        return self._interactive._sdata_widget


def _double_click(choices: QListWidget, text: str) -> None:
    item = choices.findItems(text, Qt.MatchFlag.MatchExactly)[0]
    choices.setCurrentItem(item)
    choices.itemDoubleClicked.emit(item)


if __name__ == "__main__":
    sys.exit(main(NapariSpatialData()))
