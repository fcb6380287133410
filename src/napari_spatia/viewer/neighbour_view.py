"""The neighbours of the selected cell on the slide, while some of them are being marked."""

import weakref
from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_spatia.progress import Progress
from napari_spatia.session.session import Session
from napari_spatia.viewer import layers as specs

LAYER = "neighbours"
LINE_PX, MARKED_PX = 1.2, 3.0
PLAIN, MARKED = "white", "#ff9a1a"


class NeighbourView:
    """Outlines the neighbours that can be marked, the marked ones boldly; nothing at any other time."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._layer: Shapes | None = None
        session.state.events.neighbours.connect(self._outline)
        session.state.events.marked.connect(self._show_marked)

    def close(self) -> None:
        """Let go of the session; the layer goes with its slide."""
        self._session.state.events.neighbours.disconnect(self._outline)
        self._session.state.events.marked.disconnect(self._show_marked)

    def _outline(self, neighbours: tuple[str, ...]) -> None:
        """Find the outlines in the background, and draw them; take them away when there is nothing to mark."""
        slide = self._session.state.slide
        if not neighbours or slide is None:
            self._session.jobs.cancel("neighbours")
            self._erase()
            return
        rows, finest = [slide.cell_idx(cell_id) for cell_id in neighbours], self._session.opened.pixels.labels[0]

        def work(progress: Progress) -> list[NDArray[np.float64]]:
            return [specs.cell_outline(slide, finest, row) for row in rows]

        def accept(outlines: list[NDArray[np.float64]]) -> None:
            if self._session.state.neighbours == neighbours:
                self._draw(outlines)

        self._session.jobs.submit("neighbours", work, accept)

    def _draw(self, outlines: Sequence[NDArray[np.float64]]) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        self._erase()
        active = viewer.layers.selection.active
        self._layer = viewer.add_shapes(
            list(outlines), shape_type="polygon", name=LAYER, ndim=2, opacity=1.0,
            face_color="transparent", edge_color=PLAIN, **specs.OWN,
        )  # fmt: skip
        viewer.layers.selection.active = active
        self._show_marked()

    def _show_marked(self, marked: tuple[str, ...] | None = None) -> None:
        viewer, state = self._viewer(), self._session.state
        if viewer is None or self._layer is None or self._layer not in viewer.layers or not state.neighbours:
            return
        is_marked = [cell_id in state.marked for cell_id in state.neighbours]
        um_per_px = 1 / max(viewer.scene.camera.zoom, 1e-9)
        self._layer.edge_color = [MARKED if each else PLAIN for each in is_marked]
        self._layer.edge_width = [um_per_px * (MARKED_PX if each else LINE_PX) for each in is_marked]

    def _erase(self) -> None:
        viewer, layer, self._layer = self._viewer(), self._layer, None
        if viewer is not None and layer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)
