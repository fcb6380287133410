"""Many small pictures of one cell on one scale, each marked counterfactual, in as many columns as there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from napari_spatia.data import picture as pictures
from napari_spatia.widgets.pictures import SCALE_BAR_UM, PictureView

LEAST_PX, MOST_PX = 96, 192
GAP_PX = 4
ENLARGE = 3
MARK_PX, MARK_INK = 9, QColor(255, 205, 60)


@dataclass(frozen=True, slots=True)
class Captioned:
    """A picture `(H, W, 3)` uint8 with a line below it; ``says`` is its tooltip."""

    picture: NDArray[np.uint8]
    caption: str
    says: str
    is_counterfactual: bool = True


class MarkedView(PictureView):
    """A picture with the word COUNTERFACTUAL over its top edge, legible however small it is."""

    def __init__(self, empty: str = "") -> None:
        super().__init__(empty)
        self.is_marked = False

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not (self.is_marked and self.has_picture):
            return
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(MARK_PX)
        painter.setFont(font)
        room = QRect(0, 0, self.width(), MARK_PX + 4)
        painter.fillRect(room, QColor(0, 0, 0, 190))
        painter.setPen(MARK_INK)
        painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), pictures.COUNTERFACTUAL)
        painter.end()


class PictureFlow(QWidget):
    """Captioned pictures, side by side and then below each other; ``columns`` fixes how many stand in a row."""

    def __init__(self, name: str, columns: int | None = None) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.views: list[MarkedView] = []
        self._captions: list[QLabel] = []
        self._columns = columns
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP_PX)

    def show_pictures(self, shown: Sequence[Captioned], columns: int | None = None) -> None:
        """Replace all pictures."""
        self._columns = columns or self._columns
        while len(self.views) < len(shown):
            self.views.append(MarkedView())
            self._captions.append(QLabel())
            self._captions[-1].setAlignment(Qt.AlignmentFlag.AlignHCenter)
        for number, (view, caption) in enumerate(zip(self.views, self._captions, strict=True)):
            for widget in (view, caption):
                widget.setVisible(number < len(shown))
            if number < len(shown):
                view.is_marked = shown[number].is_counterfactual
                view.show_picture(shown[number].picture)
                view.setToolTip(shown[number].says)
                view.setAccessibleName(shown[number].says)
                caption.setText(shown[number].caption)
        self._num_shown = len(shown)
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        shown = [number for number in range(len(self.views)) if not self.views[number].isHidden()]
        if not shown or self.width() < LEAST_PX:
            return
        columns = self._columns or max(1, min(len(shown), (self.width() + GAP_PX) // (LEAST_PX + GAP_PX)))
        side = min(MOST_PX, (self.width() - GAP_PX * (columns - 1)) // columns)
        for number in shown:
            line, place = divmod(number, columns)
            self.views[number].setFixedSize(side, side)
            self._captions[number].setFixedWidth(side)
            self._grid.addWidget(self.views[number], 2 * line, place)
            self._grid.addWidget(self._captions[number], 2 * line + 1, place)


def stained(
    image: NDArray[np.float32],
    channels: Sequence[str],
    limits: pictures.Limits,
    um_per_px: float,
    scale_bar: bool = False,
) -> NDArray[np.uint8]:
    """All stains of `(C, H, W)` in their colours, enlarged, with a scale bar where one is wanted."""
    shown = pictures.enlarge(pictures.composite(image, channels, limits), ENLARGE)
    return pictures.with_scale_bar(shown, um_per_px / ENLARGE, SCALE_BAR_UM) if scale_bar else shown
