"""Outlines of an edited cell: how its picture is stretched. Letters: B pictures, C drawn channels, H = W crop pixels.

The noise that draws a cell as it is holds its outline: under an edit the decoder changes stains, while the outline
stays where it was (measured). How large such cells and nuclei are under an edit is told by a regression
(`SpatiaModel.expected_outline`), so the drawn picture is stretched by the change that it tells: the nucleus about its
middle, the cell about its own, and from the cell's outline on less and less, so that the tissue around stays.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from napari_spatia.data.morphology import LEAST_PX
from napari_spatia.model.spatia import OUTLINE_AXES

MOST_CHANGE = 1.0
"""A half axis at most doubles or halves (log2): beyond that the regression is guessing."""
LEAST_REACH = 0.25
"""How far outside the cell its stretch is felt, in parts of its radius; more where it grows more."""
REACH_A_GROWTH = 1.2
"""With less, points outside a growing cell would pass one another."""
ROUNDS = 4
"""Rounds of the fixed point that turns "where does a point go" into "where does a point come from"."""


@dataclass(frozen=True, slots=True)
class OutlineStretch:
    """The way the picture of one cell gives when its outlines change.

    ``way`` (4, 2, H, W): by how many pixels (y, x) each point moves when one of `OUTLINE_AXES` doubles; ``outside``
    (H, W): distance from the cell in radii of the cell, 0 within it. ``expected`` (4,): the outlines of the cell as it
    is, as the model expects them.
    """

    way: Tensor
    outside: Tensor
    expected: Tensor

    @classmethod
    def of_cell(cls, cell: NDArray[np.bool_], nucleus: NDArray[np.bool_], expected: Tensor) -> Self:
        """From the masks `(H, W)` of a cell and its nucleus; a mask of too few pixels does not move."""
        size = len(cell)
        way = np.zeros((OUTLINE_AXES, 2, size, size))
        outside = np.zeros((size, size))
        if cell.sum() >= LEAST_PX:
            way[:2] = _along_axes(cell)
            outside = distance_transform_edt(~cell) / np.sqrt(cell.sum() / np.pi)
            if nucleus.sum() >= LEAST_PX:
                from_nucleus, from_rim = (np.maximum(distance_transform_edt(m) - 0.5, 0) for m in (~nucleus, cell))
                share = np.where(cell, from_nucleus / np.maximum(from_nucleus + from_rim, 1e-6), 1.0)  # 1: the cell's
                way[:2] *= share
                way[2:] = (1 - share) * _along_axes(nucleus)
        device = expected.device
        return cls(torch.from_numpy(way).float().to(device), torch.from_numpy(outside).float().to(device), expected)

    def apply(self, drawn: Tensor, expected: Tensor) -> Tensor:
        """(B, C, H, W) pictures → the same, stretched to where the outlines are ``expected`` (B, 4) under an edit.

        A picture whose outlines are expected to stay is returned as it is, bit for bit.
        """
        change = (expected - self.expected).clamp(-MOST_CHANGE, MOST_CHANGE)
        moves = change.ne(0).any(1)
        if not moves.any():
            return drawn
        if moves.all():
            return _look_up(drawn, self._came_from(change.exp2() - 1), "bicubic")
        came_from = self._came_from(change[moves].exp2() - 1)
        stretched = drawn.clone()
        stretched[moves] = _look_up(drawn[moves], came_from, "bicubic")
        return stretched

    def _came_from(self, growth: Tensor) -> Tensor:
        """(b, 4) growth of the half axes → (b, 2, H, W) the pixel (y, x) that each pixel of the picture shows."""
        reach = (REACH_A_GROWTH * growth[:, :2].abs().amax(1)).clamp(min=LEAST_REACH)[:, None, None]
        fades = (1 + (self.outside / reach).square()).pow(-2)  # (b, H, W)
        moved = torch.einsum("bk,kdhw->bdhw", growth, self.way) * fades[:, None]
        axis = torch.arange(self.way.shape[-1], device=moved.device, dtype=moved.dtype)
        here = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None]
        source = here - moved
        for _ in range(ROUNDS):
            source = here - _look_up(moved, source, "bilinear")
        return source


def _along_axes(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`(2, 2, H, W)`: of each pixel, the way (y, x) in pixels from the mask's middle along its long and short axis."""
    points = np.argwhere(mask)
    _, vectors = np.linalg.eigh(np.cov(points.T))
    offset = np.indices(mask.shape) - points.mean(axis=0)[:, None, None]
    axes = vectors.T[::-1]  # the long one first
    return np.asarray(np.einsum("ki,kj,jhw->kihw", axes, axes, offset))


def _look_up(pictures: Tensor, pixel: Tensor, mode: str) -> Tensor:
    """(b, C, H, W) at ``pixel`` (b, 2, H, W) (y, x), the nearest edge's value outside."""
    grid = ((2 * pixel + 1) / pictures.shape[-1] - 1).flip(1).permute(0, 2, 3, 1)
    return F.grid_sample(pictures, grid, mode=mode, padding_mode="border", align_corners=False)
