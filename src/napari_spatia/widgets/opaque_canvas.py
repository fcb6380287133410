"""The canvas covers what lies behind it, and Qt is told so."""

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget


class _Opaque(QObject):
    """Tells Qt again whenever a style sheet has been applied, which takes the attribute off."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            assert isinstance(watched, QWidget), "it watches the canvas alone"
            watched.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        return False


def paint_nothing_behind(viewer: ViewerModel) -> None:
    """Leave out what Qt paints behind each frame of the canvas, though the frame covers it.

    Without a graphics card that is 10 to 40 ms of a frame. Does nothing for a viewer without a window.
    """
    window = getattr(viewer, "window", None)
    if window is not None:
        _Opaque(window._qt_viewer.canvas.native)
