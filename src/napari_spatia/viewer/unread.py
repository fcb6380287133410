"""A frame waits for no disk: until the pixels that it wants have been read, what is there of them stands on screen.

napari slices its layers while a frame is drawn, and with them reads what is not in memory: on a slow disk the window
does not answer for seconds. Here another thread reads. Meanwhile the tile that is on screen stays, if it shows most
of the view, as it does while the camera moves; elsewhere, as after a jump, a coarser level is shown that is in memory.
What a screenshot or an exported figure shows is always read to the end.
"""

import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_spatia.data.chunks import ChunkedPixels, Span
from napari_spatia.session.jobs import Deliver
from napari_spatia.viewer.overlay import PaintedLevel

PATIENCE_S = 0.08
"""How long the layers of one frame wait, together, for what is being read: nobody sees so short a time."""
FRAMES_APART_S = 0.2
"""So long after a wait there is none: a moving camera asks for frame after frame."""
MOST = 0.8
"""The part of the view that the tile on screen must show to stay there."""
NUM_READERS = 2


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a layer: ``pixels`` of one level, from the first to the last of ``corners`` `(2, 2)`."""

    level: int
    corners: NDArray[np.int_]
    pixels: ChunkedPixels | PaintedLevel

    @property
    def spans(self) -> tuple[Span, Span]:
        (top, left), (bottom, right) = self.corners.tolist()
        return (top, bottom + 1), (left, right + 1)

    @property
    def is_in_memory(self) -> bool:
        return self.pixels.holds(*self.spans)

    def at_level(self, level: int, pixels: ChunkedPixels | PaintedLevel) -> "Tile":
        """The same part of the slide on another level."""
        finer = np.array(pixels.shape[:2]) / self.pixels.shape[:2]
        first, end = np.floor(self.corners[0] * finer), np.ceil((self.corners[1] + 1) * finer)
        last = np.maximum(np.minimum(end, pixels.shape[:2]) - 1, first)
        return Tile(level, np.stack([first, last]).astype(int), pixels)

    def is_same(self, other: "Tile | None") -> bool:
        """Whether another tile shows just this."""
        return other is not None and self.pixels is other.pixels and bool((self.corners == other.corners).all())

    def share_of(self, other: "Tile") -> float:
        """Which part of another tile of the layer this one shows, in [0, 1]."""
        (own_first, own_end), (first, end) = (
            np.stack([tile.corners[0], tile.corners[1] + 1]) / tile.pixels.shape[:2] for tile in (self, other)
        )
        both = np.maximum(np.minimum(own_end, end) - np.maximum(own_first, first), 0)
        return float(np.prod(both) / np.prod(end - first))


@dataclass(eq=False, slots=True)
class _Watched:
    """A layer, its tile on screen, and the one that is being read for it."""

    layer: "weakref.ref[Image]"
    shown: Tile | None = None
    wanted: Tile | None = None
    ready: threading.Event = field(default_factory=threading.Event)


class Unread:
    """Sees to it for the layers of a viewer whose pixels are the chunks of a slide or are painted from them."""

    def __init__(self, viewer: ViewerModel, deliver: Deliver) -> None:
        self._deliver = deliver
        self._readers = ThreadPoolExecutor(NUM_READERS, "spatia-pixels")
        self._watched: weakref.WeakKeyDictionary[Layer, _Watched] = weakref.WeakKeyDictionary()
        self._wait_until = 0.0
        self._waits_for_all = False
        for layer in viewer.layers:
            self._watch(layer)
        viewer.layers.events.inserted.connect(lambda event: self._watch(event.value))
        self._read_for_screenshots(viewer)

    def close(self) -> None:
        """Read no more; layers are sliced as napari does it."""
        self._waits_for_all = True
        for watched in self._watched.values():
            watched.wanted = None
        self._readers.shutdown(wait=False, cancel_futures=True)

    @property
    def is_reading(self) -> bool:
        """Whether a layer is not on screen yet as it should be."""
        return any(watched.wanted is not None for watched in self._watched.values())

    # -- layers ---------------------------------------------------------------------------------------------------

    def _watch(self, layer: Layer) -> None:
        if isinstance(layer, Image) and layer.multiscale and layer not in self._watched:
            watched = self._watched[layer] = _Watched(weakref.ref(layer))
            slicing: Any = layer._slicing_state
            slicing._set_view_slice = partial(self._slice, watched)

    def _slice(self, watched: _Watched) -> None:
        """In place of napari's: slice what is in memory, and see to the rest."""
        layer = watched.layer()
        assert layer is not None, "it slices itself"
        tile = _tile_of(layer)
        if tile is None or self._waits_for_all or tile.is_in_memory or self._is_read_soon(watched, tile):
            watched.shown, watched.wanted = tile, None
            _slice_now(layer)
            return
        instead = self._instead(layer, watched, tile)
        if instead is watched.shown and isinstance(tile.pixels, ChunkedPixels):
            return  # it is on screen; cells may have other colours by now
        with _showing(layer, instead):
            _slice_now(layer)
        watched.shown = instead

    def _instead(self, layer: Image, watched: _Watched, wanted: Tile) -> Tile:
        """What is shown while a tile is read: what is on screen, or a coarser level, the last if none is in memory."""
        shown = watched.shown
        if shown is not None and _is_of(shown, layer) and shown.share_of(wanted) >= MOST:
            return shown
        coarser = [
            wanted.at_level(level, pixels)
            for level, pixels in enumerate(layer.data)
            if level > wanted.level and _is_kept_with(pixels, wanted.pixels)
        ]
        return next((tile for tile in coarser if tile.is_in_memory), (coarser or [wanted])[-1])

    # -- reading --------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        now = time.monotonic()
        if now > self._wait_until + FRAMES_APART_S:
            self._wait_until = now + PATIENCE_S
        return max(0.0, self._wait_until - now)

    def _is_read_soon(self, watched: _Watched, tile: Tile) -> bool:
        if not tile.is_same(watched.wanted):
            watched.wanted, watched.ready = tile, threading.Event()
            self._readers.submit(self._work, watched, tile, watched.ready)
        return watched.ready.wait(self._patience_s())

    def _work(self, watched: _Watched, tile: Tile, ready: threading.Event) -> None:
        rows, columns = tile.spans
        pixels = tile.pixels
        if isinstance(pixels, PaintedLevel):
            (rows, columns), pixels = pixels.reads(rows, columns), pixels.labels
        try:
            for part in pixels.block_rows(rows):
                if watched.wanted is not tile:
                    return
                pixels.keep(part, columns)
            ready.set()
        finally:  # what could not be read is read by napari, whose error a person sees
            self._deliver(partial(self._arrived, watched, tile))

    def _arrived(self, watched: _Watched, tile: Tile) -> None:
        layer = watched.layer()
        if layer is None or watched.wanted is not tile:
            return
        with self._all_read():  # also where there is more of it than memory keeps
            layer.refresh(extent=False, highlight=False, thumbnail=False)

    @contextmanager
    def _all_read(self) -> Iterator[None]:
        before, self._waits_for_all = self._waits_for_all, True
        try:
            yield
        finally:
            self._waits_for_all = before

    def _read_for_screenshots(self, viewer: ViewerModel) -> None:
        """Wait for all that a picture of the canvas is to show; there is none of a viewer without a window."""
        window = getattr(viewer, "window", None)
        if window is None:
            return
        canvas = window._qt_viewer.canvas
        usual = canvas.screenshot

        def screenshot() -> Any:
            with self._all_read():
                for layer, watched in list(self._watched.items()):
                    if watched.wanted is not None:
                        layer.refresh(extent=False, highlight=False, thumbnail=False)
                return usual()

        canvas.screenshot = screenshot


def _tile_of(layer: Image) -> Tile | None:
    """What napari is about to slice; None where that is not a part of a slide's pixels."""
    in_plane = layer._slice_input.ndisplay == 2 and layer.locked_data_level is None
    if not in_plane or not layer.multiscale or layer.ndim != 2:
        return None
    pixels = layer.data[layer.data_level]
    if not isinstance(pixels, ChunkedPixels | PaintedLevel):
        return None
    return Tile(layer.data_level, layer.corner_pixels.copy(), pixels)


def _slice_now(layer: Image) -> None:
    """As napari does it: it reads what is not in memory."""
    slicing: Any = layer._slicing_state
    type(slicing)._set_view_slice(slicing)


def _is_kept_with(pixels: ChunkedPixels | PaintedLevel, others: ChunkedPixels | PaintedLevel) -> bool:
    """Whether levels share their room in memory, as all do but the empty ones of a slide that has no coarser yet."""
    kept, of_others = (each.labels.kept if isinstance(each, PaintedLevel) else each.kept for each in (pixels, others))
    return kept is of_others


def _is_of(tile: Tile, layer: Image) -> bool:
    """Whether a tile shows what the layer still has: levels may have been added or replaced."""
    return tile.level < len(layer.data) and layer.data[tile.level] is tile.pixels


@contextmanager
def _showing(layer: Image, tile: Tile) -> Iterator[None]:
    """While napari slices this tile; it takes the one that it asked for to be there."""
    level, corners = layer.data_level, layer.corner_pixels
    layer._data_level, layer.corner_pixels = tile.level, tile.corners
    try:
        yield
    finally:
        layer._data_level, layer.corner_pixels = level, corners
