"""What in the scene a press or a turn of the wheel goes to, told from its place."""

from napari.components import ViewerModel
from vispy.scene import ViewBox


def pick_without_drawing(viewer: ViewerModel) -> None:
    """Nothing else is drawn for a press of the mouse or a turn of its wheel.

    vispy draws the whole scene once more for each, in colours that name its parts, to see what lies there: without a
    graphics card 10 to 30 ms. In napari that is the one view on the slide, but for a grid of layers, where vispy still
    looks. Does nothing for a viewer without a window.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    canvas = window._qt_viewer.canvas
    scene = canvas._scene_canvas
    by_drawing = scene.visual_at

    def visual_at(position: tuple[float, float]) -> ViewBox | None:
        if viewer.canvas.grid.enabled:
            return by_drawing(position)
        return canvas.view if canvas.view.interactive else None

    scene.visual_at = visual_at
