"""What lies around a cell: its neighbours (niche) and the squares of tissue about it, as indices and offsets in µm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

REGION_CELLS = 32
"""Cells that stand for a tissue region where its embedding is a mean over cells."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Niche and tissue of N cells; N neighbours K, tissue regions R, window of W regions around each region.

    ``neighbour`` `(N, K)` int64 rows of the nearest cells, -1 where there are fewer; ``region_of_cell`` `(N,)` int64;
    ``region_center_um`` `(R, 2)` float32 (y, x); ``region_window`` `(R, W)` int64 regions around one, -1 where empty;
    ``by_region`` `(N,)` int64 rows sorted by region, those of region r from ``region_start[r]`` up to
    ``region_start[r + 1]``, `(R + 1,)`.
    """

    centers_um: NDArray[np.float32]
    neighbour: NDArray[np.int64]
    region_of_cell: NDArray[np.int64]
    region_center_um: NDArray[np.float32]
    region_window: NDArray[np.int64]
    by_region: NDArray[np.int64]
    region_start: NDArray[np.int64]

    def neighbour_offset_um(self, cell_idx: NDArray) -> NDArray[np.float32]:
        """`(n, K, 2)` (y, x) from each cell to its neighbours in µm; 0 where there is none."""
        offset = self.centers_um[self.neighbour[cell_idx]] - self.centers_um[cell_idx][:, None]
        return np.where(self.neighbour[cell_idx][..., None] >= 0, offset, 0).astype(np.float32)

    def regions_around(self, cell_idx: NDArray) -> NDArray[np.int64]:
        """`(n, W)` regions in the window around each cell's own, -1 where empty."""
        return self.region_window[self.region_of_cell[cell_idx]]

    def region_members(self, region: NDArray) -> NDArray[np.int64]:
        """Rows of up to `REGION_CELLS` cells of each of these regions, spread evenly over its cells."""
        spread = [
            np.unique(np.linspace(a, b - 1, min(REGION_CELLS, b - a)).astype(np.int64))
            for a, b in zip(self.region_start[region], self.region_start[region + 1], strict=True)
        ]
        return self.by_region[np.concatenate(spread)] if spread else np.empty(0, np.int64)

    def region_offset_um(self, cell_idx: NDArray) -> NDArray[np.float32]:
        """`(n, W, 2)` (y, x) from each cell to the centres of the regions around it in µm; 0 where there is none."""
        around = self.regions_around(cell_idx)
        offset = self.region_center_um[around] - self.centers_um[cell_idx][:, None]
        return np.where(around[..., None] >= 0, offset, 0).astype(np.float32)


def surroundings(
    centers_um: NDArray, *, num_neighbours: int, radius_um: float, region_um: float, window: int
) -> Surroundings:
    """Neighbours within ``radius_um`` (at most ``num_neighbours``, nearest first) and a ``window`` × ``window`` of
    squares of ``region_um`` around each cell (window odd), for cells at `(N, 2)` (y, x) in µm.
    """
    centers_um = np.asarray(centers_um, np.float64)
    num = len(centers_um)
    _, neighbour = cKDTree(centers_um).query(
        centers_um, k=np.arange(1, num_neighbours + 2), distance_upper_bound=radius_um
    )
    neighbour = np.where((neighbour < num) & (neighbour != np.arange(num)[:, None]), neighbour, -1)
    keep = np.argsort(neighbour < 0, axis=1, kind="stable")[:, :num_neighbours]  # own row moves behind the neighbours

    square = np.floor(centers_um / region_um).astype(np.int64)
    squares, region_of_cell = np.unique(square, axis=0, return_inverse=True)
    position = {tuple(s): region for region, s in enumerate(squares)}
    steps = [(dy, dx) for dy in range(-(window // 2), window // 2 + 1) for dx in range(-(window // 2), window // 2 + 1)]
    region_window = np.array([[position.get((y + dy, x + dx), -1) for dy, dx in steps] for y, x in squares], np.int64)
    region_of_cell = region_of_cell.ravel().astype(np.int64)
    return Surroundings(
        centers_um.astype(np.float32),
        np.take_along_axis(neighbour, keep, axis=1).astype(np.int64),
        region_of_cell,
        ((squares + 0.5) * region_um).astype(np.float32),
        region_window.reshape(len(squares), -1),
        np.argsort(region_of_cell, kind="stable"),
        np.append(0, np.cumsum(np.bincount(region_of_cell, minlength=len(squares)))),
    )
