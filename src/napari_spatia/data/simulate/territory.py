"""Who owns which pixel: every cell claims by signed distance to its outline, the nearest claim wins.

Neighbours that overlap meet where their distances are equal, so tissue is space-filling without empty seams; a larger
cell pushes its borders into its neighbours. A nucleus keeps a rim of cytoplasm of its own, and the core around its
centre belongs to a cell however hard it is pressed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.noise import Field, smooth_noise
from napari_spatia.data.simulate.outlines import Outlines

_NUCLEUS_CLAIM_UM = 0.8
_CORE_UM, _CORE_FORCE = 1.4, 7.0
_FAR = 1e3


@dataclass(frozen=True, slots=True)
class Territory:
    """A window of pixels. ``owner`` `(Y, X)` is the cell's index or −1.

    ``depth`` is how far inside its cell a pixel lies (µm, negative outside every cell); ``nucleus_depth`` the same for
    the owner's nucleus; ``touching`` is 1 where the nearest border is shared with a neighbour, 0 at a free edge.
    ``y``/``x`` are the pixel centres in µm, ``warped_y``/``warped_x`` the bent coordinates in which outlines are
    ellipses.
    """

    owner: NDArray[np.int64]
    depth: Field
    nucleus_depth: Field
    touching: Field
    y: Field
    x: Field
    warped_y: Field
    warped_x: Field

    @property
    def nucleus(self) -> NDArray[np.bool_]:
        return (self.owner >= 0) & (self.nucleus_depth > 0)


def claim(outlines: Outlines, origin_px: tuple[int, int], shape_px: tuple[int, int], um_per_px: float) -> Territory:
    """The territory of a window whose first pixel is ``origin_px`` (y, x)."""
    (y0, x0), (height, width) = origin_px, shape_px
    axis_y, axis_x = (np.arange(y0, y0 + height) + 0.5) * um_per_px, (np.arange(x0, x0 + width) + 0.5) * um_per_px
    y, x = (grid.copy() for grid in np.meshgrid(axis_y, axis_x, indexing="ij"))
    warped_y, warped_x = _warp(y, x)
    owner = np.full((height, width), -1, np.int64)
    first, second = np.full((height, width), _FAR), np.full((height, width), _FAR)
    nucleus_first = np.full((height, width), _FAR)
    top, left, bottom, right = _boxes(outlines, um_per_px)
    touched = (bottom > y0) & (top < y0 + height) & (right > x0) & (left < x0 + width)
    for cell in np.flatnonzero(touched).tolist():
        rows = slice(max(top[cell] - y0, 0), min(bottom[cell] - y0, height))
        columns = slice(max(left[cell] - x0, 0), min(right[cell] - x0, width))
        claimed, nucleus = _distances(outlines, cell, warped_y[rows, columns], warped_x[rows, columns])
        best, runner_up = first[rows, columns], second[rows, columns]
        wins = claimed < best
        runner_up[...] = np.where(wins, best, np.minimum(runner_up, claimed))
        best[wins] = claimed[wins]
        nucleus_first[rows, columns][wins] = nucleus[wins]
        owner[rows, columns][wins] = cell
    reach = outlines.reach[owner]
    edge = reach - first
    depth = np.minimum(edge, (second - first) / 2)
    owner = np.where(edge > 0, owner, -1)
    touching = np.clip(1.5 - ((second - first) / 2 - depth), 0, 1)
    return Territory(owner, np.where(owner >= 0, depth, edge), -nucleus_first, touching, y, x, warped_y, warped_x)


def _warp(y: Field, x: Field) -> tuple[Field, Field]:
    """Coordinates bent at three lengths, so that no outline is a plain ellipse."""
    bent = []
    for shift, axis in ((0.0, y), (37.3, x)):
        wide = 1.15 * smooth_noise(y / 9.0 + shift, x / 9.0 - shift, 9)
        middle = 0.50 * smooth_noise(y / 3.2 - shift, x / 3.2 + shift, 10)
        fine = 0.12 * smooth_noise(y / 1.3 + shift, x / 1.3 + shift, 11)
        bent.append(axis + wide + middle + fine)
    return bent[0], bent[1]


def _boxes(outlines: Outlines, um_per_px: float) -> tuple[NDArray[np.int64], ...]:
    """(top, left, bottom, right) pixel bounds of every cell, the same whatever the window."""
    y, x, radius = outlines.plan["y_um"], outlines.plan["x_um"], outlines.radius
    low = (np.floor((axis - radius) / um_per_px).astype(np.int64) for axis in (y, x))
    high = (np.ceil((axis + radius) / um_per_px).astype(np.int64) + 1 for axis in (y, x))
    return (*low, *high)


def _distances(outlines: Outlines, cell: int, y: Field, x: Field) -> tuple[Field, Field]:
    """Signed distances (µm, negative inside) to the claim of one cell and to its nucleus."""
    cos, sin = outlines.cos[cell], outlines.sin[cell]
    dy, dx = y - outlines.plan["y_um"][cell], x - outlines.plan["x_um"][cell]
    body = _ellipse(dy, dx, cos, sin, outlines.a[cell], outlines.b[cell])
    nucleus = _ellipse(
        y - outlines.nucleus_y[cell],
        x - outlines.nucleus_x[cell],
        cos,
        sin,
        outlines.nucleus_a[cell],
        outlines.nucleus_b[cell],
    )
    core = _CORE_FORCE * (np.hypot(dy, dx) - _CORE_UM)
    return np.minimum(np.minimum(body, core), nucleus - _NUCLEUS_CLAIM_UM), nucleus


def _ellipse(dy: Field, dx: Field, cos: float, sin: float, a: float, b: float) -> Field:
    """Distance to an ellipse, exact on the axes' mean: (ρ − 1) · √(ab)."""
    along, across = (dx * cos + dy * sin) / a, (dy * cos - dx * sin) / b
    distance: Field = (np.sqrt(along * along + across * across) - 1.0) * np.sqrt(a * b)
    return distance
