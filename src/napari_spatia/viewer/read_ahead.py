"""While the camera rests, the pixels are read that its next move would show: it finds them in memory."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Self

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.events import Event
from numpy.typing import NDArray

from napari_spatia.data.chunks import MAX_KEPT_BYTES, ChunkedPixels, Span
from napari_spatia.progress import Progress
from napari_spatia.session.session import Session
from napari_spatia.viewer.overlay import PaintedLevel
from napari_spatia.viewer.pointer import Rest, at_once

REST_MS = 150
"""A hand that is still moving needs the processors for its frames: with 30 ms these were later than without."""
JOB = "read ahead"
AROUND = 0.25
"""Of the screen's height or width: how far beyond it pixels are read."""
MAX_BYTES = MAX_KEPT_BYTES // 2
"""The other half is for what is on screen and was before."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows and columns of a level."""

    level: ChunkedPixels
    rows: Span
    columns: Span

    @classmethod
    def about(cls, level: ChunkedPixels, middle: NDArray[np.float64], size: NDArray[np.float64]) -> Self:
        """``size`` pixels about a place (y, x), as far as there are any."""
        low, high = np.maximum(np.rint(middle - size / 2), 0), np.minimum(np.rint(middle + size / 2), level.shape)
        return cls(level, (int(low[0]), int(high[0])), (int(low[1]), int(high[1])))

    @property
    def num_bytes(self) -> int:
        (top, bottom), (left, right) = self.rows, self.columns
        return max(bottom - top, 0) * max(right - left, 0) * self.level.dtype.itemsize


class ReadAhead:
    """Reads what lies around the screen, and the levels beside those on it, in the background; not while it is told
    that the disk is ``busy`` with what is on the screen.
    """

    def __init__(
        self, viewer: ViewerModel, session: Session, rest: Rest = at_once, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._rest, self._busy = rest, busy
        viewer.scene.camera.events.connect(self._moved)

    def close(self) -> None:
        """Let go of the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.scene.camera.events.disconnect(self._moved)

    def _moved(self, event: Event) -> None:
        if self._session.state.slide is not None and self._session.state.in_front:
            self._session.jobs.cancel(JOB)  # a frame needs the processors
            self._rest(JOB, REST_MS, self._start)

    def _start(self) -> None:
        viewer = self._viewer()
        if viewer is None or not self._session.state.in_front:
            return
        if self._busy():
            self._rest(JOB, REST_MS, self._start)
            return
        shown = [layer for layer in reversed(viewer.layers) if layer.visible]  # labels first, which take longest
        of_layers = [parts_ahead(layer, viewer.canvas.size) for layer in shown]
        parts = [part for alike in zip_longest(*of_layers) for part in alike if part is not None]
        total = np.cumsum([part.num_bytes for part in parts])
        parts = parts[: int(np.searchsorted(total, MAX_BYTES, "right"))]

        def work(progress: Progress) -> None:
            for number, part in enumerate(parts):
                progress(number / len(parts), "reading what a move would show")
                part.level.keep(part.rows, part.columns)

        if parts:
            self._session.jobs.submit(JOB, work, lambda done: None)


def parts_ahead(layer: Layer, canvas_px: tuple[int, int]) -> list[Part]:
    """What moves of the camera show of a layer that is not on screen, the likeliest first.

    That is what lies around the screen, and what a zoom about its middle shows of the next coarser and the next finer
    level when it gets there. napari draws the coarsest level that has a pixel for each of the canvas: so much is seen
    of a coarser level at first, and of a finer one as much as the level before showed last.
    """
    if not isinstance(layer, Image) or not layer.multiscale:
        return []
    levels = [level.labels if isinstance(level, PaintedLevel) else level for level in layer.data]
    if not all(isinstance(level, ChunkedPixels) for level in levels):
        return []
    number = layer.data_level
    first, last = layer.corner_pixels[:, -2:].astype(float)
    middle, size = (first + last) / 2, last - first
    found = [Part.about(levels[number], middle, (1 + 2 * AROUND) * size)]
    for beside in (number + 1, number - 1):
        if 0 <= beside < len(levels):
            finer = np.array(levels[beside].shape) / levels[number].shape
            found.append(Part.about(levels[beside], middle * finer, np.asarray(canvas_px) * np.maximum(finer, 1.0)))
    return found
