"""What the canvas of a viewer shows, as a picture."""

import numpy as np
from napari.viewer import Viewer

from napari_spatia.data.picture import Picture


def view_picture(viewer: Viewer) -> Picture:
    """`(H, W, 3)` uint8 RGB of the canvas as it is on screen; with a scale bar, even where a person has hidden it."""
    scale_bar = viewer.canvas.overlays.scale_bar
    hidden, scale_bar.visible = not scale_bar.visible, True
    try:
        return np.ascontiguousarray(viewer.screenshot(canvas_only=True, flash=False)[..., :3])
    finally:
        scale_bar.visible = not hidden
