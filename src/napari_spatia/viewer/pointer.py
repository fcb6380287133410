"""The mouse over the slide: where it rests goes into the session, which shows a card of the cell there."""

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.utils.events import Event

from napari_spatia.session.session import Session

REST_MS = 80
Rest = Callable[[str, int, Callable[[], None]], None]
"""``rest(name, ms, call)`` calls after a pause of ``ms``; a newer call of the name replaces one that waits."""


def at_once(name: str, ms: int, call: Callable[[], None]) -> None:
    """The `Rest` of who has no event loop: no pause."""
    call()


class Pointer:
    """Tells a session where the mouse rests on the slide of a viewer."""

    def __init__(self, viewer: ViewerModel, session: Session, rest: Rest = at_once) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._rest = rest
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.events.mouse_over_canvas.connect(self._on_border)
        viewer.scene.camera.events.connect(self._leave)

    def close(self) -> None:
        """Let go of the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.mouse_move_callbacks.remove(self._on_move)
            viewer.mouse_drag_callbacks.remove(self._on_press)
            viewer.events.mouse_over_canvas.disconnect(self._on_border)
            viewer.scene.camera.events.disconnect(self._leave)

    def move(self, y_um: float, x_um: float) -> None:
        """The mouse is at a point of the slide: what does not lie there any more goes at once, what does comes soon."""
        state = self._session.state
        if not state.in_front or not state.hover_shown or self._session.still_on(y_um, x_um):
            return
        if state.hovered is not None:
            self._session.point_away()
        self._rest("pointer", REST_MS, partial(self._session.point_at, y_um, x_um))

    def _on_move(self, viewer: ViewerModel, event: Any) -> None:
        if not event.is_dragging:
            self.move(float(event.position[-2]), float(event.position[-1]))

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        self._leave()
        yield

    def _on_border(self, event: Event) -> None:
        if not event.value:
            self._leave()

    def _leave(self, event: Event | None = None) -> None:
        if self._session.state.in_front:
            self._rest("pointer", 0, self._session.point_away)
