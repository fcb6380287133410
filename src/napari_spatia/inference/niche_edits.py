"""What lies around a cell after an edit of its niche. The cell's own expression is not touched.

Removing or replacing neighbours changes the niche (the cells within reach of the niche transformer); moving the cell
changes niche and tissue, as both are taken from elsewhere.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import BoundSlide
from napari_spatia.model.inputs import Around


def without_neighbours(bound: BoundSlide, cell_idx: int, removed: NDArray[np.bool_]) -> Around:
    """The surroundings of a cell when the cells ``removed`` `(N,)` of the slide are no neighbours."""
    around = bound.around(np.array([cell_idx]))
    gone = torch.from_numpy(removed[bound.surroundings.neighbour[cell_idx]]).to(around.has_neighbour.device)
    return replace(around, has_neighbour=around.has_neighbour & ~gone)


def with_neighbours_of(
    bound: BoundSlide, cell_idx: int, donors: NDArray[np.intp], replaced: NDArray[np.bool_]
) -> Around:
    """The surroundings of a cell when the neighbours among ``replaced`` `(N,)` express what one of ``donors`` does.

    Neighbours keep their places. They take the expression of those of the cells ``donors`` (rows) that lie nearest to
    the cell and are not neighbours yet, which is the same for every call. Raises `SpatiaError` when there is none.
    """
    around = bound.around(np.array([cell_idx]))
    neighbour = bound.surroundings.neighbour[cell_idx]
    changed = np.flatnonzero((neighbour >= 0) & replaced[neighbour])
    spare = np.setdiff1d(donors, [*neighbour, cell_idx])
    if not len(changed):
        return around
    if not len(spare):
        raise SpatiaError(
            "No cell is left to take expression from: all cells of that type are neighbours of this cell already. "
            "Take another type."
        )
    centers_um = bound.slide.centers_um
    distance_um = np.linalg.norm(centers_um[spare] - centers_um[cell_idx], axis=1)
    taken = np.resize(spare[np.argsort(distance_um, kind="stable")[: len(changed)]], len(changed))
    neighbours, rows, at = around.neighbour.clone(), around.neighbour_idx.clone(), torch.from_numpy(changed)
    neighbours[0, at] = bound.embeddings.of_cells(taken)[torch.from_numpy(taken)]
    rows[0, at] = torch.from_numpy(taken).to(rows)
    return replace(around, neighbour=neighbours, neighbour_idx=rows)


def most_typical(embedding: NDArray[np.float32], cells: NDArray[np.intp]) -> int:
    """The row among ``cells`` whose ``embedding`` `(N, D)` is nearest to their mean."""
    points = embedding[cells]
    return int(cells[np.square(points - points.mean(axis=0)).sum(axis=1).argmin()])
