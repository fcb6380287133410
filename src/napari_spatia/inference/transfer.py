"""Genes beyond a slide's panel, carried over from reference cells through the genes that both have measured.

Letters: N slide cells, M reference cells, S shared genes, K genes beyond the panel. A ridge regression from shared to
further genes, after each gene was centred and scaled within its own data set, so that a platform that catches a gene
better or worse is not taken for biology. On the pancreas slide (60 genes taken away, reference: 20,000 other cells) it
reaches a mean Pearson correlation of 0.20, the mean of 50 nearest reference cells 0.16 (`benchmark.reference_check`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import rankdata
from sklearn.linear_model import Ridge

from napari_spatia.data.counts import scaled
from napari_spatia.data.panel import Panel
from napari_spatia.data.reference import Reference
from napari_spatia.errors import PanelError
from napari_spatia.progress import Progress, silent

FEWEST_SHARED = 20
MOST_REFERENCE_CELLS = 20_000
MOST_GENES = 1000
"""At most so many genes are carried over: those that the reference's held-out cells tell best."""
GENES_AT_ONCE = 500
FOLDS = 5
HELD_OUT_SHARE = 0.2
RIDGE_PER_CELL = 0.05


@dataclass(frozen=True, slots=True)
class Score:
    """Correlation of imputed with measured values over held-out cells, for each gene: `(K,)`, NaN where one of the two
    does not vary.
    """

    pearson: NDArray[np.float32]
    spearman: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Transfer:
    """``expression`` `(N, K)` float32 of ``genes``: log1p of counts scaled so that the shared genes of a cell sum to
    `TARGET_LIBRARY`. ``score`` is measured on cells of the reference that were kept out; ``shared_score`` on the slide
    itself, where each shared gene was hidden in one of `FOLDS` folds, which is the harder test.
    """

    reference: str
    genes: tuple[str, ...]
    expression: NDArray[np.float32]
    score: Score
    shared_genes: tuple[str, ...]
    shared_score: Score
    num_reference_cells: int

    def to_dict(self) -> dict[str, Any]:
        """What has to be known of it; plain values."""
        return {
            "name": self.reference,
            "cells": self.num_reference_cells,
            "genes": len(self.genes),
            "median_pearson": _median(self.score.pearson),
            "shared_genes": list(self.shared_genes),
            "shared_gene_pearson": self.shared_score.pearson.astype(float).round(4).tolist(),
            "shared_gene_spearman": self.shared_score.spearman.astype(float).round(4).tolist(),
            "median_shared_gene_pearson": _median(self.shared_score.pearson),
        }


def transfer(
    counts: csr_matrix,
    panel: Panel,
    reference: Reference,
    genes: Sequence[str],
    seed: int = 0,
    progress: Progress = silent,
) -> Transfer:
    """Imputes ``genes`` in cells with `(N, len(panel))` ``counts``; of more than `MOST_GENES`, those told best.

    Raises `PanelError` when too few genes are shared, or a named gene is not in the reference.
    """
    shared = [gene for gene in reference.panel.genes if gene in panel]
    if len(shared) < FEWEST_SHARED:
        raise PanelError(
            f"Reference '{reference.name}' shares {len(shared)} of its {len(reference.panel)} genes with the slide's "
            f"{len(panel)}; at least {FEWEST_SHARED} are needed. Name genes alike in both (symbols or Ensembl ids)."
        )
    wanted = list(genes)
    if not wanted:
        raise PanelError(f"Reference '{reference.name}' has no gene beyond those that are imputed already.")
    random = np.random.default_rng(seed)
    rows = random.permutation(reference.counts.shape[0])[:MOST_REFERENCE_CELLS]
    shared_idx, wanted_idx = reference.panel.indices(shared), reference.panel.indices(wanted)
    known = scaled(reference.counts[rows], shared_idx)
    source, target = known[:, shared_idx].toarray(), known[:, wanted_idx].tocsc()
    on_slide = scaled(counts, panel.indices(shared))[:, panel.indices(shared)].toarray()

    cut = int(len(rows) * (1 - HELD_OUT_SHARE))
    score = _held_out_score(source, target, cut, progress)
    if len(wanted) > MOST_GENES:
        best = np.sort(np.argsort(-np.nan_to_num(score.pearson, nan=-1))[:MOST_GENES])
        wanted, target = [wanted[i] for i in best], target[:, best]
        score = Score(score.pearson[best], score.spearman[best])
    shared_score = _shared_score(source, on_slide, random)
    progress(0.8, "carrying genes over from the reference")
    expression = np.concatenate(
        [_predict(source, target[:, part].toarray(), on_slide) for part in _parts(len(wanted))], axis=1
    )
    progress(1.0, "carrying genes over from the reference")
    return Transfer(reference.name, tuple(wanted), expression, score, tuple(shared), shared_score, len(rows))


def _held_out_score(source: NDArray[np.float32], target: Any, cut: int, progress: Progress) -> Score:
    """Fitted on the reference cells before ``cut``, scored on those after it."""
    scores = []
    for part in _parts(target.shape[1]):
        progress(0.5 * part.start / target.shape[1], "scoring genes on held-out reference cells")
        values = target[:, part].toarray()
        scores.append(_score(values[cut:], _predict(source[:cut], values[:cut], source[cut:])))
    return Score(np.concatenate([s.pearson for s in scores]), np.concatenate([s.spearman for s in scores]))


def _shared_score(source: NDArray[np.float32], on_slide: NDArray[np.float32], random: np.random.Generator) -> Score:
    """Each shared gene imputed from the reference without being read on the slide, against what the slide measured."""
    fold = random.permutation(source.shape[1]) % FOLDS
    imputed = np.empty_like(on_slide)
    for number in range(FOLDS):
        hidden = fold == number
        imputed[:, hidden] = _predict(source[:, ~hidden], source[:, hidden], on_slide[:, ~hidden])
    return _score(on_slide, imputed)


def _predict(
    source: NDArray[np.float32], target: NDArray[np.float32], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Fits `(M, S)` → `(M, K)`, and reads `(N, S)` of another data set → `(N, K)`, not below 0."""
    ridge = Ridge(alpha=RIDGE_PER_CELL * len(source)).fit(_standardised(source), target)
    return np.maximum(ridge.predict(_standardised(query)), 0).astype(np.float32).reshape(len(query), -1)


def _standardised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-6)


def _score(truth: NDArray[np.float32], imputed: NDArray[np.float32]) -> Score:
    ranks = (rankdata(values, axis=0).astype(np.float32) for values in (truth, imputed))
    return Score(_correlation(truth, imputed), _correlation(*ranks))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson's, column by column."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    return np.divide((first * second).sum(axis=0), norm, out=np.full(len(norm), np.nan, np.float32), where=norm > 1e-6)


def _parts(num_genes: int) -> list[slice]:
    return [slice(start, start + GENES_AT_ONCE) for start in range(0, num_genes, GENES_AT_ONCE)]


def _median(values: NDArray[np.float32]) -> float | None:
    return round(float(np.nanmedian(values)), 4) if np.isfinite(values).any() else None
