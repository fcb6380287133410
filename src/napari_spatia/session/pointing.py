"""What lies under the mouse: the cell at a point of the slide, and the few words that a card beside it shows."""

import threading
from collections import OrderedDict
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_spatia.data.counts import TARGET_LIBRARY
from napari_spatia.data.slide import Raster
from napari_spatia.session.values import ValueSource

MAX_KEPT_PX = 1 << 25
"""Labels that are kept in memory: 128 MB at most where they are int32, some thirty chunks of the usual size."""

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


def value_at(source: ValueSource, key: str, row: int) -> str | float | None:
    """What one cell is coloured by, without reading the other cells; None where that is missing or already on its card.

    ``key`` as in `values`. The predicted type, its confidence and the annotation are on the card.
    """
    form, _, name = key.partition(":")
    slide, prediction = source.slide, source.prediction
    value: Any = None
    if form in ("gene", "normalised"):
        value = float(slide.counts[row, slide.panel.index(name)])
        if form == "normalised":
            value = float(np.log1p(value * TARGET_LIBRARY / max(float(source.totals[row]), 1.0)))
    elif form == "obs":
        value = slide.obs[name].iloc[row]
    elif form == "imputed" and prediction is not None:
        value = prediction.imputed[row, prediction.imputed_genes.index(name)]
    elif key == "cluster" and prediction is not None and prediction.cluster is not None:
        value = prediction.cluster[row]
    elif key == "domain" and prediction is not None and prediction.domain is not None:
        value = prediction.domain[row]
    if value is None or pd.isna(value):
        return None
    return float(value) if isinstance(value, (float, int, np.number)) and not isinstance(value, bool) else str(value)
