"""How well are genes told that no panel has, from a reference of cells that have them?

    python -m napari_spatia.benchmark.reference_check SLIDE --holdout SPLIT.json

Random genes are taken away from the cells of the split's validation part and imputed from training cells of the same
slide, which stand for the reference (`inference.transfer`). Rows: ``ridge``, as `predict --reference` does;
``nearest``, the mean of the `NUM_NEAREST` reference cells that are most alike in the shared genes; ``shuffled``, ridge
with each cell's counts given to another. ``promised`` is what the reference's own held-out cells say of each gene,
``shared`` what shared genes reach that are hidden in turn on the slide; ``ranked`` is the correlation over genes of the
promised with the true score.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from napari_spatia.benchmark.metrics import correlation, plain
from napari_spatia.benchmark.report import REFERENCE_CELLS, printed_progress, report_errors
from napari_spatia.data.counts import scaled
from napari_spatia.data.io import open_slide
from napari_spatia.data.panel import Panel
from napari_spatia.data.reference import Reference
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.inference.transfer import transfer
from napari_spatia.progress import Progress, part, silent

NUM_NEAREST = 50


def reference_check(
    slide: Slide, split: Split, num_genes: int, seed: int, progress: Progress = silent
) -> dict[str, Any]:
    """Scores over the genes that were taken away; see the top of this file."""
    rng = np.random.default_rng(seed)
    learned, scored = (np.flatnonzero(f(slide.centers_um)) for f in (split.inside_training, split.inside_validation))
    some = np.sort(rng.permutation(learned)[:REFERENCE_CELLS])
    taken = sorted(rng.permutation(slide.panel.genes)[:num_genes].tolist())
    kept = tuple(gene for gene in slide.panel.genes if gene not in taken)
    reference = Reference(f"{len(some)} training cells", slide.counts[some], slide.panel)
    counts = slide.counts[scored][:, slide.panel.indices(kept)]
    shared, wanted = slide.panel.indices(kept), slide.panel.indices(taken)
    truth = scaled(slide.counts[scored], shared)[:, wanted].toarray()

    found = transfer(counts, Panel(kept), reference, taken, seed, part(progress, 0, 0.5))
    mixed = transfer(counts[rng.permutation(len(scored))], Panel(kept), reference, taken, seed, part(progress, 0.5, 1))
    known = scaled(reference.counts, shared)
    near = _nearest(
        known[:, shared].toarray(), known[:, wanted].toarray(), scaled(counts, np.arange(len(kept))).toarray()
    )
    ridge = _pearson(truth, found.expression)
    by_gene = [
        {"gene": gene, "pearson": plain(value), "promised": plain(float(said))}
        for gene, value, said in zip(taken, ridge, found.score.pearson, strict=True)
    ]
    return {
        "cells": len(scored),
        "reference_cells": len(some),
        "rows": {
            "ridge": plain(float(np.nanmean(ridge))),
            "nearest": plain(float(np.nanmean(_pearson(truth, near)))),
            "shuffled": plain(float(np.nanmean(_pearson(truth, mixed.expression)))),
            "promised": plain(float(np.nanmean(found.score.pearson))),
            "shared": plain(float(np.nanmean(found.shared_score.pearson))),
            "ranked": plain(correlation(ridge, found.score.pearson)),
        },
        "genes": sorted(by_gene, key=lambda row: -(row["pearson"] or 0.0)),
    }


def _nearest(source: NDArray, target: NDArray, query: NDArray) -> NDArray[np.float32]:
    """`(n, K)` means of the reference's ``target`` over the cells whose ``source`` is nearest to each ``query``."""
    scales = [(values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-6) for values in (source, query)]
    neighbours = NearestNeighbors(n_neighbors=min(NUM_NEAREST, len(source))).fit(scales[0])
    return np.stack([target[rows].mean(axis=0) for rows in neighbours.kneighbors(scales[1], return_distance=False)])


def _pearson(truth: NDArray, told: NDArray) -> NDArray[np.float64]:
    """`(K,)` over the cells of each gene; NaN where one does not vary."""
    return np.array([correlation(*pair) for pair in zip(truth.T, told.T, strict=True)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.reference_check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", metavar="SLIDE")
    parser.add_argument("--holdout", type=Path, required=True, metavar="FILE", help="a split file")
    parser.add_argument("--genes", type=int, default=60, metavar="N", help="genes to take away (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with report_errors():
        slide, split = open_slide(options.slide), Split.read(options.holdout)
        found = reference_check(slide, split, options.genes, options.seed, printed_progress())
        print(json.dumps({"benchmark": "reference_check", "slide": slide.name, "seed": options.seed} | found))


if __name__ == "__main__":
    main()
