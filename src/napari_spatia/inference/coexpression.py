"""How the other genes of a cell go with edited ones, learned from a slide.

Letters: n cells, G genes, E edited genes. Gaussian conditional expectation on log2(1 + counts): with standard
deviations s, correlations R and an edit d of the genes e, the others change by s_o R_oe R_ee^-1 (d_e / s_e). The
correlations are partial, given the counts of all genes but the edited ones: how deeply a cell was read moves all genes
together and is not what an edit means. They are shrunk towards 0 (Schäfer & Strimmer 2005, doi:10.2202/1544-6115.1175)
by an intensity taken from the E columns that are used, so no G × G matrix is made: a panel of 18,000 genes costs one
sparse product, once for each set of edited genes.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

LEAST_CELLS = 100
"""Cells that a type must have for genes to be followed within it; else the whole slide is taken, where genes also go
together because they mark the same types."""
LEAST_EXPRESSING = 20
"""Cells that must express an edited gene before other genes follow it."""
LEAST_CHANGE = 0.05
"""log2_fc below which a gene is left as it is: no more than the noise of the estimate, and fewer genes to read."""
KEPT_SETS = 64
"""Sets of edited genes that are remembered; each takes E × G numbers."""


class Coexpression:
    """What some cells of a slide tell of their genes: ``values`` `(n, G)`, log2(1 + counts)."""

    def __init__(self, values: csr_matrix):
        self._values = values
        self._expressing = values.getnnz(axis=0)
        self._mean = np.asarray(values.mean(axis=0), np.float64).ravel()
        self._square = np.asarray(values.multiply(values).mean(axis=0), np.float64).ravel()
        self._slopes = lru_cache(KEPT_SETS)(self._regress)

    def follow(self, log2_fc: Mapping[int, float]) -> NDArray[np.float64]:
        """`(G,)` expected log2_fc of every gene under ``log2_fc`` of some, by index; these keep theirs.

        An edited gene that too few cells express (`tells`) says nothing about the others.
        """
        change = np.zeros(len(self._mean))
        told = tuple(sorted(filter(self.tells, log2_fc)))
        if told:
            change = self._slopes(told) @ np.array([log2_fc[gene] for gene in told])
            change[np.abs(change) < LEAST_CHANGE] = 0.0
        change[list(log2_fc)] = list(log2_fc.values())
        return change

    def tells(self, gene: int) -> bool:
        """Whether enough cells express a gene for others to follow it."""
        return bool(self._expressing[gene] >= LEAST_EXPRESSING)

    def _regress(self, edited: tuple[int, ...]) -> NDArray[np.float64]:
        """`(G, E)` change of each gene for a change of 1 in each of the ``edited``."""
        num_cells = self._values.shape[0]
        depth = self._depth(edited)
        with_depth = self._values.T @ depth / num_cells  # (G,)
        column = self._values[:, list(edited)].toarray().astype(np.float64)
        column -= column.mean(axis=0) + np.outer(depth, with_depth[list(edited)])  # (n, E) what depth does not explain
        variance = np.maximum(self._square - self._mean**2 - with_depth**2, 0.0)
        sd = np.sqrt(np.where(variance > 1e-9, variance, 0.0))
        scale = np.outer(sd, sd[list(edited)])
        correlation = np.divide(self._values.T @ column / num_cells, scale, out=np.zeros_like(scale), where=scale > 0)
        shrunk = (1 - shrinkage(correlation, edited, num_cells)) * correlation
        shrunk[edited, range(len(edited))] = 1.0
        return sd[:, None] * np.linalg.solve(shrunk[list(edited)], shrunk.T).T / np.maximum(sd[list(edited)], 1e-9)

    def _depth(self, edited: tuple[int, ...]) -> NDArray[np.float64]:
        """`(n,)` log2(1 + counts of all genes but the edited), standardised; 0 where all cells have the same."""
        counts = self._values.copy()
        counts.data = np.where(np.isin(counts.indices, edited), 0.0, np.exp2(counts.data) - 1)
        depth = np.log2(1 + np.asarray(counts.sum(axis=1), np.float64).ravel())
        depth -= depth.mean()
        return depth / max(float(depth.std()), 1e-9)


def shrinkage(correlation: NDArray[np.float64], edited: tuple[int, ...], num_cells: int) -> float:
    """In [0, 1]: the expected squared error of `(G, E)` correlations over ``num_cells``, in parts of their squares."""
    others = correlation.copy()
    others[edited, range(len(edited))] = 0.0
    error = np.square(1 - np.square(others[others != 0])).sum() / max(1, num_cells - 2)
    return float(min(1.0, error / max(float(np.square(others).sum()), 1e-12)))
