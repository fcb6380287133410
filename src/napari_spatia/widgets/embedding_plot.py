"""The picture of all cells in an embedding, under the mouse: painted by numpy, without OpenGL."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QPointF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QApplication, QSizePolicy, QWidget

from napari_spatia.session.scatter import Ink, Plot, Window, draw, nearest
from napari_spatia.session.selecting import ADD, REMOVE, REPLACE

PICK_PX = 6.0
RING_PX = 6.0
LEAST_PX = 220
ZOOM_PER_NOTCH = 1.25
NOTCH = 120
"""Qt's angle of one notch of a wheel."""
STEP_PX = 2
MISSING = (128, 128, 128, 255)
"""Colour of all cells while the slide is coloured by nothing."""


class EmbeddingPlot(QWidget):
    """Left drag draws a lasso (Shift adds, Alt removes), a left click picks, right or middle drag moves, the wheel
    zooms, a double click shows all.
    """

    lassoed = Signal(object, str)
    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(LEAST_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName("Map of the cells")
        self.plot: Plot | None = None
        self.window_shown: Window | None = None
        self._rgba: NDArray[np.uint8] = np.zeros((0, 4), np.uint8)
        self._ink: Ink | None = None
        self._chosen: NDArray[np.int64] | None = None
        self._selected: int | None = None
        self._picture: QImage | None = None
        self._path: list[QPoint] = []
        self._mode = REPLACE
        self._held: QPoint | None = None
        self._is_whole = True

    def sizeHint(self) -> QSize:
        return QSize(380, 380)

    # -- what is shown --------------------------------------------------------------------------------------------

    def show_plot(self, plot: Plot | None) -> None:
        """Show another embedding, whole."""
        if plot is not self.plot:
            self.plot, self._is_whole, self._path = plot, True, []
            self._redraw()

    def show_colours(self, rgba: NDArray[np.uint8] | None, chosen: NDArray[np.int64] | None) -> None:
        """Paint the cells in colours `(N, 4)`; those not ``chosen`` (rows) fainter. All grey where there are none."""
        num_cells = 0 if self.plot is None else len(self.plot.points)
        rgba = np.tile(np.array(MISSING, np.uint8), (num_cells, 1)) if rgba is None else rgba
        if rgba is not self._rgba:
            self._rgba, self._ink = rgba, None
        self._chosen = chosen
        self._redraw()

    def mark(self, selected: int | None) -> None:
        """Put a ring around one cell (row)."""
        self._selected = selected
        self.update()

    def _redraw(self) -> None:
        self._picture = None
        self.update()

    @property
    def view(self) -> Window:
        """The part of the plot on screen."""
        assert self.plot is not None, "there is a plot under the mouse"
        shape_px = (max(1, self.height()), max(1, self.width()))
        if self.window_shown is None or self._is_whole:
            self.window_shown = Window.around(self.plot.points, shape_px)
        elif self.window_shown.shape_px != shape_px:
            self.window_shown = Window(self.window_shown.center, self.window_shown.scale, shape_px)
        return self.window_shown

    def _look(self, window: Window) -> None:
        self.window_shown, self._is_whole = window, False
        self._redraw()

    def _paint_cells(self) -> QImage:
        """Painted when it is asked for: a plot behind another tab costs nothing."""
        assert self.plot is not None
        if self._ink is None:
            self._ink = Ink.of(self._rgba)
        pixels = draw(self.plot.points, self._ink, self._chosen, self.view)
        height, width = pixels.shape[:2]
        return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        if self.plot is not None and len(self.plot.points) == len(self._rgba):
            if self._picture is None:
                self._picture = self._paint_cells()
            painter.drawImage(0, 0, self._picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_ring(painter)
            painter.setPen(QPen(self.palette().text().color(), 1.5))
            painter.drawPolygon(QPolygonF([QPointF(place) for place in self._path]))
        painter.end()

    def _paint_ring(self, painter: QPainter) -> None:
        if self.plot is None or self._selected is None or self._selected >= len(self.plot.points):
            return
        column, row = self.view.to_px(self.plot.points[[self._selected]])
        if not np.isfinite(column[0] + row[0]):
            return
        for colour, width in ((QColor(0, 0, 0), 4.0), (QColor(255, 255, 255), 2.0)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(QPointF(float(column[0]), float(row[0])), RING_PX, RING_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._redraw()

    # -- the mouse ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.plot is None:
            return
        place = event.position().toPoint()
        if event.button() == Qt.MouseButton.LeftButton:
            keys = event.modifiers()
            shift, alt = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
            self._mode = ADD if keys & shift else REMOVE if keys & alt else REPLACE
            self._path = [place]
        else:
            self._held = place

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        if self._held is not None:
            moved = place - self._held
            self._held = place
            self._look(self.view.moved(moved.x(), moved.y()))
        elif self._path and (place - self._path[-1]).manhattanLength() >= STEP_PX:
            self._path.append(place)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        path, self._path = self._path, []
        if self.plot is None or not path or event.button() != Qt.MouseButton.LeftButton:
            return
        self.update()
        far = max((place - path[0]).manhattanLength() for place in path)
        if far < QApplication.startDragDistance():
            self._pick(path[0])
        elif len(path) > 2:
            corners = np.array([(place.x() + 0.5, place.y() + 0.5) for place in path])
            self.lassoed.emit(self.view.to_plot(corners), self._mode)

    def _pick(self, place: QPoint) -> None:
        assert self.plot is not None
        row = nearest(self.plot.points, self._rgba, self.view, (place.x() + 0.5, place.y() + 0.5), PICK_PX)
        if row is not None:
            self.picked.emit(row)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._is_whole, self._path = True, []
        self._redraw()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.plot is not None:
            factor = ZOOM_PER_NOTCH ** (event.angleDelta().y() / NOTCH)
            self._look(self.view.zoomed(factor, (event.position().x(), event.position().y())))
            event.accept()
