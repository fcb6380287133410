"""Letters of the scale bar, drawn beforehand: each takes a fiftieth of a second at its first use."""

from collections.abc import Callable
from functools import partial

from napari.components import ViewerModel

LETTERS = "0123456789. µmnc" + "ÅÉÑŐjgpqy"
"""Of lengths that napari writes beside its scale bar, and those by which vispy finds the height of a line."""


def draw_letters(viewer: ViewerModel) -> list[Callable[[], object]]:
    """Steps that each draw one letter for the canvas of a viewer; none for a viewer without a window."""
    window = getattr(viewer, "window", None)
    if window is None:
        return []
    font_info = window._qt_viewer.canvas._font_info
    font = font_info.font_manager.get_font(font_info.face)
    return [partial(font.__getitem__, letter) for letter in LETTERS]
