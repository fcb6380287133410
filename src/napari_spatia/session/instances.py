"""From the numbers in the labels to the rows of the table, fast enough for every pixel on screen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_DENSE_ID = 1 << 24
"""Up to this id one array slot per possible id is kept (64 MB at most); beyond it ids are looked up by bisection."""

PIXELS_AT_ONCE = 1 << 17
"""Pixels are painted in parts whose intermediate numbers stay in the processor's cache: nearly twice as fast."""


@dataclass(frozen=True, slots=True)
class InstanceIndex:
    """Instance id → row. ``ids`` `(N,)` int64 ascending; ``rows`` `(N,)` the row of each; ``dense`` whether ids fit."""

    ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    dense: bool

    @classmethod
    def from_ids(cls, instance_id: NDArray[np.int64], max_dense_id: int = MAX_DENSE_ID) -> "InstanceIndex":
        """Index of the cells' ``instance_id`` `(N,)`, each > 0 and unique, with any gaps."""
        rows = np.argsort(instance_id, kind="stable")
        ids = instance_id[rows]
        return cls(ids=ids, rows=rows, dense=not len(ids) or int(ids[-1]) <= max_dense_id)

    def row(self, instance_id: int) -> int | None:
        """Row of one instance; None for background and for labels that are not in the table."""
        place = int(np.searchsorted(self.ids, instance_id))
        if place == len(self.ids) or int(self.ids[place]) != instance_id:
            return None
        return int(self.rows[place])

    def table(self, rgba: NDArray[np.uint8]) -> "ColourTable":
        """The colours ``rgba`` `(N, 4)` of the rows, ready for `ColourTable.paint`."""
        packed = np.ascontiguousarray(rgba, dtype=np.uint8).view(np.uint32).ravel()[self.rows]
        if not self.dense:
            return ColourTable(ids=self.ids, packed=np.append(packed, np.uint32(0)))
        last = int(self.ids[-1]) if len(self.ids) else 0
        by_id = np.zeros(last + 2, dtype=np.uint32)
        by_id[self.ids] = packed
        return ColourTable(ids=None, packed=by_id)


@dataclass(frozen=True, slots=True)
class ColourTable:
    """Colours by instance id, four bytes packed in one uint32; whatever is not a cell is transparent."""

    ids: NDArray[np.int64] | None
    packed: NDArray[np.uint32]

    def paint(self, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
        """`(..., 4)` uint8 RGBA of ``labels`` `(...)`. Cost follows the pixels, not the cells."""
        packed = np.empty(labels.shape, np.uint32)
        flat, of = packed.reshape(-1), labels.reshape(-1)
        for first in range(0, len(of), PIXELS_AT_ONCE):
            flat[first : first + PIXELS_AT_ONCE] = self._packed_of(of[first : first + PIXELS_AT_ONCE])
        return packed[..., None].view(np.uint8)

    def _packed_of(self, labels: NDArray[np.integer]) -> NDArray[np.uint32]:
        if self.ids is None:
            return np.take(self.packed, labels, mode="clip")
        place = np.searchsorted(self.ids, labels)
        hit = self.ids[np.minimum(place, len(self.ids) - 1)] == labels
        return self.packed[np.where(hit, place, len(self.ids))]
