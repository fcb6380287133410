"""Which genes tell the cells of a part of the slide from all others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data.counts import TARGET_LIBRARY
from napari_spatia.progress import Progress, part, silent

ROWS_AT_ONCE = 50_000
SMALLEST_MEAN = 0.05
"""Added to both means: a gene that hardly anyone expresses has no fold change worth showing."""


@dataclass(frozen=True, slots=True)
class GeneSums:
    """Of some cells and each gene: the sum of normalised expression `(G,)`, how many express it `(G,)`, the cells."""

    expression: NDArray[np.float64]
    expressing: NDArray[np.int64]
    num_cells: int

    def without(self, part: "GeneSums") -> "GeneSums":
        """Those of the cells that are not in ``part``."""
        return GeneSums(
            self.expression - part.expression, self.expressing - part.expressing, self.num_cells - part.num_cells
        )


def sum_genes(
    counts: csr_matrix,
    totals: NDArray[np.float32],
    rows: NDArray[np.intp],
    progress: Progress = silent,
    logged: bool = True,
) -> GeneSums:
    """Sums over the cells ``rows`` of `(N, G)` counts with ``totals`` `(N,)`, in parts, so that no copy grows large.

    Not ``logged``, the expression is that before the logarithm: counts scaled to `TARGET_LIBRARY`.
    """
    num_genes = counts.shape[1]
    expression, expressing = np.zeros(num_genes), np.zeros(num_genes, np.int64)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        progress(first / len(rows), "comparing genes")
        taken = rows[first : first + ROWS_AT_ONCE]
        some = counts[taken]
        factor = np.repeat(TARGET_LIBRARY / np.maximum(totals[taken], 1), np.diff(some.indptr))
        scaled = some.data * factor
        expression += np.bincount(some.indices, np.log1p(scaled) if logged else scaled, minlength=num_genes)
        expressing += np.bincount(some.indices[some.data > 0], minlength=num_genes)
    return GeneSums(expression, expressing, len(rows))


class GeneContrast:
    """Compares some cells of a slide with all others; the sums over all cells are made at the first question and kept.

    ``counts`` `(N, G)`, ``totals`` `(N,)` all counts of each cell.
    """

    def __init__(self, counts: csr_matrix, totals: NDArray[np.float32]) -> None:
        self._counts, self._totals = counts, totals
        self._everywhere: GeneSums | None = None

    def telling(self, inside: NDArray[np.bool_], most: int, progress: Progress = silent) -> NDArray[np.intp]:
        """At most ``most`` genes that the cells ``inside`` `(N,)` express more than the others; none without others."""
        if inside.all() or not inside.any():
            return np.zeros(0, np.intp)
        everywhere = self._everywhere
        if everywhere is None:
            rows = np.arange(len(inside))
            everywhere = self._everywhere = sum_genes(self._counts, self._totals, rows, part(progress, 0.0, 0.7))
        few = inside if inside.mean() <= 0.5 else ~inside
        sums = sum_genes(self._counts, self._totals, np.flatnonzero(few), part(progress, 0.7, 1.0))
        rest = everywhere.without(sums)
        return rank_genes(sums, rest, most) if few is inside else rank_genes(rest, sums, most)


def rank_genes(inside: GeneSums, others: GeneSums, most: int) -> NDArray[np.intp]:
    """At most ``most`` genes that cells inside express more than the others, the most telling first.

    Ranked by log2 fold change of the mean normalised expression × fraction of the cells inside that express the gene.
    """
    means = [np.maximum(sums.expression, 0) / sums.num_cells for sums in (inside, others)]
    log2_fc = np.log2((means[0] + SMALLEST_MEAN) / (means[1] + SMALLEST_MEAN))
    score = log2_fc * inside.expressing / inside.num_cells
    order = np.argsort(-score, kind="stable")[:most]
    return order[score[order] > 0]
