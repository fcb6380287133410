"""Driving the real window as a hand would: real mouse events in, painted pixels out. For the demo and the benchmark."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from napari.viewer import Viewer
from qtpy.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider, QWidget

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.session.session import Session
from napari_spatia.widgets.arrange import CELL, show_docks
from napari_spatia.widgets.canvas import canvas_in
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.host import hosts_for, session_for
from napari_spatia.widgets.log2_slider import STEPS_PER_UNIT

TICK_MS = 10
MB = 1 << 20
MOVE_EVERY_S = 1 / 30
"""Between two moves of a slider that is dragged."""
LEFT = Qt.MouseButton.LeftButton


class Driver:
    """One window, its session, and the means to use it by hand."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.session: Session = session_for(viewer)
        self.docks = show_docks(viewer)
        inner = self.docks[CELL].findChild(CellDock)
        assert inner is not None, "the Cell dock is open"
        self.cell_dock: CellDock = inner
        self._tick = QTimer()
        self._tick.start(TICK_MS)

    def until(self, done: Callable[[], bool], doing: str, limit_s: float = 120.0) -> None:
        """Let the window live until ``done``. Raises the window's own error message when it shows one."""
        end = time.monotonic() + limit_s
        while not done():
            self._next_events()
            notice = self.session.state.notice
            if notice is not None and notice.is_error:
                raise SpatiaError(notice.text)
            if time.monotonic() > end:
                raise SpatiaError(f"The window did not finish {doing} within {limit_s:g} s.")

    def settle(self, seconds: float = 0.3) -> None:
        """Let the window draw what is pending."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._next_events()

    def _next_events(self) -> None:
        """Sleep until something happens in the window, as its own event loop does, or until the next tick."""
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

    def ready(self) -> None:
        """Wait for the slide and the checkpoint."""
        self.until(lambda: self.session.state.bound, "opening the slide and the model")
        self.settle()

    def picture_rests(self) -> None:
        """Wait for the picture of the edit in all its passes."""
        kinds = ("select", "refine", "render")

        def rests() -> bool:
            state = self.session.state
            running = any(state.jobs[kind].running for kind in kinds if kind in state.jobs)
            return state.counterfactual is not None and state.counterfactual.cell is state.cell and not running

        self.until(rests, "drawing the cell")

    def look_at(self, y_um: float, x_um: float, width_um: float) -> None:
        """Show a part of the slide, ``width_um`` wide."""
        canvas = self.canvas
        self.viewer.scene.camera.zoom = canvas.width() / width_um
        self.viewer.scene.camera.center = (0.0, y_um, x_um)
        self.settle()

    @property
    def is_reading(self) -> bool:
        """Whether pixels on screen stand in for others that are being read."""
        return hosts_for(self.viewer).unread.is_reading

    @cached_property
    def canvas(self) -> QWidget:
        """The widget that the slide is drawn on. Looked for once: it takes as long as a click."""
        canvas = canvas_in(self.docks[CELL].window())
        assert canvas is not None, "napari draws on a vispy canvas"
        return canvas

    @property
    def vispy_canvas(self) -> Any:
        """Vispy's side of the same canvas; it tells of each frame."""
        return self.canvas._vispy_canvas

    def place_of(self, y_um: float, x_um: float) -> QPoint:
        """Where a point of the slide lies on the canvas."""
        canvas, camera = self.canvas, self.viewer.scene.camera
        _, center_y, center_x = camera.center
        return QPoint(
            round(canvas.width() / 2 + (x_um - center_x) * camera.zoom),
            round(canvas.height() / 2 + (y_um - center_y) * camera.zoom),
        )

    def click_slide(self, y_um: float, x_um: float) -> None:
        """A real left click on the canvas at a point of the slide."""
        self.point_at(y_um, x_um)
        self.press_here(y_um, x_um)

    def point_at(self, y_um: float, x_um: float) -> None:
        """Move the mouse to a point of the slide."""
        mouse(self.canvas, QMouseEvent.Type.MouseMove, self.place_of(y_um, x_um), Qt.MouseButton.NoButton)
        self.settle(0.05)

    def press_here(self, y_um: float, x_um: float) -> None:
        """Press and release where the mouse already is."""
        canvas, place = self.canvas, self.place_of(y_um, x_um)
        mouse(canvas, QMouseEvent.Type.MouseButtonPress, place, LEFT)
        mouse(canvas, QMouseEvent.Type.MouseButtonRelease, place, LEFT)

    def drag_slider(self, slider: QSlider, values: Sequence[float]) -> list[float]:
        """Drag a gene slider through log2_fc ``values``, a move every `MOVE_EVERY_S`, whether or not it is drawn yet.

        → ms from when each move was due until a picture of it, or of a newer one, is on screen.
        """
        state, painted = self.session.state, self.cell_dock.pictures.edited.painted
        due: list[float] = []
        edits: list[Edit] = []
        times: list[float] = []

        def note() -> None:
            shown = state.resolved and state.resolved.edit
            newest = max((number for number, edit in enumerate(edits) if edit == shown), default=-1)
            times.extend(1e3 * (time.perf_counter() - began) for began in due[len(times) : newest + 1])

        mouse(slider, QMouseEvent.Type.MouseButtonPress, handle(slider), LEFT)
        painted.connect(note)
        try:
            first = time.perf_counter()
            for number, value in enumerate(values):
                self._at(first + number * MOVE_EVERY_S)
                before = slider.value()
                mouse(slider, QMouseEvent.Type.MouseMove, handle(slider, round(value * STEPS_PER_UNIT)), LEFT)
                if slider.value() != before:
                    due.append(first + number * MOVE_EVERY_S)
                    edits.append(state.edit.present.active())
            self.until(lambda: len(times) == len(due), "drawing the edited cell", limit_s=20.0)
        finally:
            painted.disconnect(note)
        mouse(slider, QMouseEvent.Type.MouseButtonRelease, handle(slider), LEFT)
        return times

    def _at(self, when_s: float) -> None:
        """Let the window live until a time of `time.perf_counter`."""
        left_ms = 1e3 * (when_s - time.perf_counter())
        if left_ms > 0:
            loop = QEventLoop()
            QTimer.singleShot(round(left_ms), Qt.TimerType.PreciseTimer, loop.quit)
            loop.exec()

    def close(self) -> None:
        """Stop all work and close the window."""
        self._tick.stop()
        self.session.close()
        self.viewer.close()

    def screenshot(self, path: Path) -> Path:
        """The whole window, as it is on the screen."""
        self.settle()
        self.viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        return path


class Watchdog:
    """Longest time for which the GUI thread did not answer, in ms."""

    EVERY_MS = 5

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> "Watchdog":
        self._last = time.perf_counter()
        self._timer.start(self.EVERY_MS)
        return self

    def __exit__(self, *_: Any) -> None:
        self._tick()  # a block may last to the end
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest_ms = max(self.longest_ms, (now - self._last) * 1e3 - self.EVERY_MS)
        self._last = now


def mouse(widget: QWidget, kind: QMouseEvent.Type, place: QPoint, button: Qt.MouseButton) -> None:
    """Send one mouse event to a widget, as the window system would."""
    moving = kind == QMouseEvent.Type.MouseMove
    held = Qt.MouseButton.NoButton if kind == QMouseEvent.Type.MouseButtonRelease else button
    where = QPointF(place)
    event = QMouseEvent(
        kind,
        where,
        QPointF(widget.mapToGlobal(place)),
        Qt.MouseButton.NoButton if moving else button,
        held,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def handle(slider: QSlider, value: int | None = None) -> QPoint:
    """Centre of a slider's handle where it is, or where it would be at ``value``."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    if value is not None:
        option.sliderPosition = value
        option.sliderValue = value
    style = slider.style()
    assert style is not None
    box = style.subControlRect(QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider)
    return box.center()


def median_and_p95(times_ms: Sequence[float]) -> tuple[float, float]:
    """50th and 95th percentile, rounded to 0.1 ms."""
    return round(statistics.median(times_ms), 1), round(float(np.percentile(times_ms, 95)), 1)


def resident_mb() -> float:
    """Memory of this process that lies in RAM, in MB."""
    return psutil.Process().memory_info().rss / MB
