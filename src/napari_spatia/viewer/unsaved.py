"""What closing the window would lose, told to napari, whose question before closing then says so."""

import weakref
from typing import Any
from uuid import UUID

from napari.components import ViewerModel
from napari.utils.task_status import Status

from napari_spatia.session.session import Session

PROVIDER = "napari-spatia"


class Unsaved:
    """A session's prediction, from when it is made until it is written into the slide."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._told: UUID | None = None
        session.state.events.prediction.connect(self._tell)
        session.state.events.prediction_saved.connect(self._tell)

    def close(self) -> None:
        """Nothing is kept from closing any more."""
        self._session.state.events.prediction.disconnect(self._tell)
        self._session.state.events.prediction_saved.disconnect(self._tell)
        self._take_back()

    def _tell(self, changed: Any = None) -> None:
        state, window = self._session.state, self._window()
        is_unsaved = state.prediction is not None and not state.prediction_saved
        if not is_unsaved:
            self._take_back()
        elif self._told is None and window is not None and state.slide is not None:
            text = f"the prediction for {state.slide.name} is not saved into the slide (Explorer, Save into slide)"
            self._told = window._register_task_status(PROVIDER, Status.PENDING, text)

    def _take_back(self) -> None:
        window = self._window()
        if self._told is not None and window is not None:
            window._update_task_status(self._told, Status.COMPLETED)
        self._told = None

    def _window(self) -> Any:
        return getattr(self._viewer(), "window", None)
