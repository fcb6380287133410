"""The elements of the store in a viewer: what the session has read becomes layers, a tick or an eye shows and hides."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.events import Event

from napari_spatia.session.session import Session
from napari_spatia.viewer.element_layers import element_specs
from napari_spatia.viewer.layers import ELEMENT, LayerSpec
from napari_spatia.viewer.slide_view import SlideView
from napari_spatia.viewer.warm_up import warm_up

OUTLINE_PX = 1


class ElementView:
    """Shows the session's elements: by layers of its own, or by the slide's where the slide is made of them."""

    def __init__(self, viewer: ViewerModel, session: Session, slide_view: SlideView) -> None:
        self._viewer = weakref.ref(viewer)
        self._session, self._slide_view = session, slide_view
        self._layers: dict[str, list[Layer]] = {}
        self._seen: dict[str, list[Layer]] = {}
        self._switching = self._stale = False
        self._steps: list[Callable[[], None]] = []
        session.state.events.element_pictures.connect(self._show_pictures)
        session.state.events.shown_elements.connect(self._take_shown)
        session.state.events.in_front.connect(self._take_turn)
        viewer.layers.events.inserted.connect(self._watch)
        viewer.layers.events.removed.connect(self._forget)

    def close(self) -> None:
        """Let go of the viewer and the session; the layers stay."""
        self._session.state.events.element_pictures.disconnect(self._show_pictures)
        self._session.state.events.shown_elements.disconnect(self._take_shown)
        self._session.state.events.in_front.disconnect(self._take_turn)
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.inserted.disconnect(self._watch)
            viewer.layers.events.removed.disconnect(self._forget)

    # -- session → layers -----------------------------------------------------------------------------------------

    def _show_pictures(self, pictures: Any = None) -> None:
        pictures, viewer = self._session.state.element_pictures, self._viewer()
        if viewer is None:
            return
        for path in [path for path in self._layers if path not in pictures]:
            for layer in self._layers.pop(path):
                if layer in viewer.layers:
                    viewer.layers.remove(layer)
        for path in [path for path in pictures if path not in self._layers]:
            self._layers[path] = []
            for spec in element_specs(path, pictures[path], viewer.scene.camera.zoom):
                self._steps.append(partial(self._add, path, spec))
        self._take_steps()

    def _take_steps(self) -> None:
        """Add one layer a turn of the window's loop: the window answers in between."""

        def accept(done: None) -> None:
            if self._steps and self._viewer() is not None:
                self._steps.pop(0)()
                self._take_steps()

        if self._steps:
            self._session.jobs.submit("element layers", lambda progress: warm_up(), accept)

    def _add(self, path: str, spec: LayerSpec) -> None:
        viewer = self._viewer()
        if viewer is None or path not in self._layers:
            return
        layer = Layer.create(
            spec.data, {**spec.options, "visible": path in self._session.state.shown_elements}, spec.kind
        )
        if spec.kind == "labels":
            layer.contour = OUTLINE_PX
        self._layers[path].append(layer)
        active = viewer.layers.selection.active
        cells = self._slide_view.colours
        under_cells = spec.kind != "points" and cells is not None
        viewer.layers.insert(viewer.layers.index(cells) if under_cells else len(viewer.layers), layer)
        viewer.layers.selection.active = active

    def _show_visible(self) -> None:
        own = {entry.path for entry in self._session.state.elements if entry.use}
        shown = self._session.state.shown_elements
        for path in {*self._layers, *own}:
            layers = self._of(path)
            if (path in shown) != any(layer.visible for layer in layers):
                self._switch(path, layers, path in shown)

    def _take_shown(self, shown: Any = None) -> None:
        """While another slide is in front all layers are hidden, whatever is ticked."""
        self._stale = not self._session.state.in_front
        if not self._stale:
            self._show_visible()

    def _take_turn(self, in_front: bool) -> None:
        if in_front and self._stale:
            self._stale = False
            self._steps.append(self._show_visible)
            self._take_steps()

    def _switch(self, path: str, layers: list[Layer], visible: bool) -> None:
        """Hide all layers of an element, or show those that were to be seen before."""
        if visible:
            layers = [layer for layer in self._seen.pop(path, []) if layer in layers] or layers
        else:
            self._seen[path] = [layer for layer in layers if layer.visible]
        self._switching = True
        for layer in layers:
            layer.visible = visible
        self._switching = False

    def _of(self, path: str) -> list[Layer]:
        """The layers of an element; of one that the slide is made of, those of the slide."""
        use = next((entry.use for entry in self._session.state.elements if entry.path == path), "")
        return self._slide_view.layers_of(use) if use else self._layers.get(path, [])

    # -- layers → session -----------------------------------------------------------------------------------------

    def _watch(self, event: Event) -> None:
        """A layer of an element tells when its eye in napari's list is opened or closed."""
        if ELEMENT in event.value.metadata:
            event.value.events.visible.connect(self._take_visible)

    def _take_visible(self, event: Event) -> None:
        state, told = self._session.state, event.source.metadata[ELEMENT]
        path = next((entry.path for entry in state.elements if told in (entry.path, entry.use)), None)
        if path is None or self._switching or not state.in_front or event.source not in (layers := self._of(path)):
            return
        others = state.shown_elements - {path}
        state.shown_elements = others | {path} if any(layer.visible for layer in layers) else others

    def _forget(self, event: Event) -> None:
        """A person took a layer off the list; an element without layers is forgotten."""
        path = event.value.metadata.get(ELEMENT)
        if path in self._layers and event.value in self._layers[path]:
            self._layers[path].remove(event.value)
            if not self._layers[path]:
                self._session.forget_element(path)
