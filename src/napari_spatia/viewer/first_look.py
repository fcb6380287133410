"""The stains of a slide whose cells are still being read: pixels are on screen at once."""

import weakref
from collections.abc import Sequence
from functools import partial

from napari.components import ViewerModel
from napari.layers import Layer

from napari_spatia.session.opened import SlidePicture
from napari_spatia.session.session import Session
from napari_spatia.viewer import layers as specs
from napari_spatia.viewer.camera import first_window, look_at
from napari_spatia.viewer.plain_shader import shade_plainly
from napari_spatia.viewer.turns import in_turns
from napari_spatia.viewer.warm_up import is_warm


class FirstLook:
    """Shows ``state.opening`` until the slide takes its layers over, or takes them away with it."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._picture: SlidePicture | None = None
        self._layers: list[Layer] = []
        session.state.events.opening.connect(self._show)

    def close(self) -> None:
        """Let go of the session; the layers stay."""
        self._session.state.events.opening.disconnect(self._show)

    def take(self, stains: Sequence[Sequence[object]]) -> list[Layer]:
        """Hand over the layers of these ``stains``: those that there are yet, none of another slide."""
        if self._picture is None or self._picture.pixels.stains is not stains:
            return []
        layers, self._layers, self._picture = self._layers, [], None
        return layers

    def _show(self, picture: SlidePicture | None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        for layer in self._layers:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        self._layers, self._picture = [], picture
        if picture is not None:
            stains = specs.channel_specs(picture, picture.limits, picture.pixels.stains)
            steps = [partial(self._add, viewer, picture, spec) for spec in stains]
            if is_warm() and self._session.state.in_front:
                # At once: the cells are read from the end of this event on, and slow all that follows.
                steps.pop(0)()
            in_turns(self._session.jobs, steps, lambda: self._picture is picture and self._viewer() is not None)

    def _add(self, viewer: ViewerModel, picture: SlidePicture, spec: specs.LayerSpec) -> None:
        layer = viewer.add_image(spec.data, **spec.options)
        shade_plainly(viewer, layer)
        self._layers.append(layer)
        if len(self._layers) == 1 and self._session.state.in_front:
            look_at(viewer, first_window(picture.image, picture.pixels))
