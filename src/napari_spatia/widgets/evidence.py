"""Under the pictures of an edit, once it rests: how much of the change is noise, and the real cells nearest to it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_spatia.data import picture as pictures
from napari_spatia.widgets.parts import Busy, Dock, hint, named, row
from napari_spatia.widgets.pictures import PictureView

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence

REST_MS = 400
"""An edit that has not changed for so long is examined."""
THUMBNAIL_PX = 84
NUM_THUMBNAILS = 4
_NAMES = {"cell_area": "cell area", "nucleus_area": "nucleus area", "nucleus_dapi": "nucleus DAPI"}


class EvidenceView(QWidget):
    """Spread over seeds as text, nearest real cells as small pictures."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self.spread = hint("")
        self.compared = QLabel()
        self.thumbnails = [PictureView("") for _ in range(NUM_THUMBNAILS)]
        for view in self.thumbnails:
            view.setFixedSize(THUMBNAIL_PX, THUMBNAIL_PX)
            named(view, "No real cell")
        self.nearest = row(*self.thumbnails)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (Busy(dock, "examine"), self.spread, self.compared, self.nearest):
            layout.addWidget(widget)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._examine)
        dock.watch(self._wait, "counterfactual")
        dock.watch(self._show, "evidence")

    def showEvent(self, event: QShowEvent | None) -> None:
        """An edit that was made while nobody looked is examined now."""
        super().showEvent(event)
        self._wait()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Nothing is measured for a dock that nobody sees."""
        super().hideEvent(event)
        self._rest.stop()

    def _wait(self) -> None:
        state = self._dock.state
        if state.counterfactual is not None and state.evidence is None and self.isVisible():
            self._rest.start()
        else:
            self._rest.stop()

    def _examine(self) -> None:
        self._dock.attempt(self._dock.session.examine)

    def _show(self) -> None:
        evidence, limits = self._dock.state.evidence, self._dock.state.limits
        for widget in (self.spread, self.compared, self.nearest):
            widget.setVisible(evidence is not None)
        if evidence is None:
            return
        self.spread.setText(spread_text(evidence))
        self.compared.setText(f"Nearest of {evidence.num_compared:,} real cells")
        for view, cell in zip(self.thumbnails, evidence.nearest, strict=False):
            view.show_picture(pictures.composite(cell.image, cell.channels, limits))
            named(view, f"Real cell {cell.cell_id}, {cell.distance:.2f} away in the space of the gene encoder")
        for view in self.thumbnails[len(evidence.nearest) :]:
            view.show_picture(None)
            named(view, "No real cell")


def spread_text(evidence: "Evidence") -> str:
    """The change of each feature, mean ± standard deviation; without an edit, how much noise alone changes."""
    num_seeds = max((spread.num_seeds for spread in evidence.spread.values()), default=0)
    is_edited = any(spread.change for spread in evidence.spread.values() if spread.num_seeds > 1)
    shown = [
        f"{_NAMES.get(name, name)} "
        + (f"{spread.change:+.2f} ± {spread.change_sd:.2f}" if is_edited else f"± {spread.unedited_sd:.2f}")
        for name, spread in evidence.spread.items()
        if spread.num_seeds > 1
    ]
    title = "Change" if is_edited else "Spread without an edit"
    # A line never breaks within one feature's numbers.
    listed = " · ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in shown)
    return f"{title} over {num_seeds} seeds, log2: {listed or 'nothing could be measured'}"
