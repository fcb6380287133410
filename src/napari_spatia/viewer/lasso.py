"""The lasso and the box on the slide: what a drag draws goes to the session as a polygon in µm."""

import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.utils.events import Event
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.session.selecting import ADD, BOX, LASSO, REMOVE, REPLACE
from napari_spatia.session.session import Session
from napari_spatia.viewer import keys
from napari_spatia.viewer.layers import OWN

LAYER = "lasso"
KEYS = {keys.LASSO: LASSO, keys.BOX: BOX}
DRAW_EVERY_S = 1 / 30
STEP_PX = 2
"""A corner is kept where the hand has moved as far as this on the screen."""
LINE_PX = 1.5
CURSOR = "cross"


class Lasso:
    """Draws on one viewer while ``state.tool`` says so; the keys L and B switch it on, Escape off."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._layer: Shapes | None = None
        self._drawn_at = 0.0
        session.state.events.tool.connect(self._show_tool)
        session.state.events.in_front.connect(self._take_turn)
        viewer.mouse_drag_callbacks.append(self._on_press)
        self._take_turn(session.state.in_front)

    def close(self) -> None:
        """Let go of the viewer and the session."""
        self._session.state.events.tool.disconnect(self._show_tool)
        self._session.state.events.in_front.disconnect(self._take_turn)
        viewer = self._viewer()
        if viewer is not None:
            viewer.mouse_drag_callbacks.remove(self._on_press)
            if self._session.state.in_front:
                for key in (*KEYS, keys.LEAVE):
                    viewer.bind_key(key.key, None)

    def _take_turn(self, in_front: bool) -> None:
        """The keys and the cursor are those of the slide in front."""
        viewer = self._viewer()
        if viewer is None or not in_front:
            return
        for key, tool in KEYS.items():
            viewer.bind_key(key.key, lambda _viewer, tool=tool: self._use(tool), overwrite=True)
        viewer.bind_key(keys.LEAVE.key, lambda _viewer: self._use(""), overwrite=True)
        self._show_tool(self._session.state.tool)

    def _use(self, tool: str) -> None:
        try:
            self._session.use_tool(tool)
        except SpatiaError as error:
            self._session.tell_error(str(error))

    def _show_tool(self, tool: str) -> None:
        """The view stays where it is as long as a drag draws."""
        viewer = self._viewer()
        if viewer is not None and self._session.state.in_front:
            active = viewer.layers.selection.active
            draws = tool in KEYS.values()
            viewer.scene.camera.mouse_pan = not draws and (active is None or active.mouse_pan)
            viewer.cursor.style = CURSOR if draws else "standard"

    def _on_press(self, viewer: ViewerModel, event: Event) -> Iterator[None]:
        """A drag with the left button while a tool is on; Shift adds to the choice, Alt takes from it."""
        tool = self._session.state.tool
        if event.button != 1 or tool not in KEYS.values() or not self._session.state.in_front:
            return
        viewer.scene.camera.mouse_pan = False  # napari puts it on whenever another layer becomes the active one
        mode = mode_of(event.modifiers)
        corners = [_place(event)]
        step_um = STEP_PX / max(viewer.scene.camera.zoom, 1e-9)
        yield
        while event.type == "mouse_move":
            if np.abs(_place(event) - corners[-1]).max() >= step_um:
                corners.append(_place(event))
                self._draw(viewer, outline(tool, corners))
            yield
        self._erase(viewer)
        path = outline(tool, corners)
        if len(corners) > 1 and len(path) > 2 and self._session.state.tool == tool:
            self._session.choose_inside(path, mode)

    def _draw(self, viewer: ViewerModel, path: NDArray[np.float64]) -> None:
        now = time.monotonic()
        if now - self._drawn_at < DRAW_EVERY_S:
            return
        self._drawn_at = now
        closed = np.vstack([path, path[:1]])
        if self._layer is None:
            active = viewer.layers.selection.active
            self._layer = viewer.add_shapes(name=LAYER, ndim=2, opacity=1.0, **OWN)
            viewer.layers.selection.active = active
            viewer.scene.camera.mouse_pan = False
        self._layer.data = []
        width = LINE_PX / max(viewer.scene.camera.zoom, 1e-9)
        self._layer.add_paths(closed, edge_color="white", edge_width=width)

    def _erase(self, viewer: ViewerModel) -> None:
        if self._layer is not None and self._layer in viewer.layers:
            viewer.layers.remove(self._layer)
        self._layer, self._drawn_at = None, 0.0


def mode_of(modifiers: Any) -> str:
    """What a drag with these modifier keys does to the choice."""
    return ADD if "Shift" in modifiers else REMOVE if "Alt" in modifiers else REPLACE


def outline(tool: str, corners: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """`(K, 2)` (y, x) that a drag through ``corners`` encloses: its path, or the box from its first to its last."""
    if tool != BOX:
        return np.array(corners)
    (y0, x0), (y1, x1) = corners[0], corners[-1]
    return np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)])


def _place(event: Event) -> NDArray[np.float64]:
    return np.asarray(event.position[-2:], dtype=np.float64)
