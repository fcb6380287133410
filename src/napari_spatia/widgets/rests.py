"""Calls that wait until something rests: the mouse, the camera."""

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class Rests(QObject):
    """One timer a name; each request of the name starts its pause anew. A `napari_spatia.viewer.pointer.Rest`."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: dict[str, QTimer] = {}
        self._calls: dict[str, Callable[[], None]] = {}

    def __call__(self, name: str, ms: int, call: Callable[[], None]) -> None:
        if name not in self._timers:
            timer = QTimer(self)
            timer.setSingleShot(True)
            timer.timeout.connect(lambda: self._calls.pop(name)())
            self._timers[name] = timer
        self._calls[name] = call
        self._timers[name].start(ms)

    def close(self) -> None:
        """Forget what waits."""
        for timer in self._timers.values():
            timer.stop()
        self._calls.clear()
