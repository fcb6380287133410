"""Two groups of cells that are compared, as a person names them. Pure functions from names to rows."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.differential import GeneTest
from napari_spatia.errors import SpatiaError

SIDES = ("A", "B")


@dataclass(frozen=True, slots=True, eq=False)
class CellGroup:
    """Cells under a ``label``: the ``rows`` `(n,)` that were kept, or for `CHOSEN` and `REST` those at the time."""

    label: str
    rows: NDArray[np.int64] | None = field(default=None, repr=False)


CHOSEN = CellGroup("Chosen now")
REST = CellGroup("The rest")
FIRST_GROUPS = (CHOSEN, REST)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out for two groups, and how many cells were in both and were left out."""

    labels: tuple[str, str]
    num_shared: int
    test: GeneTest


def group_rows(
    groups: tuple[CellGroup, CellGroup],
    chosen: NDArray[np.int64] | None,
    passing: NDArray[np.bool_] | None,
    num_cells: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Rows of the groups A and B, and how many cells were in both and are in neither now.

    Only cells that are ``passing`` `(N,)` the filters count. Raises `SpatiaError` for a group of the chosen cells where
    none is chosen, and for two groups that are each the rest of the other.
    """
    for side, group in zip(SIDES, groups, strict=True):
        if group is CHOSEN and chosen is None:
            raise SpatiaError(
                f"Group {side} is the cells that are chosen, and none is. Choose some with the lasso (L) or the box "
                "(B), or name a class as the group."
            )
    if groups == (REST, REST):
        raise SpatiaError("Both groups are the rest. Expected the chosen cells, kept cells or a class as one of them.")
    a, b = (_mask(group, chosen, num_cells) for group in groups)
    a, b = (~b if groups[0] is REST else a), (~a if groups[1] is REST else b)
    if passing is not None:
        a, b = a & passing, b & passing
    shared = a & b
    return np.flatnonzero(a & ~shared), np.flatnonzero(b & ~shared), int(shared.sum())


def _mask(group: CellGroup, chosen: NDArray[np.int64] | None, num_cells: int) -> NDArray[np.bool_]:
    mask = np.zeros(num_cells, bool)
    rows = chosen if group is CHOSEN else group.rows
    if rows is not None:
        mask[rows] = True
    return mask
