"""What lies under the mouse: the cell at a point of the slide, and the few words that a card beside it shows."""

import threading
from collections import OrderedDict

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.slide import Raster
from napari_spatia.session.colour import Lookup
from napari_spatia.session.values import ANNOTATION, CONFIDENCE

MAX_KEPT_PX = 1 << 25
"""Labels that are kept in memory: 128 MB at most where they are int32, some thirty chunks of the usual size."""

ON_CARD = ("type", CONFIDENCE, ANNOTATION)
"""Keys whose value a cell's card has anyway."""

Pixel = tuple[int, int]


class LabelPixels:
    """Single pixels of the labels. The chunks that were read last stay in memory; used from several threads."""

    def __init__(self, labels: Raster) -> None:
        self._raster = labels
        self._level: da.Array = labels.levels[0]
        self._edges = [np.cumsum(sizes) for sizes in self._level.chunks]
        self._chunks: OrderedDict[Pixel, NDArray[np.integer]] = OrderedDict()
        self._lock = threading.Lock()

    def in_memory(self, y_um: float, x_um: float) -> bool:
        """Whether `read` answers without reading from disk."""
        pixel = self._pixel(y_um, x_um)
        return pixel is None or self._block(pixel) in self._chunks

    def read(self, y_um: float, x_um: float) -> int:
        """The label at a point of the slide (µm), 0 outside. Reads one chunk at most."""
        pixel = self._pixel(y_um, x_um)
        if pixel is None:
            return 0
        block = self._block(pixel)
        first = [int(edges[part] - sizes[part])
                 for edges, sizes, part in zip(self._edges, self._level.chunks, block, strict=True)]  # fmt: skip
        return int(self._chunk(block)[pixel[0] - first[0], pixel[1] - first[1]])

    def _chunk(self, block: Pixel) -> NDArray[np.integer]:
        with self._lock:
            if block in self._chunks:
                self._chunks.move_to_end(block)
                return self._chunks[block]
        chunk = np.asarray(self._level.blocks[block])
        with self._lock:
            self._chunks[block] = chunk
            while len(self._chunks) > 1 and sum(kept.size for kept in self._chunks.values()) > MAX_KEPT_PX:
                self._chunks.popitem(last=False)
        return chunk

    def _pixel(self, y_um: float, x_um: float) -> Pixel | None:
        (y0, x0), size = self._raster.origin_um, self._raster.um_per_px
        y, x = int(np.floor((y_um - y0) / size)), int(np.floor((x_um - x0) / size))
        height, width = self._raster.shape_px
        return (y, x) if 0 <= y < height and 0 <= x < width else None

    def _block(self, pixel: Pixel) -> Pixel:
        row, column = (
            int(np.searchsorted(edges, place, side="right")) for edges, place in zip(self._edges, pixel, strict=True)
        )
        return row, column


def value_at(lookup: Lookup, row: int) -> str | float | None:
    """What one cell is coloured by; None where that is missing or already on its card.

    The predicted type, its confidence and the annotation are on the card.
    """
    if lookup.key in ON_CARD:
        return None
    if len(lookup.values) > 1:
        return ", ".join(f"{values.data[row]:.3g}" for values in lookup.values)
    (values,) = lookup.values
    value = values.data[row]
    if values.categories is not None:
        return None if value < 0 else values.categories[int(value)]
    return float(value) if np.isfinite(value) else None
