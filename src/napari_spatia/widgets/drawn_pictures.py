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
LETTER_PX, MARK_INK, BAR_INK = 9, QColor(255, 205, 60), QColor(255, 255, 255)


@dataclass(frozen=True, slots=True)
class Captioned:
    """A picture `(H, W, 3)` uint8 with a line below it; ``says`` is its tooltip."""

    picture: NDArray[np.uint8]
    caption: str
    says: str
    is_counterfactual: bool = True
    width_um: float | None = None
    """What the picture shows across, where it is to have a scale bar."""


class MarkedView(PictureView):
    """A picture with the word COUNTERFACTUAL over its top edge, or with a scale bar, legible however small it is."""

    def __init__(self, empty: str = "") -> None:
        super().__init__(empty)
        self.shown: Captioned | None = None

    def show_captioned(self, shown: Captioned) -> None:
        self.shown = shown
        self.show_picture(shown.picture)
        self.setToolTip(shown.says)
        self.setAccessibleName(shown.says)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.shown is None:
            return
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(LETTER_PX)
        painter.setFont(font)
        if self.shown.is_counterfactual:
            room = QRect(0, 0, self.width(), LETTER_PX + 4)
            painter.fillRect(room, QColor(0, 0, 0, 190))
            painter.setPen(MARK_INK)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), pictures.COUNTERFACTUAL)
        if self.shown.width_um is not None:
            bar_px = round(SCALE_BAR_UM / self.shown.width_um * self.width())
            painter.fillRect(4, self.height() - 6, bar_px, 2, BAR_INK)
            painter.setPen(BAR_INK)
            painter.drawText(4, self.height() - 9, f"{SCALE_BAR_UM:g} µm")
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
            for made in (self.views[-1], self._captions[-1]):
                made.setParent(self)  # before it is shown: without a parent it would be a window
            self._captions[-1].setAlignment(Qt.AlignmentFlag.AlignHCenter)
        for number, (view, caption) in enumerate(zip(self.views, self._captions, strict=True)):
            for widget in (view, caption):
                widget.setVisible(number < len(shown))
            if number < len(shown):
                view.show_captioned(shown[number])
                caption.setText(shown[number].caption)
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


def stained(image: NDArray[np.float32], channels: Sequence[str], limits: pictures.Limits) -> NDArray[np.uint8]:
    """All stains of `(C, H, W)` in their colours, enlarged."""
    return pictures.enlarge(pictures.composite(image, channels, limits), ENLARGE)
