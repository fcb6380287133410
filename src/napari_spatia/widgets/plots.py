"""Two plots painted by Qt in the colours of the theme: a curve over doses, and the effects of many genes in order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_spatia.inference.reach_bands import BANDS, band
from napari_spatia.widgets.gauges import BAND_COLOURS
from napari_spatia.widgets.measure_table import number_text, signed

LEFT_PX, RIGHT_PX, TOP_PX, TITLE_PX, TICKS_PX = 52, 8, 20, 19, 15
HEIGHT_PX = 190
DOT_PX, NEAR_PX = 4.0, 9.0
LINE, SEEN, NOISE = QColor("#4c86c6"), QColor(63, 158, 107, 50), QColor(128, 128, 128, 70)
NAMED = 3
"""Genes at each end of an order that are named in the plot, where their names do not lie on each other."""
NAME_PX = 12


class Axes(QWidget):
    """A frame with two axes; subclasses paint into it and say what lies at each point."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.x_range, self.y_range = (0.0, 1.0), (0.0, 1.0)
        self.x_title = self.y_title = ""
        self.x_ticks: tuple[float, ...] = ()

    @property
    def ink(self) -> QColor:
        return self.palette().color(QPalette.ColorRole.WindowText)

    @property
    def room(self) -> QRectF:
        """Where the data go."""
        below_px = TITLE_PX + (TICKS_PX if self.x_ticks else 0)
        width, height = self.width() - LEFT_PX - RIGHT_PX, self.height() - TOP_PX - below_px
        return QRectF(LEFT_PX, TOP_PX, max(1, width), height)

    def place(self, x: float, y: float) -> QPointF:
        """The pixel of a point."""
        room, (left, right), (low, high) = self.room, self.x_range, self.y_range
        return QPointF(
            room.left() + (x - left) / (right - left) * room.width(),
            room.bottom() - (y - low) / (high - low) * room.height(),
        )

    def points(self) -> Sequence[QPointF]:
        """Where the dots are."""
        return ()

    def nearest(self, place: QPointF) -> int | None:
        """The dot under the mouse."""
        away = [math.hypot(dot.x() - place.x(), dot.y() - place.y()) for dot in self.points()]
        found = min(range(len(away)), key=away.__getitem__, default=None)
        return found if found is not None and away[found] <= NEAR_PX else None

    def said(self, number: int) -> str:
        """What the card at a dot says."""
        raise NotImplementedError

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        number = self.nearest(event.position())
        if number is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.said(number), self)

    def paint_frame(self, painter: QPainter) -> None:
        """Axes, ticks and titles."""
        room, metrics = self.room, QFontMetrics(self.font())
        faint = QColor(self.ink)
        faint.setAlpha(90)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(room.bottomLeft(), room.bottomRight())
        painter.drawLine(room.bottomLeft(), room.topLeft())
        if self.y_range[0] < 0 < self.y_range[1]:
            painter.drawLine(self.place(self.x_range[0], 0), self.place(self.x_range[1], 0))
        painter.setPen(self.ink)
        for value in ticks(*self.y_range):
            y = self.place(self.x_range[0], value).y()
            line = QRectF(0, y - 8, LEFT_PX - 5, 16)
            painter.drawText(line, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), tick_text(value))
        for value in self.x_ticks:
            x = self.place(value, self.y_range[0]).x()
            painter.drawText(
                QRectF(x - 30, room.bottom() + 2, 60, 15), int(Qt.AlignmentFlag.AlignHCenter), tick_text(value)
            )
        title = metrics.elidedText(self.y_title, Qt.TextElideMode.ElideRight, self.width() - 8)
        painter.drawText(QRectF(4, 1, self.width() - 8, 16), int(Qt.AlignmentFlag.AlignLeft), title)
        below = QRectF(LEFT_PX, self.height() - 17, room.width(), 16)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter), self.x_title)


@dataclass(frozen=True, slots=True)
class Curve:
    """A feature over doses; ``before`` is its value with nothing edited, ``seen`` the doses that real cells express."""

    doses: tuple[float, ...]
    values: tuple[float, ...]
    reach: tuple[float | None, ...]
    before: float
    seen: tuple[float, float] | None
    x_title: str
    y_title: str


class CurvePlot(Axes):
    """The values as dots in the colours of their reach, joined; a band where real cells express the gene so."""

    def __init__(self) -> None:
        super().__init__("Curve of the feature over doses")
        self.curve: Curve | None = None

    def show_curve(self, curve: Curve | None) -> None:
        self.curve = curve
        if curve is not None:
            pad = 0.04 * (curve.doses[-1] - curve.doses[0])
            self.x_range = curve.doses[0] - pad, curve.doses[-1] + pad
            self.x_ticks = curve.doses if len(curve.doses) <= 9 else (curve.doses[0], 0.0, curve.doses[-1])
            self.y_range = padded([*curve.values, curve.before])
            self.x_title, self.y_title = curve.x_title, curve.y_title
        self.update()

    def points(self) -> Sequence[QPointF]:
        if self.curve is None:
            return ()
        known = zip(self.curve.doses, self.curve.values, strict=True)
        return [self.place(x, y) if math.isfinite(y) else QPointF(-1e6, -1e6) for x, y in known]

    def said(self, number: int) -> str:
        assert self.curve is not None
        reach = self.curve.reach[number]
        where = "" if reach is None else f"\n{BANDS[band(reach)][1].capitalize()} (percentile {reach:.0f})"
        return f"{self.curve.x_title} {self.curve.doses[number]:+g}: {number_text(self.curve.values[number])}{where}"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        curve = self.curve
        if curve is not None:
            self._paint_seen(painter, curve)
            self.paint_frame(painter)
            before = self.place(0, curve.before).y()
            if math.isfinite(before):
                painter.setPen(QPen(self.ink, 1, Qt.PenStyle.DotLine))
                painter.drawLine(QPointF(self.room.left(), before), QPointF(self.room.right(), before))
            dots = [(dot, reach) for dot, reach in zip(self.points(), curve.reach, strict=True) if dot.x() > 0]
            painter.setPen(QPen(LINE, 1.5))
            painter.drawPolyline(QPolygonF([dot for dot, _ in dots]))
            for dot, reach in dots:
                painter.setPen(QPen(self.ink, 0.8))
                painter.setBrush(LINE if reach is None else QColor(BAND_COLOURS[band(reach)]))
                painter.drawEllipse(dot, DOT_PX, DOT_PX)
        painter.end()

    def _paint_seen(self, painter: QPainter, curve: Curve) -> None:
        if curve.seen is None:
            return
        left, right = (min(max(dose, self.x_range[0]), self.x_range[1]) for dose in curve.seen)
        room = self.room
        x = self.place(left, self.y_range[0]).x()
        painter.fillRect(QRectF(x, room.top(), self.place(right, 0).x() - x, room.height()), SEEN)


@dataclass(frozen=True, slots=True)
class Effects:
    """Genes in the order of their effects, largest first in size; ``null_sd`` is what noise alone makes of one."""

    genes: tuple[str, ...]
    effect: tuple[float, ...]
    null_sd: float
    y_title: str


class EffectPlot(Axes):
    """Every gene a dot, from the lowest effect to the highest, and a band of the noise; a click picks one."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__("Effect of each gene on the feature")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.genes: tuple[str, ...] = ()
        self.effect = np.empty(0)
        self.null_sd, self.marked = float("nan"), ""

    def show_effects(self, effects: Effects | None) -> None:
        if effects is None:
            self.genes, self.effect = (), np.empty(0)
        else:
            values = np.array(effects.effect)
            order = [number for number in np.argsort(values, kind="stable") if np.isfinite(values[number])]
            self.genes, self.effect = tuple(effects.genes[number] for number in order), values[order]
            self.null_sd = effects.null_sd
            self.x_range = (-0.5, max(0.5, len(self.genes) - 0.5))
            noise = [self.null_sd, -self.null_sd] if math.isfinite(self.null_sd) else []
            self.y_range = padded([*self.effect, *noise, 0.0])
            self.x_title, self.y_title = f"{len(self.genes)} genes, by effect", effects.y_title
        self.update()

    def mark(self, gene: str) -> None:
        """Put a ring around a gene."""
        self.marked = gene
        self.update()

    def points(self) -> Sequence[QPointF]:
        return [self.place(number, value) for number, value in enumerate(self.effect)]

    def said(self, number: int) -> str:
        return f"{self.genes[number]}: {signed(float(self.effect[number]))}\nNoise alone: ± {number_text(self.null_sd)}"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self.nearest(event.position())
        if number is not None:
            self.picked.emit(self.genes[number])

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self.genes):
            if math.isfinite(self.null_sd):
                top, bottom = (self.place(0, y).y() for y in (self.null_sd, -self.null_sd))
                painter.fillRect(QRectF(self.room.left(), top, self.room.width(), bottom - top), NOISE)
            self.paint_frame(painter)
            dots = self.points()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(LINE)
            for dot in dots:
                painter.drawEllipse(dot, 2.2, 2.2)
            self._paint_names(painter, dots)
        painter.end()

    def _paint_names(self, painter: QPainter, dots: Sequence[QPointF]) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self.ink)
        middle, last = int(Qt.AlignmentFlag.AlignVCenter), len(dots) - 1
        for number in range(min(NAMED, len(dots))):  # the lowest, below the curve
            if number == 0 or dots[number - 1].y() - NAME_PX > dots[number].y():
                x, y = dots[number].x(), dots[number].y()
                painter.drawText(QRectF(x + 7, y, 120, NAME_PX), middle, self.genes[number])
        for number in range(max(0, last - NAMED + 1), last + 1):  # the highest, above it
            if number == last or dots[number + 1].y() + NAME_PX < dots[number].y():
                x, y = dots[number].x(), dots[number].y()
                line = QRectF(x - 127, y - NAME_PX, 120, NAME_PX)
                painter.drawText(line, middle | int(Qt.AlignmentFlag.AlignRight), self.genes[number])
        if self.marked in self.genes:
            painter.setPen(QPen(self.ink, 1.5))
            painter.drawEllipse(dots[self.genes.index(self.marked)], 6, 6)


def padded(values: Sequence[float]) -> tuple[float, float]:
    """A range around the finite values with room at both ends, never empty."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    pad = 0.08 * (high - low) or max(0.05 * abs(high), 0.5)
    return low - pad, high + pad


def ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers between two ends."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return tuple(number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1))


def tick_text(value: float) -> str:
    """A number at an axis."""
    return f"{value:.4g}".replace("-", "−")
