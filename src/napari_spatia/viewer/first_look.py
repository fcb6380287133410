"""The pixels of a slide whose cells are still being read: they are on screen at once."""

import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_spatia.data.chunks import SlidePixels
from napari_spatia.session.opened import SlidePicture
from napari_spatia.session.session import Session
from napari_spatia.viewer import layers as specs
from napari_spatia.viewer.camera import first_window, look_at
from napari_spatia.viewer.overlay import ColourSource
from napari_spatia.viewer.plain_shader import shade_plainly
from napari_spatia.viewer.turns import in_turns
from napari_spatia.viewer.warm_up import is_warm


@dataclass(slots=True)
class ShownPixels:
    """The layers that there are yet: stains, and cells, which have no colour in ``source`` so far."""

    stains: list[Layer] = field(default_factory=list)
    colours: Image | None = None
    source: ColourSource = field(default_factory=ColourSource)


class FirstLook:
    """Shows ``state.opening`` until the slide takes its layers over, or takes them away with it."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._picture: SlidePicture | None = None
        self._shown = ShownPixels()
        session.state.events.opening.connect(self._show)

    def close(self) -> None:
        """Let go of the session; the layers stay."""
        self._session.state.events.opening.disconnect(self._show)

    def take(self, pixels: SlidePixels) -> ShownPixels:
        """Hand over the layers of these ``pixels``: those that there are yet, none of another slide."""
        if self._picture is None or self._picture.pixels.stains is not pixels.stains:
            return ShownPixels()
        shown, self._shown, self._picture = self._shown, ShownPixels(), None
        return shown

    def _show(self, picture: SlidePicture | None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        for layer in (*self._shown.stains, self._shown.colours):
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        self._shown, self._picture = ShownPixels(), picture
        if picture is None:
            return
        stains = specs.channel_specs(picture, picture.limits, picture.pixels.stains)
        steps = [partial(self._add_stain, viewer, picture, spec) for spec in stains]
        if is_warm() and self._session.state.in_front:
            # At once: the cells are read from the end of this event on, and slow all that follows.
            steps.pop(0)()
        if picture.labels is not None:
            steps.append(partial(self._add_colours, viewer, picture))
        in_turns(self._session.jobs, steps, lambda: self._picture is picture and self._viewer() is not None)

    def _add_stain(self, viewer: ViewerModel, picture: SlidePicture, spec: specs.LayerSpec) -> None:
        self._shown.stains.append(self._add(viewer, spec))
        if len(self._shown.stains) == 1 and self._session.state.in_front:
            look_at(viewer, first_window(picture.image, picture.pixels))

    def _add_colours(self, viewer: ViewerModel, picture: SlidePicture) -> None:
        assert picture.labels is not None, "it was asked before"
        spec = specs.colours_spec(picture.labels, picture.pixels.labels, self._shown.source, self._session)
        self._shown.colours = self._add(viewer, spec)

    def _add(self, viewer: ViewerModel, spec: specs.LayerSpec) -> Any:
        layer = viewer.add_image(spec.data, **spec.options)
        shade_plainly(viewer, layer)
        return layer
