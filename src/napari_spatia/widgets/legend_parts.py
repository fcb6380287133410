"""What several kinds of legend have in common: swatches, colour ramps, asking for a colour, percentiles by name."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPainter, QPixmap
from qtpy.QtWidgets import QColorDialog, QComboBox, QSizePolicy, QWidget

from napari_spatia.data.colors import Rgb
from napari_spatia.session.colour import PERCENT

SWATCH_PX = 12
STAR, NO_STAR, STAR_PX = "★", "☆", 14
STAR_COLOUR: Rgb = (214, 150, 20)
CHOSEN = "Chosen"
PERCENTILES = {"1–99 %": PERCENT, "5–95 %": (5.0, 95.0), "0.1–99.9 %": (0.1, 99.9), "All values": (0.0, 100.0)}
"""Ends of the colours that are offered by name."""


def swatch(colour: Rgb) -> QIcon:
    """A small square in a category's colour."""
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(QColor(*colour))
    return QIcon(pixmap)


def star_icon() -> QIcon:
    """The star of a favourite, in a colour that reads on light and dark."""
    pixmap = QPixmap(STAR_PX, STAR_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    font = painter.font()
    font.setPixelSize(STAR_PX)
    painter.setFont(font)
    painter.setPen(QColor(*STAR_COLOUR))
    painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, STAR)
    painter.end()
    return QIcon(pixmap)


def ramp(lut: NDArray[np.uint8]) -> QPixmap:
    """The `(n, 3)` colours of ``lut`` beside each other."""
    lut = np.ascontiguousarray(lut)
    return QPixmap.fromImage(QImage(lut.tobytes(), len(lut), 1, len(lut) * 3, QImage.Format.Format_RGB888))


def ask_colour(parent: QWidget, name: str, now: Rgb) -> Rgb | None:
    """Let the person choose another colour of ``name``; None where it stays."""
    chosen = QColorDialog.getColor(QColor(*now), parent, f"Colour of {name}")
    return (chosen.red(), chosen.green(), chosen.blue()) if chosen.isValid() else None


class PercentileChoice(QComboBox):
    """Percentiles of the values at the two ends of the colours."""

    picked = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Percentiles at the ends of the colours")
        self.setToolTip("Percentiles of the values at the two ends of the colours")
        self.addItems([*PERCENTILES, CHOSEN])
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.textActivated.connect(self._pick)

    def show_percent(self, percent: tuple[float, float] | None) -> None:
        """``percent`` are the percentiles at the ends of the colours, None where a person chose values."""
        self.setCurrentText(next((name for name, ends in PERCENTILES.items() if ends == percent), CHOSEN))

    def _pick(self, name: str) -> None:
        if name in PERCENTILES:
            self.picked.emit(*PERCENTILES[name])
