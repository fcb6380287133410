"""The camera of a viewer: where the session wants to look goes into it, what it sees goes into the session."""

import weakref

from napari.components import ViewerModel

from napari_spatia.session.session import Session
from napari_spatia.session.state import Goal

GOAL_WIDTH_UM = 200.0
"""How much of the slide is on screen, at most, once the camera has gone to a cell."""


class Camera:
    """Moves a viewer's camera to the session's goal."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        session.state.events.goal.connect(self._go)

    def close(self) -> None:
        """Let go of the session."""
        self._session.state.events.goal.disconnect(self._go)

    def _go(self, goal: Goal | None) -> None:
        viewer = self._viewer()
        if viewer is None or goal is None:
            return
        camera = viewer.scene.camera
        camera.center = (0.0, *goal.center_um)
        camera.zoom = max(camera.zoom, min(viewer.canvas.size) / GOAL_WIDTH_UM)
