"""Whose each layer of a viewer is, when several slides are open in it: those of slides behind are hidden."""

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.events import Event

from napari_spatia.session.session import Session

OWN_PREFIX = "spatia"
"""A layer with a key of this prefix in its metadata was made for a slide and goes with it."""


class LayerOwners:
    """A layer belongs to the slide whose result is being taken over, else to the one in front, when it is added.

    Who adds a layer need not know of other slides: one that is added or made visible for a slide behind stays hidden
    until that slide comes to the front. So do a person's own layers, which belong to the slide they were drawn on.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._front: Session | None = None
        self._acting: Session | None = None
        self._owner: dict[Layer, Session] = {}
        self._wanted: set[Layer] = set()
        self._active: dict[Session, Layer] = {}
        self._titles: dict[Session, str] = {}
        viewer.layers.events.inserted.connect(self._take)
        viewer.layers.events.removed.connect(self._forget)

    def close(self) -> None:
        """Let go of the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.inserted.disconnect(self._take)
            viewer.layers.events.removed.disconnect(self._forget)
            for layer in self._owner:
                layer.events.visible.disconnect(self._hold)

    def act(self, session: Session, call: Callable[[], None]) -> None:
        """Make a call for a slide: layers that it adds are that slide's."""
        before, self._acting = self._acting, session
        try:
            call()
        finally:
            self._acting = before

    def of(self, session: Session) -> list[Layer]:
        """The layers of a slide."""
        return [layer for layer, owner in self._owner.items() if owner is session]

    def bring(self, session: Session) -> None:
        """Hide the layers of the slide that was in front, and show those of another as they were."""
        viewer = self._viewer()
        if viewer is None or session is self._front:
            return
        active = viewer.layers.selection.active
        before, self._front = self._front, session
        if before is None:
            return
        if active is not None and self._owner.get(active) is before:
            self._active[before] = active
        viewer.layers.selection.active = self._active.pop(session, None)
        self._switch_next()

    def _switch_next(self) -> None:
        """Hide or show one layer a turn of the window's loop, which costs napari up to 0.1 s.

        First what was added last: counterfactuals of a slide must not lie on another.
        """
        too_many = [layer for layer, owner in self._owner.items() if owner is not self._front and layer.visible]
        missing = [layer for layer in self._wanted if self._owner[layer] is self._front]
        if self._front is None or not (too_many or missing):
            return

        def accept(done: None) -> None:
            if too_many:
                self._hold(too_many[-1])
            elif missing[0] in self._wanted:
                self._wanted.remove(missing[0])
                missing[0].visible = True
            self._switch_next()

        self._front.jobs.submit("switch", lambda progress: None, accept)

    def remove(self, session: Session) -> None:
        """Take the layers that were made for a slide off the viewer; a person's own stay and belong to none."""
        viewer = self._viewer()
        for layer in self.of(session):
            if viewer is not None and _is_made_here(layer):
                viewer.layers.remove(layer)
            else:
                self._let_go(layer)
        self._titles.pop(session, None)
        self._active.pop(session, None)

    def name(self, titles: dict[Session, str]) -> None:
        """Name the layers with their slides, where there are several."""
        titles = titles if len(titles) > 1 else dict.fromkeys(titles, "")
        before, self._titles = self._titles, titles
        for layer, owner in self._owner.items():
            if owner in titles and before.get(owner, "") != titles[owner] and _is_made_here(layer):
                layer.name = layer.name.removesuffix(_ending(before, owner)) + _ending(titles, owner)

    def _take(self, event: Event) -> None:
        layer = event.value
        owner = self._acting or self._front
        if owner is None:
            return
        self._owner[layer] = owner
        if _is_made_here(layer):
            layer.name += _ending(self._titles, owner)
        layer.events.visible.connect(self._hold)
        self._hold(layer)

    def _hold(self, told: Any) -> None:
        """Keep a layer of a slide behind hidden, and remember that it is to be seen."""
        layer = told if isinstance(told, Layer) else told.source
        if self._owner.get(layer, self._front) is not self._front and layer.visible:
            self._wanted.add(layer)
            layer.visible = False

    def _forget(self, event: Event) -> None:
        self._let_go(event.value)

    def _let_go(self, layer: Layer) -> None:
        self._owner.pop(layer, None)
        self._wanted.discard(layer)
        with suppress(ValueError):  # napari's way of saying that it was not connected
            layer.events.visible.disconnect(self._hold)


def _is_made_here(layer: Layer) -> bool:
    return any(str(key).startswith(OWN_PREFIX) for key in layer.metadata)


def _ending(titles: dict[Session, str], session: Session) -> str:
    return f" · {titles[session]}" if titles.get(session) else ""
