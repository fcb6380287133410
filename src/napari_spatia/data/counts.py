"""Counts as the model and the screen read them: sparse rows, single gene columns, normalised values."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from napari_spatia.data.panel import Panel

TARGET_LIBRARY = 100.0
"""Counts a cell is scaled to before the logarithm; near the median of image-based panels."""


@dataclass(frozen=True, slots=True)
class GeneRows:
    """The genes that each of n cells expresses, padded to the longest cell (K genes).

    ``gene_idx`` `(n, K)` int64 into the panel; ``value`` `(n, K)` float32, log2(1 + counts);
    ``present`` `(n, K)` bool, False where padded; ``library`` `(n,)` float32, log2(1 + all counts of the cell).
    """

    gene_idx: NDArray[np.int64]
    value: NDArray[np.float32]
    present: NDArray[np.bool_]
    library: NDArray[np.float32]


class GeneColumns:
    """One gene's counts at a time, of `(N, G)` counts by cell. For several threads.

    A gene is searched for among all counts, which takes some 0.04 s for a million cells, until `sort` has put them in
    order by gene, which takes ten times as long: so a slide can be coloured as soon as it has been read.
    """

    def __init__(self, counts: csr_matrix) -> None:
        self._counts = counts
        self._by_gene: csc_matrix | None = None
        self._lock = threading.Lock()

    def column(self, gene_idx: int) -> NDArray[np.float32]:
        """`(N,)` float32 counts of one gene."""
        by_gene = self._by_gene
        if by_gene is not None:
            return np.asarray(by_gene[:, [gene_idx]].toarray().ravel(), np.float32)
        counts, column = self._counts, np.zeros(self._counts.shape[0], np.float32)
        place = np.flatnonzero(counts.indices == gene_idx)
        np.add.at(column, np.searchsorted(counts.indptr, place, "right") - 1, counts.data[place])
        return column

    def sort(self, by_gene: Callable[[csr_matrix], csc_matrix] = csr_matrix.tocsc) -> csc_matrix:
        """Make every further `column` a look-up in what ``by_gene`` makes of the counts; returns it."""
        with self._lock:
            if self._by_gene is None:
                self._by_gene = by_gene(self._counts)
            return self._by_gene


def log2_counts(counts: csr_matrix) -> csr_matrix:
    """`(N, G)` counts → log2(1 + counts), float32 and as sparse as before: the values that an edit adds to."""
    values = counts.astype(np.float32, copy=True)
    values.data = np.log2(1 + values.data)
    return values


def gene_rows(values: csr_matrix) -> GeneRows:
    """Pads the stored entries of `(n, G)` values (`log2_counts`) to `(n, K)`; K is at least 1."""
    num_genes = np.diff(values.indptr)
    slot = np.arange(max(1, num_genes.max(initial=1)))
    present = slot < num_genes[:, None]
    gene_idx = np.zeros(present.shape, np.int64)
    value = np.zeros(present.shape, np.float32)
    gene_idx[present], value[present] = values.indices, values.data
    totals = np.where(present, np.exp2(value) - 1, 0).sum(axis=1)
    return GeneRows(gene_idx, value, present, np.log2(1 + totals).astype(np.float32))


def normalised(counts: csr_matrix) -> csr_matrix:
    """`(N, G)` counts → log1p of counts scaled to `TARGET_LIBRARY` a cell, float32; empty cells stay 0."""
    return scaled(counts, np.arange(counts.shape[1]))


def scaled(counts: csr_matrix, gene_idx: NDArray[np.intp]) -> csr_matrix:
    """As `normalised`, with the counts of the genes ``gene_idx`` alone making up the `TARGET_LIBRARY`."""
    library = np.asarray(counts[:, gene_idx].sum(axis=1)).ravel()
    factor = np.divide(TARGET_LIBRARY, library, out=np.zeros_like(library, dtype=np.float64), where=library > 0)
    values = counts.multiply(factor[:, None]).tocsr().astype(np.float32)
    values.data = np.log1p(values.data)
    return values


def align_counts(counts: csr_matrix, panel: Panel, onto: Panel) -> csr_matrix:
    """`(N, len(panel))` counts → `(N, len(onto))` with columns matched by name; genes not measured are empty."""
    position = onto.align(panel)
    measured = np.flatnonzero(position >= 0)
    select = csr_matrix(
        (np.ones(len(measured), np.float32), (position[measured], measured)), shape=(len(panel), len(onto))
    )
    aligned = (counts @ select).tocsr()
    aligned.sort_indices()
    return aligned.astype(np.float32)
