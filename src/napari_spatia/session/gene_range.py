"""What one gene's slider stands on: what the cell expresses, and what is seen of the gene on the slide.

Values are log2(1 + counts), to which an edit adds its log2 fold change.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEEN_PERCENT = (1.0, 99.0)
"""The range that is seen, in percentiles of the cells that express the gene."""
MOST_PERCENT = 99.9
"""What counts as the most that is seen: above it a few cells stand alone, often two that were segmented as one."""
BEYOND_MOST = 1.0
"""How far a slider goes beyond that: to twice the most that is seen."""
LEAST_CELLS = 10
"""Fewer cells of a type that express a gene say nothing of its range there."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GeneRange:
    """One gene in one cell and on its slide, in log2(1 + counts).

    ``measured`` is the cell's own value, ``top`` the largest that is sensible: twice the most that is seen, or twice
    what the cell expresses. ``seen`` and ``of_type`` are what the ``num_seen`` cells that express the gene do, on the
    slide and of the cell's own type; None where no cell, or too few, do. ``is_measured`` is False for a gene that the
    model reads and the slide has not.
    """

    measured: float
    top: float
    seen: Span | None = None
    of_type: Span | None = None
    num_seen: int = 0
    is_measured: bool = True

    @property
    def log2_fc_limits(self) -> Span:
        """Of a slider: from the knock-out, which leaves nothing, to the largest sensible value."""
        return -self.measured, self.top - self.measured

    def edited(self, log2_fc: float) -> float:
        """The value after an edit; expression ends at 0."""
        return max(0.0, self.measured + log2_fc)


def gene_range(counts: NDArray[np.float32] | None, cell_idx: int, of_type: NDArray[np.bool_] | None) -> GeneRange:
    """The range of a gene with ``counts`` `(N,)` for the cell in row ``cell_idx``; None for a gene that is not there.

    ``of_type`` `(N,)` are the cells of the cell's type, None where it has none.
    """
    if counts is None:
        return GeneRange(0.0, BEYOND_MOST, is_measured=False)
    rows = np.flatnonzero(counts)
    values = np.log2(1.0 + counts[rows].astype(np.float64))
    measured = float(values[rows == cell_idx].sum())
    if not len(values):
        return GeneRange(measured, measured + BEYOND_MOST)
    low, high, most = (float(value) for value in np.percentile(values, (*SEEN_PERCENT, MOST_PERCENT)))
    alike = values[:0] if of_type is None else values[of_type[rows]]
    return GeneRange(
        measured,
        max(most, measured) + BEYOND_MOST,
        (low, high),
        _span(alike) if len(alike) >= LEAST_CELLS else None,
        len(values),
    )


def _span(values: NDArray[np.floating]) -> Span:
    low, high = np.percentile(values, SEEN_PERCENT)
    return float(low), float(high)
