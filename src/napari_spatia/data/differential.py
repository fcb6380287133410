"""Which genes two groups of cells express differently.

Per gene: the Wilcoxon rank-sum (Mann-Whitney) test with its correction for ties, `scipy.stats.mannwhitneyu`, and
Benjamini and Hochberg's adjustment over all genes, `scipy.stats.false_discovery_control`. It is the test that users of
scanpy and Seurat know; SciPy is here already, scanpy would be a dependency for this one function.
The cells of a group are taken for independent draws, as always with this test. Neighbours on a slide are not: p says
which genes to look at, not how sure a finding is.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from scipy.stats import false_discovery_control, mannwhitneyu

from napari_spatia.data.view_genes import SMALLEST_MEAN, GeneSums, sum_genes
from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.progress import Progress, part, silent

MOST_TESTED = 20_000
"""Cells of a group that are ranked; of a larger group so many are drawn. Means and shares are those of all cells."""
FEWEST_CELLS = 3
GENES_AT_ONCE = 16
COLUMNS = ("gene", "auc", "log2_fc", "p_adjusted", "share_a", "share_b")
"""Names of the columns of a saved table."""


@dataclass(frozen=True, slots=True)
class GeneTest:
    """G genes compared between groups A and B, by falling ``auc``.

    ``auc`` `(G,)` in [0, 1]: how often a cell of A expresses more of the gene than one of B, ties by half. ``log2_fc``
    `(G,)` of the mean counts, of cells scaled to `counts.TARGET_LIBRARY`, `SMALLEST_MEAN` added to both. ``p_adjusted``
    `(G,)`. ``share_a``, ``share_b`` `(G,)` of the cells that express the gene. ``num_a``, ``num_b`` cells, of which
    ``tested_a``, ``tested_b`` were ranked.
    """

    genes: tuple[str, ...]
    auc: NDArray[np.float64] = field(repr=False)
    log2_fc: NDArray[np.float64] = field(repr=False)
    p_adjusted: NDArray[np.float64] = field(repr=False)
    share_a: NDArray[np.float64] = field(repr=False)
    share_b: NDArray[np.float64] = field(repr=False)
    num_a: int
    num_b: int
    tested_a: int
    tested_b: int

    def to_text(self, separator: str = ",") -> str:
        """The table as text, a line a gene below one with the names of the columns."""
        columns = (self.genes, self.auc, self.log2_fc, self.p_adjusted, self.share_a, self.share_b)
        frame = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
        return str(frame.to_csv(index=False, sep=separator, float_format="%.6g"))


def compare_genes(
    counts: csr_matrix,
    totals: NDArray[np.float32],
    genes: tuple[str, ...],
    rows_a: NDArray[np.intp],
    rows_b: NDArray[np.intp],
    progress: Progress = silent,
    seed: int = 0,
) -> GeneTest:
    """Compare the cells ``rows_a`` with ``rows_b`` by each of the ``genes`` (G).

    ``counts`` `(N, G)`, ``totals`` `(N,)` all counts of each cell; no row is in both. ``seed`` draws the cells that
    are ranked of a group of more than `MOST_TESTED`. Raises `SpatiaError` for a group of fewer than `FEWEST_CELLS`.
    """
    for name, rows in (("A", rows_a), ("B", rows_b)):
        if len(rows) < FEWEST_CELLS:
            raise SpatiaError(
                f"Group {name} has {len(rows)} cells. Expected at least {FEWEST_CELLS} in each of two groups that "
                "share no cell; choose more cells, or another class."
            )
    in_a = sum_genes(counts, totals, rows_a, part(progress, 0.0, 0.15), logged=False)
    in_b = sum_genes(counts, totals, rows_b, part(progress, 0.15, 0.3), logged=False)
    rng = np.random.default_rng(seed)
    drawn = [_draw(rows, rng) for rows in (rows_a, rows_b)]
    a, b = (_shares_of_cell(counts, totals, rows) for rows in drawn)
    auc, p = _rank(a, b, part(progress, 0.3, 1.0))
    order = np.argsort(-auc, kind="stable")
    return GeneTest(
        genes=tuple(str(genes[idx]) for idx in order),
        auc=auc[order],
        log2_fc=_log2_fc(in_a, in_b)[order],
        p_adjusted=np.asarray(false_discovery_control(p))[order],
        share_a=(in_a.expressing / in_a.num_cells)[order],
        share_b=(in_b.expressing / in_b.num_cells)[order],
        num_a=len(rows_a),
        num_b=len(rows_b),
        tested_a=len(drawn[0]),
        tested_b=len(drawn[1]),
    )


def write_gene_test(path: Path, test: GeneTest) -> None:
    """Write the table as CSV, whole or not at all."""
    try:
        with staged_file(path) as staged:
            staged.write_text(test.to_text(), encoding="utf-8")
    except OSError as error:
        raise SpatiaError(
            f"Cannot write '{path}': {error.strerror or error}. Name a file that can be written."
        ) from error


def _draw(rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `MOST_TESTED` of some rows, ascending."""
    return rows if len(rows) <= MOST_TESTED else np.sort(rng.choice(rows, MOST_TESTED, replace=False))


def _shares_of_cell(counts: csr_matrix, totals: NDArray[np.float32], rows: NDArray[np.intp]) -> csc_matrix:
    """`(n, G)` counts of some cells as shares of all counts of the cell: ranked as their normalised expression is.

    One division and no product: shares that are equal in cells of different totals (1 of 3, 3 of 9) are then equal to
    the last bit, a tie.
    """
    some = counts[rows].astype(np.float64)
    some.data /= np.repeat(np.maximum(totals[rows], 1), np.diff(some.indptr))
    return some.tocsc()


def _rank(a: csc_matrix, b: csc_matrix, progress: Progress) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUC and p `(G,)` of two groups of cells, some genes at a time."""
    (num_a, num_genes), num_b = a.shape, b.shape[0]
    auc, p = np.empty(num_genes), np.empty(num_genes)
    for first in range(0, num_genes, GENES_AT_ONCE):
        progress(first / num_genes, "ranking cells by each gene")
        some = slice(first, first + GENES_AT_ONCE)
        tested = mannwhitneyu(a[:, some].toarray(), b[:, some].toarray(), method="asymptotic")
        auc[some], p[some] = tested.statistic / (num_a * num_b), tested.pvalue
    return auc, p


def _log2_fc(in_a: GeneSums, in_b: GeneSums) -> NDArray[np.float64]:
    means = [sums.expression / sums.num_cells + SMALLEST_MEAN for sums in (in_a, in_b)]
    return np.log2(means[0] / means[1])
