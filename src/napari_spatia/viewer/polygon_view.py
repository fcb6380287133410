"""Polygons of cells over the slide: lines that are crisp at any zoom.

napari's own ways take too long for an outline that follows the view (1,000 cells of 25 points, without a graphics card:
a Shapes layer seconds, Surface and Vectors 0.2 s): these are one line of vispy in the scene of the layers, on top.
"""

import weakref
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from vispy.scene.node import Node
from vispy.scene.visuals import Line

from napari_spatia.session.colour import dim_others
from napari_spatia.session.session import Session
from napari_spatia.session.state import Polygons

WIDTH_PX = 1.5
ON_TOP = 1 << 20
"""Place among the nodes of the scene, which are drawn in ascending order; napari's layers count from 0."""
NO_COLOUR = (255, 255, 255, 255)
"""Of outlines while the cells have no colours."""


def scene_of(viewer: ViewerModel) -> Node | None:
    """The vispy node that the layers of a viewer hang from, in µm (x, y); None for a viewer without a window."""
    window = getattr(viewer, "window", None)
    return None if window is None else window._qt_viewer.canvas.view.scene


def line_parts(
    polygons: Polygons, rgba: NDArray[np.uint8] | None, chosen: NDArray[np.int64] | None
) -> dict[str, NDArray[Any]]:
    """What vispy draws: ``pos`` `(k, 2)` (x, y), ``color`` `(k, 4)` in [0, 1], ``connect`` `(k,)` each with its next.

    ``rgba`` `(N, 4)` are the colours of all cells; while some are ``chosen`` (rows), the others are fainter.
    """
    in_ring = np.isfinite(polygons.yx[:, 0])
    connect = in_ring.copy()
    connect[:-1] &= in_ring[1:]
    if len(connect):
        connect[-1] = False
    colours = np.full((len(in_ring), 4), NO_COLOUR, np.uint8) if rgba is None else _colours(polygons, rgba, chosen)
    pos = np.where(in_ring[:, None], polygons.yx[:, ::-1], 0)
    return {"pos": pos, "color": (colours / np.float32(255)).astype(np.float32), "connect": connect}


def _colours(polygons: Polygons, rgba: NDArray[np.uint8], chosen: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    """`(k, 4)` colour of each point's cell, made for the cells in view alone."""
    cells, place = np.unique(polygons.cells, return_inverse=True)
    among = None if chosen is None else np.flatnonzero(np.isin(cells, chosen, assume_unique=True))
    return dim_others(rgba[cells], among)[place]


class PolygonView:
    """Draws the session's polygons in a viewer, while its slide is in front."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self.line: Line | None = None
        events = session.state.events
        self._heard = (events.polygons, events.lookup, events.chosen, events.in_front)
        for event in self._heard:
            event.connect(self._show)

    def close(self) -> None:
        """Let go of the session and of the scene."""
        for event in self._heard:
            event.disconnect(self._show)
        if self.line is not None:
            self.line.parent = None
            self.line = None

    def _show(self, changed: Any = None) -> None:
        state, viewer = self._session.state, self._viewer()
        scene = None if viewer is None else scene_of(viewer)
        if state.polygons is None or not len(state.polygons.yx) or scene is None or not state.in_front:
            if self.line is not None:
                self.line.visible = False  # it stays: the first drawing of a new one takes the window some 100 ms
            return
        parts = line_parts(state.polygons, None if state.lookup is None else state.lookup.rgba, state.chosen)
        if self.line is None:
            self.line = Line(**parts, width=WIDTH_PX, method="gl", parent=scene)
            self.line.order = ON_TOP
        else:
            self.line.set_data(**parts)
            self.line.visible = True
