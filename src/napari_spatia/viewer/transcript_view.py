"""Single transcripts in a viewer: one layer of points, or where they are too many one image of their density."""

import weakref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Points

from napari_spatia.session.session import Session
from napari_spatia.session.state import TranscriptPicture
from napari_spatia.session.transcripts import bin_um
from napari_spatia.viewer.layers import OWN

TRANSCRIPTS, DENSITY = "transcripts", "transcript density"
POINT_PX = 5.0
"""Diameter of a transcript on the screen when it is drawn."""


class TranscriptView:
    """Shows the session's transcripts.

    napari takes 0.3 s to add or remove a layer and 0.02 s to replace its data: the layers stay until the transcripts
    are hidden, and the one that is not needed is empty. One that a person removed comes back with the next picture.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._points: Points | None = None
        self._density: Image | None = None
        session.state.events.transcripts.connect(self._show)

    def close(self) -> None:
        """Let go of the session; the layers stay."""
        self._session.state.events.transcripts.disconnect(self._show)

    def _show(self, picture: TranscriptPicture | None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        self._points = self._points if self._points in viewer.layers else None
        self._density = self._density if self._density in viewer.layers else None
        if picture is None:
            for layer in filter(None, (self._points, self._density)):
                viewer.layers.remove(layer)
            return
        active = viewer.layers.selection.active
        self._show_points(viewer, picture)
        self._show_density(viewer, picture)
        viewer.layers.selection.active = active

    def _show_points(self, viewer: ViewerModel, picture: TranscriptPicture) -> None:
        layer = self._points
        if picture.density is not None and layer is None:
            return
        yx = np.zeros((0, 2), np.float32) if picture.yx is None else picture.yx
        of_gene = np.zeros(0, np.intp) if picture.of_gene is None else picture.of_gene
        rgba = np.array([(*entry.colour, 255) for entry in picture.genes], np.float32)[of_gene] / 255
        size = POINT_PX / max(viewer.scene.camera.zoom, 1e-3)
        if layer is None:
            self._points = viewer.add_points(yx, name=TRANSCRIPTS, face_color=rgba, size=size, border_width=0.0, **OWN)
            return
        with layer.events.blocker_all():  # each of the three alone would send all points to the screen
            layer.selected_data = set()
            layer.data = yx
            if len(yx):
                layer.face_color = rgba
                layer.size = size
        layer.refresh()

    def _show_density(self, viewer: ViewerModel, picture: TranscriptPicture) -> None:
        layer = self._density
        if picture.density is None and (layer is None or not layer.data.any()):
            return
        rgb = np.zeros((1, 1, 3), np.uint8) if picture.rgb is None else picture.rgb
        step = bin_um(picture.window_um)
        place = {
            "scale": (step, step),
            "translate": (picture.window_um[0] + step / 2, picture.window_um[1] + step / 2),
        }
        if layer is None:
            self._density = viewer.add_image(rgb, name=DENSITY, rgb=True, blending="additive", **place, **OWN)
            return
        layer.data, layer.scale, layer.translate = rgb, place["scale"], place["translate"]
