"""The widget that napari draws the slide on, as a dock finds it."""

from qtpy.QtWidgets import QWidget

CANVAS_CLASS = "CanvasBackendDesktop"
"""Of vispy: the window of OpenGL that listens to the keys of the slide."""


def canvas_in(window: QWidget) -> QWidget | None:
    """The canvas of a window, where it has one. Takes as long as a click."""
    return next((widget for widget in window.findChildren(QWidget) if type(widget).__name__ == CANVAS_CLASS), None)


def canvas_beside(widget: QWidget) -> QWidget | None:
    """The canvas of the window that a dock belongs to, also while it floats."""
    window = widget.window()
    while (owner := window.parentWidget()) is not None:
        window = owner.window()
    return canvas_in(window)
