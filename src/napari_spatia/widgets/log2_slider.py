"""The slider of one term of an edit: its own limits, what is seen of the gene as bands under the groove."""

from qtpy.QtCore import QPoint, QRect, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider

STEPS_PER_UNIT = 50
ARROW_STEPS = 5
"""An arrow key or a notch of the wheel is 0.1."""
PAGES = 16
REST_MS = 600
"""Keys, the wheel and a click that may be the first of two have no end to be seen: their movement ends when nothing has
moved for so long."""
BAND_PX = 3
SEEN, OF_TYPE, ZERO = QColor(140, 140, 140, 170), QColor(64, 150, 255), QColor(235, 160, 30)
"""Readable on napari's light and its dark theme."""


class Log2Slider(QSlider):
    """A horizontal slider of strengths; ``moved`` tells one, ``rested`` that the movement has ended.

    A double click or 0 puts it to 0, arrow and page keys move it, Home and End go to its ends, and the wheel moves it
    once it has the focus. Its ends are exact whatever the steps.
    """

    moved = Signal(float)
    rested = Signal()

    def __init__(self, low: float, high: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._ends = (low, high)
        self._bands: tuple[tuple[QColor, float, float], ...] = ()
        self._marks: tuple[tuple[QRect, QColor], ...] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(90)
        self.setMinimumHeight(24)
        self.setSingleStep(ARROW_STEPS)
        self.show_limits(low, high)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.rested)
        self._pressed_at, self._dragged = QPoint(), False
        self.valueChanged.connect(self._tell)

    def show_limits(self, low: float, high: float) -> None:
        """Other ends; tells nothing."""
        self._ends, self._marks = (low, high), None
        self.blockSignals(True)
        self.setRange(_below(low), -_below(-high))
        self.setPageStep(max(1, round((high - low) * STEPS_PER_UNIT / PAGES)))
        self.blockSignals(False)

    def show_bands(self, seen: tuple[float, float] | None, of_type: tuple[float, float] | None) -> None:
        """Mark where strengths lead to values that are seen: grey on the slide, blue in cells of the type."""
        spans = ((SEEN, seen), (OF_TYPE, of_type))
        self._bands, self._marks = tuple((colour, *span) for colour, span in spans if span is not None), None
        self.update()

    def show_strength(self, strength: float) -> None:
        """Put the handle to a strength, or to the end next to it; tells nothing."""
        low, high = self._ends
        step = round(strength * STEPS_PER_UNIT)
        step = self.minimum() if strength <= low else self.maximum() if strength >= high else step
        if step != self.value():
            self.blockSignals(True)
            self.setValue(step)
            self.blockSignals(False)

    def strength(self) -> float:
        """Where the handle is."""
        if self.value() == self.minimum():
            return self._ends[0]
        return self._ends[1] if self.value() == self.maximum() else self.value() / STEPS_PER_UNIT

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A movement of its own, whatever moved the slider before."""
        self._end()
        self._pressed_at, self._dragged = event.pos(), False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._dragged |= (event.pos() - self._pressed_at).manhattanLength() >= QApplication.startDragDistance()
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A drag has ended, wherever it went; what a mere click moved rests later, since a second click may follow."""
        super().mouseReleaseEvent(event)
        if self._dragged:
            self._end()
        else:
            self._rest.start()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """To 0, in one step of undo with what the first of both clicks moved."""
        self.moved.emit(0.0)
        self._end()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_0:
            self._end()
            self.moved.emit(0.0)
            self._end()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Without the focus the wheel scrolls the dock."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        if self._marks is None:
            self._marks = self._placed()
        for place, colour in self._marks:
            painter.fillRect(place, colour)
        if self.hasFocus():
            painter.setPen(OF_TYPE)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _end(self) -> None:
        """What has moved until now is one step of undo."""
        self._rest.stop()
        self.rested.emit()

    def _tell(self) -> None:
        self.moved.emit(self.strength())
        if not self.isSliderDown():
            self._rest.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._marks = None

    def _placed(self) -> tuple[tuple[QRect, QColor], ...]:
        """Where the bands and the mark of 0 lie: asked of the style once, not at each move."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None, "a widget has a style"
        groove, knob = (
            style.subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self)
            for part in (QStyle.SubControl.SC_SliderGroove, QStyle.SubControl.SC_SliderHandle)
        )
        first, last = self.minimum(), self.maximum()

        def x(strength: float) -> int:
            share = min(1.0, max(0.0, (strength * STEPS_PER_UNIT - first) / max(1, last - first)))
            return groove.left() + knob.width() // 2 + round((groove.width() - knob.width()) * share)

        bottom, marks = self.height() - BAND_PX, []
        for line, (colour, low, high) in enumerate(self._bands):
            left, right = x(low), x(high)
            marks.append((QRect(left, bottom - 2 * line, max(2, right - left), BAND_PX - line), colour))
        return (*marks, (QRect(x(0.0) - 1, bottom - BAND_PX, 2, 2 * BAND_PX), ZERO))


def _below(strength: float) -> int:
    """The last step that is not above a strength."""
    return int(strength * STEPS_PER_UNIT // 1)
