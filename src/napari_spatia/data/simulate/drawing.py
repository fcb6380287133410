"""Draws any window of a simulated slide; the same window twice, or as part of a larger one, has the same pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.layout import MAP_UM
from napari_spatia.data.simulate.noise import Field
from napari_spatia.data.simulate.optics import expose, margin_px
from napari_spatia.data.simulate.outlines import Outlines
from napari_spatia.data.simulate.stains import stain
from napari_spatia.data.simulate.territory import claim


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a picture needs besides the outlines: the matrix map, the pixel size, the seed, the slide's size."""

    matrix: NDArray[np.uint8]
    um_per_px: float
    seed: int
    shape_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A window: ``image`` `(C, Y, X)` uint16, ``owner`` `(Y, X)` cell index or −1, ``nucleus`` `(Y, X)` bool.

    ``origin_px`` is (y, x) of its first pixel on the slide.
    """

    image: NDArray[np.uint16]
    owner: NDArray[np.int64]
    nucleus: NDArray[np.bool_]
    origin_px: tuple[int, int]


def draw_window(scene: Scene, outlines: Outlines, origin_px: tuple[int, int], shape_px: tuple[int, int]) -> Drawing:
    """Draw the window of ``shape_px`` (Y, X) pixels that starts at ``origin_px`` (y, x ≥ 0)."""
    margin = margin_px(scene.um_per_px)
    padded_origin = (origin_px[0] - margin, origin_px[1] - margin)
    padded_shape = (shape_px[0] + 2 * margin, shape_px[1] + 2 * margin)
    territory = claim(outlines, padded_origin, padded_shape, scene.um_per_px)
    stains = stain(outlines, territory, _matrix_at(scene, territory.y, territory.x), scene.seed)
    defocus = np.where(territory.owner >= 0, outlines.plan["defocus"][territory.owner], 0.25)
    image = expose(stains, defocus, territory.y, territory.x, padded_origin, scene.um_per_px, scene.seed)
    middle = (slice(margin, -margin), slice(margin, -margin))
    return Drawing(image, territory.owner[middle], territory.nucleus[middle], origin_px)


def _matrix_at(scene: Scene, y: Field, x: Field) -> Field:
    """The matrix map, bilinear between the centres of its pixels, in [0, 1]."""
    last = scene.matrix.shape[0] - 1
    y, x = (np.clip(axis / MAP_UM - 0.5, 0, last - 1e-9) for axis in (y, x))
    top, left = y.astype(np.int64), x.astype(np.int64)
    fy, fx = y - top, x - left
    matrix = scene.matrix
    upper = matrix[top, left] * (1 - fx) + matrix[top, left + 1] * fx
    lower = matrix[top + 1, left] * (1 - fx) + matrix[top + 1, left + 1] * fx
    values: Field = (upper * (1 - fy) + lower * fy) / 255.0
    return values
