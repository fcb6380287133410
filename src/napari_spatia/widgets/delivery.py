"""How results of background work reach the GUI thread."""

from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal, Slot


class GuiDelivery(QObject):
    """Runs calls on the thread on which this object was made, in the order in which they came."""

    _call = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._closed = False
        self._call.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def deliver(self, call: Callable[[], None]) -> None:
        """Queue a call; from any thread."""
        self._call.emit(call)

    def close(self) -> None:
        """Drop what is still queued."""
        self._closed = True

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()
