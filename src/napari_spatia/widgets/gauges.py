"""Two small pictures of numbers: how far an edit reaches, and the probability of types before and after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_spatia.inference.reach_bands import BANDS, band

BAND_COLOURS = ("#3f9e6b", "#c9a227", "#d9792b", "#c8423b")
GAUGE_PX, BAND_PX, MARK_PX = 20, 8, 5
BAR_ROW_PX, GAP_PX = 18, 8
LEAST_READ = 0.005
"""A smaller probability reads 0%."""


class ReachGauge(QWidget):
    """Four bands, from what was seen to far beyond it, and a mark where the edit lies."""

    def __init__(self) -> None:
        super().__init__()
        self.percentile: float | None = None
        self.setFixedHeight(GAUGE_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_reach(self, percentile: float) -> None:
        """``percentile`` in [0, 100] as in `inference.reach.Reach.percentile`."""
        self.percentile = percentile
        self.setAccessibleName(f"Reach of the edit: {reach_text(percentile)}")
        self.setToolTip(
            f"{reach_text(percentile)}.\nOf 100 real cells, {percentile:.0f} lie nearer to their nearest other cell "
            "than the edited expression lies to any real cell of this slide."
        )
        self.update()

    def place(self) -> float:
        """Where the mark is, 0 left to 1 right: bands are equally wide, since what matters are the last per cent."""
        assert self.percentile is not None
        number = band(self.percentile)
        low = BANDS[number - 1][0] if number else 0.0
        return (number + (self.percentile - low) / (BANDS[number][0] - low)) / len(BANDS)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, width, top = float(MARK_PX), self.width() - 2.0 * MARK_PX, float(GAUGE_PX - BAND_PX - 1)
        for number, colour in enumerate(BAND_COLOURS):
            part = width / len(BANDS)
            painter.fillRect(QRectF(left + number * part + 0.5, top, part - 1, BAND_PX), QColor(colour))
        if self.percentile is not None:
            x = left + self.place() * width
            painter.setBrush(self.palette().color(QPalette.ColorRole.WindowText))
            painter.setPen(Qt.PenStyle.NoPen)
            tip, shoulder = top - 1, top - 1 - 1.6 * MARK_PX
            painter.drawPolygon(
                QPolygonF([QPointF(x, tip), QPointF(x - MARK_PX, shoulder), QPointF(x + MARK_PX, shoulder)])
            )
        painter.end()


def reach_text(percentile: float) -> str:
    """The band in words and its number."""
    return f"{BANDS[band(percentile)][1].capitalize()} (percentile {percentile:.0f})"


@dataclass(frozen=True, slots=True)
class TypeChange:
    """Probability of one cell type without and with the edit."""

    name: str
    before: float
    after: float

    def numbers(self) -> str:
        """Both in whole per cent."""
        return f"{self.before:.0%} → {self.after:.0%}"


class TypeBars(QWidget):
    """A row a type: its name, its probability before as an outline and after as a bar, and both as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: tuple[TypeChange, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_types(self, changes: Sequence[TypeChange]) -> None:
        self.changes = tuple(changes)
        self.setFixedHeight(BAR_ROW_PX * len(self.changes))
        said = [f"{each.name}: {each.before:.1%} → {each.after:.1%}" for each in self.changes]
        self.setAccessibleName("Predicted type before and after the edit: " + "; ".join(said))
        self.setToolTip("Predicted type from expression, without the edit → with it\n" + "\n".join(said))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, BAR_ROW_PX * len(self.changes))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics, text = QFontMetrics(self.font()), self.palette().color(QPalette.ColorRole.WindowText)
        name_px = min(130, max((metrics.horizontalAdvance(each.name) for each in self.changes), default=0)) + 6
        number_px = max((metrics.horizontalAdvance(each.numbers()) for each in self.changes), default=0)
        room = QRectF(name_px, 0, max(10, self.width() - name_px - number_px - GAP_PX), BAR_ROW_PX)
        centred = int(Qt.AlignmentFlag.AlignVCenter)
        for number, change in enumerate(self.changes):
            line = QRectF(0, number * BAR_ROW_PX, name_px - 6, BAR_ROW_PX)
            painter.setPen(text)
            name = metrics.elidedText(change.name, Qt.TextElideMode.ElideRight, int(line.width()) + 1)
            painter.drawText(line, centred, name)
            bar = QRectF(room.left(), line.top() + 4, room.width(), BAR_ROW_PX - 8)
            painter.fillRect(QRectF(bar.left(), bar.top(), bar.width() * change.after, bar.height()), QColor("#4c86c6"))
            painter.setPen(QPen(text, 1, Qt.PenStyle.DotLine))
            painter.drawRect(QRectF(bar.left(), bar.top(), bar.width() * change.before, bar.height()))
            painter.setPen(text)
            numbers = QRectF(self.width() - number_px, line.top(), number_px, BAR_ROW_PX)
            painter.drawText(numbers, centred | int(Qt.AlignmentFlag.AlignRight), change.numbers())
        painter.end()


def most_changed(
    names: Sequence[str], before: Iterable[float], after: Iterable[float], most: int = 3
) -> tuple[TypeChange, ...]:
    """The types whose probability changes most, at most ``most``; without a change to be read the likeliest.

    A type that reads 0% before and after is left out.
    """
    changes = [TypeChange(*each) for each in zip(names, map(float, before), map(float, after), strict=True)]
    changes = [each for each in changes if max(each.before, each.after) >= LEAST_READ]
    changes.sort(key=lambda each: (-round(abs(each.after - each.before), 2), -each.after))
    return tuple(changes[:most])
