"""The camera of a viewer: where the session wants to look goes into it, what it sees goes into the session."""

import weakref

from napari.components import ViewerModel
from napari.utils.events import Event

from napari_spatia.data.chunks import SlidePixels
from napari_spatia.data.pyramid import needs_pyramid
from napari_spatia.data.slide import Raster
from napari_spatia.session.session import Session
from napari_spatia.session.state import Goal, Window
from napari_spatia.viewer.pointer import Rest, at_once

GOAL_WIDTH_UM = 200.0
"""How much of the slide is on screen, at most, once the camera has gone to a cell."""

FIRST_PX = 2000
"""How much of a slide without coarser levels is in view at first, in its pixels."""
MARGIN = 0.05
"""Share of the screen that stays free around a whole slide, as napari leaves it."""
VIEW_REST_MS, GENES_REST_MS = 150, 400
"""How long the camera must rest before what it shows is told, and before the genes of that are looked for."""


class Camera:
    """Moves a viewer's camera to the session's goal, and tells the session what it shows when it rests."""

    def __init__(self, viewer: ViewerModel, session: Session, rest: Rest = at_once) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._rest = rest
        session.state.events.goal.connect(self._go)
        session.state.events.slide.connect(self._moved)
        session.state.events.in_front.connect(self._take_turn)
        self._left_at: tuple[tuple[float, ...], float] | None = None
        viewer.scene.camera.events.connect(self._moved)
        viewer.canvas.events.size.connect(self._moved)

    def close(self) -> None:
        """Let go of the viewer and the session."""
        self._session.state.events.goal.disconnect(self._go)
        self._session.state.events.slide.disconnect(self._moved)
        self._session.state.events.in_front.disconnect(self._take_turn)
        viewer = self._viewer()
        if viewer is not None:
            viewer.scene.camera.events.disconnect(self._moved)
            viewer.canvas.events.size.disconnect(self._moved)

    def _take_turn(self, in_front: bool) -> None:
        """Each slide has its own place of the camera: kept while another slide is in front."""
        viewer, state = self._viewer(), self._session.state
        if viewer is None:
            return
        shown, camera = state.slide or state.opening, viewer.scene.camera
        if not in_front:
            self._left_at = None if shown is None else (camera.center, camera.zoom)
        elif self._left_at is not None:
            camera.center, camera.zoom = self._left_at
        elif shown is not None:
            look_at(viewer, shown.image.extent_um)

    def _moved(self, event: Event | None = None) -> None:
        if self._session.state.slide is not None and self._session.state.in_front:
            self._rest("view", VIEW_REST_MS, self._tell)
            self._rest("view genes", GENES_REST_MS, self._session.show_view_genes)

    def _tell(self) -> None:
        viewer = self._viewer()
        if viewer is None or not self._session.state.in_front:
            return
        camera = viewer.scene.camera
        y, x = camera.center[-2:]
        half_y, half_x = (size / 2 / camera.zoom for size in viewer.canvas.size)
        self._session.see((y - half_y, x - half_x, y + half_y, x + half_x))

    def _go(self, goal: Goal | None) -> None:
        viewer = self._viewer()
        if viewer is None or goal is None or not self._session.state.in_front:
            return
        camera = viewer.scene.camera
        camera.center = (0.0, *goal.center_um)
        camera.zoom = max(camera.zoom, min(viewer.canvas.size) / GOAL_WIDTH_UM)


def look_at(viewer: ViewerModel, window_um: Window) -> None:
    """Show a part of the slide (y0, x0, y1, x1) whole, with a margin."""
    y0, x0, y1, x1 = window_um
    height, width = viewer.canvas.size
    viewer.scene.camera.center = (0.0, (y0 + y1) / 2, (x0 + x1) / 2)
    viewer.scene.camera.zoom = (1 - MARGIN) * min(height / max(y1 - y0, 1e-6), width / max(x1 - x0, 1e-6))


def first_window(image: Raster, pixels: SlidePixels) -> Window:
    """The whole slide, or its middle where that alone can be shown until coarser levels are made."""
    y0, x0, y1, x1 = image.extent_um
    if not needs_pyramid(pixels.stains[0]):
        return y0, x0, y1, x1
    half = FIRST_PX * image.um_per_px / 2
    y, x = (y0 + y1) / 2, (x0 + x1) / 2
    return y - half, x - half, y + half, x + half
