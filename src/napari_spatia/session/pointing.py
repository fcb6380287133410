"""What lies under the mouse: the cell at a point of the slide, and the few words that a card beside it shows."""

import numpy as np

from napari_spatia.data.chunks import ChunkedPixels
from napari_spatia.data.slide import Raster
from napari_spatia.session.colour import Lookup
from napari_spatia.session.values import ANNOTATION, CONFIDENCE

ON_CARD = ("type", CONFIDENCE, ANNOTATION)
"""Keys whose value a cell's card has anyway."""


class LabelPixels:
    """Single pixels of the labels, by their place on the slide."""

    def __init__(self, labels: Raster, finest: ChunkedPixels) -> None:
        self._raster, self._pixels = labels, finest

    def in_memory(self, y_um: float, x_um: float) -> bool:
        """Whether `read` answers without reading from disk."""
        pixel = self._pixel(y_um, x_um)
        return pixel is None or self._pixels.in_memory(*pixel)

    def read(self, y_um: float, x_um: float) -> int:
        """The label at a point of the slide (µm), 0 outside. Reads one chunk at most."""
        pixel = self._pixel(y_um, x_um)
        return 0 if pixel is None else int(self._pixels[pixel])

    def _pixel(self, y_um: float, x_um: float) -> tuple[int, int] | None:
        (y0, x0), size = self._raster.origin_um, self._raster.um_per_px
        y, x = int(np.floor((y_um - y0) / size)), int(np.floor((x_um - x0) / size))
        height, width = self._raster.shape_px
        return (y, x) if 0 <= y < height and 0 <= x < width else None


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
