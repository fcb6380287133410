"""While the camera rests, the pixels are read that a zoom would show next: it finds them in memory."""

import weakref
from collections.abc import Iterator

from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.events import Event

from napari_spatia.data.chunks import ChunkedPixels, Span
from napari_spatia.progress import Progress
from napari_spatia.session.session import Session
from napari_spatia.viewer.overlay import PaintedLevel
from napari_spatia.viewer.pointer import Rest, at_once

REST_MS = 150
JOB = "read ahead"
Part = tuple[ChunkedPixels, tuple[Span, Span]]
"""A level, and the rows and columns of it that are wanted."""


class ReadAhead:
    """Reads the levels beside those on screen in the background, until the camera moves again."""

    def __init__(self, viewer: ViewerModel, session: Session, rest: Rest = at_once) -> None:
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._rest = rest
        viewer.scene.camera.events.connect(self._moved)

    def close(self) -> None:
        """Let go of the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.scene.camera.events.disconnect(self._moved)

    def _moved(self, event: Event) -> None:
        if self._session.state.slide is not None and self._session.state.in_front:
            self._session.jobs.cancel(JOB)
            self._rest(JOB, REST_MS, self._start)

    def _start(self) -> None:
        viewer = self._viewer()
        if viewer is None or not self._session.state.in_front:
            return
        parts = [
            part for layer in viewer.layers if layer.visible for part in beside_the_screen(layer, viewer.canvas.size)
        ]

        def work(progress: Progress) -> None:
            for number, (level, spans) in enumerate(parts):
                progress(number / len(parts), "reading what a zoom would show")
                level.keep(*spans)

        if parts:
            self._session.jobs.submit(JOB, work, lambda done: None)


def beside_the_screen(layer: Layer, canvas_px: tuple[int, int]) -> Iterator[Part]:
    """What a zoom about the middle of the screen shows of the next finer and the next coarser level when it gets there.

    napari draws the coarsest level that has a pixel for each of the canvas: in a level so much of it is seen at its
    coarsest, and in a finer one as much as the level before showed at its finest.
    """
    if not isinstance(layer, Image) or not layer.multiscale:
        return
    levels = [level.labels if isinstance(level, PaintedLevel) else level for level in layer.data]
    now = levels[layer.data_level]
    middle = layer.corner_pixels.mean(axis=0)[-2:]
    for beside in (layer.data_level - 1, layer.data_level + 1):
        if not 0 <= beside < len(levels) or not isinstance(levels[beside], ChunkedPixels):
            continue
        level = levels[beside]
        finer = [length / of for length, of in zip(level.shape, now.shape, strict=True)]
        rows, columns = (
            _span(center * ratio, px * max(ratio, 1.0), length)
            for center, ratio, px, length in zip(middle, finer, canvas_px, level.shape, strict=True)
        )
        yield level, (rows, columns)


def _span(center: float, width: float, length: int) -> Span:
    """``width`` pixels about a place, as far as there are any."""
    return max(round(center - width / 2), 0), min(round(center + width / 2), length)
