"""A scatter of all cells as a picture: pure functions from places and colours to pixels.

Letters: N cells, H × W pixels. A plot's own axes are (x, y) with y up; pixels are (column, row) with the row down.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spatia.session.colour import OTHERS_ALPHA

MARGIN = 0.04
"""Free at each side of a plot that is shown whole, as a share of it."""
SMALL_DOTS_FROM = 200_000
MIDDLE_DOTS_FROM = 20_000
_DOT_OF_3 = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))
_DOT_OF_5 = tuple((y, x) for y in range(-2, 3) for x in range(-2, 3) if abs(y) + abs(x) < 4)


@dataclass(frozen=True, slots=True)
class Plot:
    """Cells in two dimensions: ``points`` `(N, 2)` float32 (x, y), NaN for a cell that has no place."""

    key: str
    title: str
    points: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a plot on screen: the plot's point ``center`` (x, y) in the middle, ``scale`` pixels a unit."""

    center: tuple[float, float]
    scale: float
    shape_px: tuple[int, int]

    @classmethod
    def around(cls, points: NDArray[np.float32], shape_px: tuple[int, int]) -> "Window":
        """All of the ``points`` `(N, 2)` in a picture of (H, W) pixels."""
        known = points[np.isfinite(points).all(axis=1)]
        if not len(known):
            return cls((0.0, 0.0), 1.0, shape_px)
        low, high = known.min(axis=0).astype(float), known.max(axis=0).astype(float)
        span = np.maximum(high - low, 1e-9)
        height, width = shape_px
        scale = (1 - 2 * MARGIN) * min(width / span[0], height / span[1])
        center = (low + high) / 2
        return cls((float(center[0]), float(center[1])), float(scale), shape_px)

    def to_px(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns and rows `(N,)` float32 of ``points`` `(N, 2)`; whole numbers are the pixels' corners."""
        height, width = self.shape_px
        scale = np.float32(self.scale)
        column = points[:, 0] * scale + np.float32(width / 2 - self.center[0] * self.scale)
        row = points[:, 1] * -scale + np.float32(height / 2 + self.center[1] * self.scale)
        return column, row

    def to_plot(self, px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points `(K, 2)` (x, y) of the plot at ``px`` `(K, 2)` (column, row)."""
        height, width = self.shape_px
        turned = (np.asarray(px, float) - (width / 2, height / 2)) / (self.scale, -self.scale)
        return np.asarray(turned + self.center)

    def moved(self, columns: float, rows: float) -> "Window":
        """The window after a drag by so many pixels."""
        x, y = self.center
        return Window((x - columns / self.scale, y + rows / self.scale), self.scale, self.shape_px)

    def zoomed(self, factor: float, at: tuple[float, float]) -> "Window":
        """The window magnified by ``factor``; the point of the plot at pixel ``at`` (column, row) stays there."""
        fixed = self.to_plot(np.array([at]))[0]
        center = fixed + (np.array(self.center) - fixed) / factor
        return Window((float(center[0]), float(center[1])), self.scale * factor, self.shape_px)


@dataclass(frozen=True, slots=True)
class Ink:
    """What each cell adds to its pixel: ``weights`` `(4, N)` float64, colour × opacity and opacity, each 0 … 255."""

    weights: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, rgba: NDArray[np.uint8]) -> "Ink":
        """The ink of cells in colours ``rgba`` `(N, 4)`; made once for many windows."""
        weights = np.ascontiguousarray(rgba.T, dtype=np.float64)
        weights[:3] *= weights[3] / 255
        return cls(weights)


def draw(points: NDArray[np.float32], ink: Ink, chosen: NDArray[np.int64] | None, window: Window) -> NDArray[np.uint8]:
    """`(H, W, 4)` uint8 RGBA of the cells, not premultiplied, in the mean colour of those that share a pixel.

    A cell without opacity is left out. While some are ``chosen`` (rows), these lie on top and the others are fainter.
    """
    height, width = window.shape_px
    num_px = height * width
    column, row = window.to_px(points)
    is_inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    with np.errstate(invalid="ignore"):  # a cell without a place is outside
        inside_px = row.astype(np.int32) * width + column.astype(np.int32)
    pixel = np.where(is_inside, inside_px, num_px).astype(np.intp)  # one pixel more, for the cells outside
    if chosen is not None:
        pixel[chosen] += num_px + 1
    layers = 1 if chosen is None else 2
    counted = [np.bincount(pixel, weight, layers * (num_px + 1)) for weight in ink.weights]
    sums: NDArray[np.float32] = np.array(counted, np.float32).reshape(4, layers, num_px + 1)[..., :-1]
    sums = sums.reshape(4, layers, height, width)
    under, *over = (_blend(_as_dots(sums[:, layer], len(points))) for layer in range(layers))
    if not over:
        return under
    under[..., 3] = under[..., 3] * OTHERS_ALPHA
    return np.where(over[0][..., 3:] > 0, over[0], under)


def _blend(sums: NDArray[np.float32]) -> NDArray[np.uint8]:
    """`(H, W, 4)` uint8 of summed ink `(4, H, W)`."""
    picture = np.empty((*sums.shape[1:], 4), dtype=np.uint8)
    picture[..., :3] = np.moveaxis(np.minimum(sums[:3] / np.maximum(sums[3], 1e-3) * 255 + 0.5, 255), 0, -1)
    picture[..., 3] = np.minimum(sums[3], 255)
    return picture


def _as_dots(sums: NDArray[np.float32], num_cells: int) -> NDArray[np.float32]:
    if num_cells >= SMALL_DOTS_FROM:
        return sums
    dots = np.zeros_like(sums)
    _, height, width = sums.shape
    for down, right in _DOT_OF_3 if num_cells >= MIDDLE_DOTS_FROM else _DOT_OF_5:
        to = np.s_[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        source = np.s_[:, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        dots[to] += sums[source]
    return dots


def nearest(
    points: NDArray[np.float32], rgba: NDArray[np.uint8], window: Window, at: tuple[float, float], within_px: float
) -> int | None:
    """Row of the painted cell nearest to pixel ``at`` (column, row), None where none lies ``within_px`` of it."""
    column, row = window.to_px(points)
    close = np.flatnonzero(
        (np.abs(column - at[0]) <= within_px) & (np.abs(row - at[1]) <= within_px) & (rgba[:, 3] > 0)
    )
    squared = (column[close] - at[0]) ** 2 + (row[close] - at[1]) ** 2
    if not len(close) or squared.min() > within_px**2:
        return None
    return int(close[squared.argmin()])
