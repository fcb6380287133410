"""Do edits of real cells move their pictures as the tissue's own variation does?

    python -m napari_spatia.benchmark.natural_experiment SLIDE --checkpoint pancreas-small --holdout

Within a type, a held-out cell rich in gene g is matched with one that lacks it and is like it in all other genes, in
their total and in its niche: its neighbours' genes and how the cells around it look. The mean difference of their real
features, less what their remaining differences explain (Abadie & Imbens 2011, bias-corrected matching), is the observed
shift of g. The edit raises g in the poor cell to its partner's value, and the shift from its zero edit to its
counterfactual is the predicted one. Scores are Pearson's over genes, with a bootstrap interval over genes.

Rows: ``model``, ``from_noise`` (pictures of the poor cell's expression and of the edited one, both from the same random
noise), ``ridge`` (log2 counts → feature, fitted on training cells), ``elsewhere`` (the shifts that matching finds among
training cells: what the tissue itself says of a gene in another place), ``shuffled`` (the model's shifts given to other
genes). Observed shifts are noisy: ``reliability`` is that of their split halves, and its root is the highest score that
a model could reach that knows these very cells.

Genes are chosen by the number of matched pairs alone.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import RidgeCV

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.benchmark.condition_use import HeldOut, open_for_benchmark, types_of_cells
from napari_spatia.benchmark.frechet import NUCLEUS_CHANNEL
from napari_spatia.benchmark.matched_pairs import LEAST_PAIRS, Pairs, find_pairs, spread_within_types
from napari_spatia.benchmark.metrics import correlation, image_statistics, means_of_known, plain, with_interval
from napari_spatia.benchmark.pictures import in_chunks, real_pictures
from napari_spatia.benchmark.report import (
    add_training_cells,
    add_which_cells,
    benchmark_parser,
    printed_progress,
    report_errors,
)
from napari_spatia.data.morphology import nucleus_mask
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edit_many import edit_each
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.predictor import DEFAULT_NFE, BoundSlide
from napari_spatia.inference.resolve import EditResolver
from napari_spatia.progress import Progress, part, silent

PICTURES_AT_ONCE = 64
SHUFFLES = 1000


@dataclass(frozen=True, slots=True)
class Design:
    """How pairs are found and edits are drawn."""

    cells_per_gene: int = 32
    samples: int = 2
    nfe: int = DEFAULT_NFE
    most_genes: int = 150
    seed: int = 0


def picture_features(
    images: NDArray, masks: NDArray[np.bool_], channels: Sequence[str], um_per_px: float
) -> dict[str, NDArray[np.float64]]:
    """Features of standardised `(n, C, H, W)` in cells `(n, H, W)`: stain means, log area, the nucleus's log area."""
    found = dict(image_statistics(images, masks, channels, um_per_px)["cell"])
    dapi = images[:, list(channels).index(NUCLEUS_CHANNEL)]
    nuclei = np.array([nucleus_mask(*pair, um_per_px).sum() for pair in zip(dapi, masks, strict=True)], float)
    found["log_nucleus_area"] = np.log(np.where(nuclei > 0, nuclei * um_per_px**2, np.nan))
    return found


def real_features(
    bound: BoundSlide, cells: NDArray[np.intp], progress: Progress = silent
) -> tuple[list[str], NDArray[np.float64]]:
    """Names of features, and those of real cells `(n, F)`."""
    info = bound.predictor.info
    names: list[str] = []
    rows = np.empty((len(cells), 0))
    for position, images, masks in real_pictures(bound, cells, progress):
        found = picture_features(bound.scale.standardise(images), masks, info.channels, info.um_per_px)
        if not names:
            names, rows = list(found), np.full((len(cells), len(found)), np.nan)
        rows[position] = np.stack(list(found.values()), axis=1)
    return names, rows


def edited_shift(resolver: EditResolver, pairs: Pairs, design: Design) -> NDArray[np.float64]:
    """`(F,)` mean change of some poor cells when the gene is raised to each one's partner's value."""
    bound, some = resolver.bound, _some(pairs, design)
    info, gene = bound.predictor.info, bound.predictor.info.panel.genes[pairs.gene]
    poor, raised = pairs.poor[some], bound.values[pairs.rich[some], pairs.gene].toarray()[:, 0].tolist()
    edits = [resolver.resolve(int(row), Edit(((gene, by),)), {}) for row, by in zip(poor, raised, strict=True)]
    drawn = edit_each(bound, poor, edits, design.nfe)
    found = [
        picture_features(bound.scale.standardise(images), masks, info.channels, info.um_per_px)
        for images, masks in ((drawn.before, drawn.was_cell), (drawn.after, drawn.mask >= 0.5))
    ]
    before, after = (np.stack(list(features.values()), axis=1) for features in found)
    return np.nanmean(after - before, axis=0)


def drawn_shift(bound: BoundSlide, pairs: Pairs, design: Design) -> NDArray[np.float64]:
    """As `edited_shift`, of pictures that are drawn from random noise: the same before and after."""
    jobs = np.array([(pair, sample) for pair in _some(pairs, design) for sample in range(design.samples)])
    changes = []
    for job, _ in in_chunks(jobs, PICTURES_AT_ONCE, silent):
        poor, rich = pairs.poor[job[:, 0]], pairs.rich[job[:, 0]]
        before = bound.values[poor].toarray()
        after = before.copy()
        after[:, pairs.gene] = bound.values[rich, pairs.gene].toarray()[:, 0]
        white = np.stack([bound.noise(cell, design.seed, no) for cell, no in zip(poor, job[:, 1], strict=True)])
        drawn = [_drawn_features(bound, poor, values, white, design.nfe) for values in (before, after)]
        changes.append(drawn[1] - drawn[0])
    return np.nanmean(np.concatenate(changes), axis=0)


def _some(pairs: Pairs, design: Design) -> NDArray[np.intp]:
    """Which pairs of a gene are edited."""
    return np.random.default_rng([design.seed, pairs.gene]).permutation(len(pairs.poor))[: design.cells_per_gene]


def ridge_shifts(
    bound: BoundSlide, reference: NDArray[np.intp], features: NDArray[np.float64], pairs: Sequence[Pairs]
) -> NDArray[np.float64]:
    """`(genes, F)` shifts that a ridge regression of training cells' ``features`` `(n, F)` implies."""
    learn = bound.values[reference].toarray()
    shifts = np.empty((len(pairs), features.shape[1]))
    raised = np.array([bound.values[p.rich, p.gene].mean() for p in pairs])
    for feature, values in enumerate(features.T):
        known = np.isfinite(values)
        model = RidgeCV(alphas=np.logspace(0, 5, 11)).fit(learn[known], values[known])
        shifts[:, feature] = raised * model.coef_[[p.gene for p in pairs]]
    return shifts


def _elsewhere(
    bound: BoundSlide,
    reference: NDArray[np.intp],
    types: NDArray[np.str_],
    features: NDArray[np.float64],
    pairs: Sequence[Pairs],
) -> NDArray[np.float64]:
    """`(genes, F)` shifts of the same genes among training cells, matched alike; NaN where they have too few pairs."""
    found = find_pairs(bound, reference, types[reference], features, most_genes=bound.values.shape[1])
    there = {p.gene: p.shift() for p in found}
    unknown = np.full(features.shape[1], np.nan)
    return np.stack([there.get(p.gene, unknown) for p in pairs])


def natural_experiment(
    bound: BoundSlide, held_out: HeldOut, design: Design, progress: Progress = silent
) -> dict[str, Any]:
    """Scores per feature and of all together; see the top of this file."""
    resolver = EditResolver(bound)
    types, types_from = types_of_cells(bound)
    names, own = real_features(bound, held_out.scored, part(progress, 0.0, 0.1))
    progress(0.1, "matching cells")
    pairs = find_pairs(bound, held_out.scored, types[held_out.scored], own, design.most_genes)
    if len(pairs) < 3:
        raise SpatiaError(
            f"Only {len(pairs)} genes of slide '{bound.slide.name}' have {LEAST_PAIRS} matched pairs among "
            f"{len(held_out.scored)} cells; a correlation over genes needs 3. Score more cells."
        )
    unit = spread_within_types(own, types[held_out.scored])
    observed = np.stack([p.shift() for p in pairs]) / unit
    rows = {"model": np.empty_like(observed), "from_noise": np.empty_like(observed)}
    for number, p in enumerate(pairs):
        rows["model"][number] = edited_shift(resolver, p, design) / unit
        rows["from_noise"][number] = drawn_shift(bound, p, design) / unit
        progress(0.15 + 0.75 * (number + 1) / len(pairs), f"editing {len(pairs)} genes")
    if len(held_out.reference):
        _, learn = real_features(bound, held_out.reference, part(progress, 0.9, 1.0))
        rows["ridge"] = ridge_shifts(bound, held_out.reference, learn, pairs) / unit
        rows["elsewhere"] = _elsewhere(bound, held_out.reference, types, learn, pairs) / unit
    shifts = {"observed": observed, **rows}
    info = bound.predictor.info
    genes = [info.panel.genes[p.gene] for p in pairs]
    return {
        "cells": len(held_out.scored),
        "chosen_by": held_out.chosen_by,
        "types_from": types_from,
        "genes": len(pairs),
        "pairs_a_gene": {"least": min(len(p.rich) for p in pairs), "most": max(len(p.rich) for p in pairs)},
        "total_left_unmatched": plain(float(np.mean(np.concatenate([p.left for p in pairs])))),
        **asdict(design),
        "checkpoint": info.name,
        "sha256": info.sha256,
        "reference_cells": len(held_out.reference),
        "notes": list(bound.notes),
        "scores": shift_scores(names, observed, rows, _halves(pairs, unit, design.seed), design.seed),
        "shifts": {
            gene: {
                "pairs": len(p.rich),
                **{row: dict(zip(names, map(plain, v[n]), strict=True)) for row, v in shifts.items()},
            }
            for n, (gene, p) in enumerate(zip(genes, pairs, strict=True))
        },
    }


def shift_scores(
    names: Sequence[str],
    observed: NDArray[np.float64],
    rows: dict[str, NDArray[np.float64]],
    halves: tuple[NDArray[np.float64], NDArray[np.float64]],
    seed: int = 0,
) -> dict[str, Any]:
    """Correlations over genes of ``rows`` `(genes, F)` with ``observed``, per feature and of all features in one.

    ``halves`` are observed shifts from two halves of the pairs. In "all", shifts are in deviations of each feature
    within types and centred over genes, so that what all genes share earns nothing.
    """
    columns = {name: [idx] for idx, name in enumerate(names)} | {"all": list(range(len(names)))}
    return {
        name: _row_scores(observed[:, of], {row: v[:, of] for row, v in rows.items()}, [h[:, of] for h in halves], seed)
        for name, of in columns.items()
    }


def _row_scores(observed: NDArray, rows: dict[str, NDArray], halves: Sequence[NDArray], seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    model = rows["model"]
    shuffled = [centred_correlation(observed, model[random.permutation(len(model))]) for _ in range(SHUFFLES)]
    low, high = np.percentile(shuffled, [2.5, 97.5])
    half = centred_correlation(*halves)
    whole = 2 * half / (1 + half) if half > -1 else float("nan")  # Spearman-Brown: both halves together
    return {
        **{row: with_interval(centred_correlation, observed, values, seed) for row, values in rows.items()},
        "shuffled": {"value": plain(float(np.mean(shuffled))), "low": plain(low), "high": plain(high)},
        "reliability": {"split_half": plain(half), "whole": plain(whole), "highest_score": plain(max(whole, 0) ** 0.5)},
    }


def centred_correlation(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Pearson's of `(genes, F)` values, each feature centred over genes."""
    centred = (values - means_of_known(values, 0) for values in (truth, predicted))
    return correlation(*(values.ravel() for values in centred))


def _halves(pairs: Sequence[Pairs], unit: NDArray, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed shifts of two random halves of each gene's pairs, `(genes, F)` each."""
    halves: tuple[list[NDArray], list[NDArray]] = ([], [])
    for p in pairs:
        order = np.random.default_rng([seed, p.gene]).permutation(len(p.rich))
        for half, use in zip(halves, (order[::2], order[1::2]), strict=True):
            half.append(p.shift(use) / unit)
    return np.stack(halves[0]), np.stack(halves[1])


def _drawn_features(
    bound: BoundSlide, cells: NDArray[np.intp], values: NDArray[np.float32], white: NDArray[np.float32], nfe: int
) -> NDArray[np.float64]:
    """`(n, F)` of pictures of ``cells`` as if they expressed ``values`` `(n, G)` log2(1 + counts)."""
    info, device = bound.predictor.info, bound.predictor.device
    condition = bound.condition(cells, gene_tokens(csr_matrix(values)).to(device))
    drawn = bound.draw(torch.from_numpy(white).to(device), condition, nfe)
    images, masks = bound.restore(drawn)
    found = picture_features(bound.scale.standardise(images), masks >= 0.5, info.channels, info.um_per_px)
    return np.stack(list(found.values()), axis=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("natural_experiment", __doc__)
    parser.add_argument("--cells", type=int, metavar="N", help="match at most so many cells")
    parser.add_argument("--cells-per-gene", type=int, default=32, metavar="N", help="poor cells edited a gene (32)")
    parser.add_argument("--samples", type=int, default=2, help="pictures of each from noise, before and after (2)")
    parser.add_argument("--nfe", type=int, default=DEFAULT_NFE, help="decoder passes a picture (default 4)")
    parser.add_argument("--genes", type=int, default=150, metavar="N", help="at most the N genes with the most pairs")
    add_training_cells(parser)
    add_which_cells(parser)
    options = parser.parse_args(arguments)
    design = Design(options.cells_per_gene, options.samples, options.nfe, options.genes, options.seed)
    with report_errors():
        bound, held_out = open_for_benchmark(options, options.cells, options.training_cells)
        found = natural_experiment(bound, held_out, design, printed_progress())
        about = {"slide": bound.slide.name, "precision": bound.predictor.precision}
        print(json.dumps({"benchmark": "natural_experiment", **about, **found}))


if __name__ == "__main__":
    main()
