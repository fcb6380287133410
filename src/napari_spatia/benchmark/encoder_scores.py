"""How well does the encoder tell types and genes of cells that it was not trained on, beside simple baselines?

    python -m napari_spatia.benchmark.encoder_scores SLIDE --checkpoint C --split FILE [--part test] [--figure PNG]

Scores, each with a bootstrap interval over cells: balanced accuracy, accuracy and expected calibration error (ECE) of
types; the mean Pearson correlation over genes of imputed with measured normalised expression. What may be read:

- ``genes``, ``both``: genes, or genes and image, of the cell itself, and the expression around it.
- ``image``: the cell's own crop and nothing else.
- ``image in its niche``: the crop, and the expression of the neighbours; no gene of the cell itself.
- ``hidden genes``: 40 genes are kept from the model for every cell, neighbours included, and imputed from all the rest.

Genes are scored that at least 3 % of the training cells express; the 40 are drawn from them by seed. Baselines are
scikit-learn's on the training part of the same split: logistic regression (as it is, and with balanced classes) and
ridge, on normalised counts or on ten image statistics (mean and deviation of each stain in the cell, log area, mean
DAPI of the crop). ``shuffled`` rows give each cell another cell's answer.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from napari_spatia.benchmark.condition_use import recorded_split
from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.reliability import draw_reliability, reliability
from napari_spatia.benchmark.report import REFERENCE_CELLS, printed_progress, report_errors
from napari_spatia.data.counts import normalised
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.io import open_slide
from napari_spatia.data.keys import OBS_KNOWN_CELL_TYPE
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.inference.tasks import INPUTS
from napari_spatia.progress import Progress, part, silent

LEAST_DETECTED = 0.03
HIDDEN_GENES = 40
ROUNDS = 200
VIEWS: dict[str, tuple[str, ...]] = {
    "genes": ("genes", "niche", "tissue"),
    "image": ("image",),
    "image in its niche": ("image", "niche", "tissue"),
    "both": INPUTS,
}
ABLATIONS: dict[str, tuple[str, ...]] = {
    "without niche": ("image", "genes", "tissue"),
    "without tissue": ("image", "genes", "niche"),
    "without niche and tissue": ("image", "genes"),
}


@dataclass(frozen=True, slots=True)
class Task:
    """Rows of the cells that are scored (n) and learned from by baselines; genes are positions in the slide's panel."""

    scored: NDArray[np.intp]
    reference: NDArray[np.intp]
    genes: NDArray[np.intp]
    hidden: NDArray[np.intp]
    types: NDArray[np.str_]
    expression: NDArray[np.float32]


def encoder_scores(predictor: Predictor, slide: Slide, task: Task, progress: Progress = silent) -> dict[str, Any]:
    """All rows; see the top of this file."""
    found: dict[str, Any] = {"types": {}, "genes": {}, "hidden_genes": {}}
    views = VIEWS | ABLATIONS
    for number, (name, inputs) in enumerate(views.items()):
        bound = predictor.bind(slide, inputs=inputs)
        span = part(progress, 0.7 * number / len(views), 0.7 * (number + 1) / len(views))
        outputs = bound.embed(task.scored, progress=span)
        found["types"][name] = type_scores(
            outputs.type_probability, np.array(predictor.info.cell_types), task.types[task.scored]
        )
        if "genes" not in inputs:
            columns = predictor.info.panel.indices([slide.panel.genes[gene] for gene in task.genes])
            found["genes"][name] = gene_scores(outputs.expression[:, columns], task, task.genes)
    hidden = [slide.panel.genes[gene] for gene in task.hidden]
    columns = predictor.info.panel.indices(hidden)
    for name, inputs in (("genes", VIEWS["genes"]), ("both", INPUTS)):
        bound = predictor.bind(slide, inputs=inputs, hide_genes=hidden)
        outputs = bound.embed(task.scored, progress=part(progress, 0.7, 0.85))
        found["hidden_genes"][name] = gene_scores(outputs.expression[:, columns], task, task.hidden)
    progress(0.85, "fitting baselines")
    _add_baselines(found, slide, predictor, task)
    return found


def choose_task(slide: Slide, split: Split, scored_part: str, num_cells: int | None, seed: int) -> Task:
    """Cells and genes of one run. Raises `SpatiaError` where the part has no cells or the slide names no types."""
    if slide.known_type_column is None:
        raise SpatiaError(
            f"Slide '{slide.name}' names no cell types: expected an obs column among {', '.join(OBS_KNOWN_CELL_TYPE)}."
        )
    inside = {"test": split.inside_test, "validation": split.inside_validation}[scored_part]
    scored, training = np.flatnonzero(inside(slide.centers_um)), np.flatnonzero(split.inside_training(slide.centers_um))
    if not len(scored) or not len(training):
        raise SpatiaError(
            f"The split leaves {len(scored)} {scored_part} cells and {len(training)} training cells of slide "
            f"'{slide.name}'; both are needed. Use the split file that was written for this slide."
        )
    random = np.random.default_rng(seed)
    expression = normalised(slide.counts).toarray()
    detected = np.flatnonzero((expression[training] > 0).mean(axis=0) >= LEAST_DETECTED)
    hidden = np.sort(random.choice(detected, min(HIDDEN_GENES, len(detected) // 2), replace=False))
    pick = lambda rows, most: rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))  # noqa: E731
    return Task(
        scored=pick(scored, num_cells or len(scored)),
        reference=pick(training, REFERENCE_CELLS),
        genes=detected,
        hidden=hidden,
        types=slide.known_types(),
        expression=expression,
    )


def type_scores(probability: NDArray, cell_types: NDArray[np.str_], truth: NDArray[np.str_]) -> dict[str, Any]:
    """Scores of `(n, T)` probabilities against the names of the cells that have one ("" has none)."""
    known = np.isin(truth, cell_types)
    probability, truth = probability[known], truth[known]
    said = cell_types[probability.argmax(axis=1)]
    right, confidence = said == truth, probability.max(axis=1)
    shuffled = np.random.default_rng(0).permutation(truth)
    return {
        "balanced_accuracy": _interval(lambda rows: balanced_accuracy(said[rows], truth[rows]), len(truth)),
        "accuracy": _interval(lambda rows: right[rows].mean(), len(truth)),
        "ece": _interval(lambda rows: reliability(confidence[rows], right[rows])["ece"], len(truth)),
        "reliability": reliability(confidence, right)["bins"],
        "shuffled_balanced_accuracy": plain(balanced_accuracy(said, shuffled)),
    }


def gene_scores(imputed: NDArray, task: Task, genes: NDArray[np.intp]) -> dict[str, Any]:
    """Mean over ``genes`` of Pearson's correlation of `(n, genes)` with what was measured."""
    measured = task.expression[task.scored][:, genes]
    order = np.random.default_rng(0).permutation(len(measured))
    return {
        "mean_pearson": _interval(lambda rows: mean_pearson(imputed[rows], measured[rows]), len(measured)),
        "shuffled_mean_pearson": plain(mean_pearson(imputed[order], measured)),
        "genes": len(genes),
    }


def balanced_accuracy(said: NDArray, truth: NDArray) -> float:
    """Mean over the types that occur of the share of their cells that are named right."""
    return float(np.mean([(said[truth == name] == name).mean() for name in np.unique(truth)]))


def mean_pearson(said: NDArray, seen: NDArray) -> float:
    """`(n, genes)` twice → mean correlation over genes; 0 for a gene that is said to be the same everywhere."""
    said, seen = said - said.mean(axis=0), seen - seen.mean(axis=0)
    scale = np.linalg.norm(said, axis=0) * np.linalg.norm(seen, axis=0)
    return float(np.mean((said * seen).sum(axis=0) / np.maximum(scale, 1e-9)))


def _interval(score: Any, num: int) -> dict[str, float | None]:
    """A score of rows and its 95 % interval over bootstrap samples of the cells, less what such samples are off by in
    the mean: an ECE grows by each doubling of a cell, and its samples would all lie above it.
    """
    random = np.random.default_rng(0)
    value = score(np.arange(num))
    drawn = np.array([score(random.integers(num, size=num)) for _ in range(ROUNDS)])
    low, high = np.percentile(drawn - drawn.mean(), [2.5, 97.5]) + value
    return {"value": plain(value), "low": plain(low), "high": plain(high)}


def _add_baselines(found: dict[str, Any], slide: Slide, predictor: Predictor, task: Task) -> None:
    """Logistic and ridge regressions, fitted on the reference cells."""
    counts = {rows: task.expression[getattr(task, rows)] for rows in ("reference", "scored")}
    statistics = {rows: ten_statistics(slide, predictor, getattr(task, rows)) for rows in ("reference", "scored")}
    named = task.types[task.reference] != ""
    for features, values in (("counts", counts), ("ten image statistics", statistics)):
        scaler = StandardScaler(with_std=features != "counts").fit(values["reference"])
        learn, score = scaler.transform(values["reference"]), scaler.transform(values["scored"])
        for kind, weight in (("logistic", None), ("balanced logistic", "balanced")):
            model = LogisticRegression(max_iter=200, class_weight=weight)
            model.fit(learn[named], task.types[task.reference][named])
            found["types"][f"{kind} on {features}"] = type_scores(
                model.predict_proba(score), model.classes_.astype(str), task.types[task.scored]
            )
    seen = np.setdiff1d(np.arange(task.expression.shape[1]), task.hidden)
    visible = normalised(slide.counts[:, seen])
    for name, learn, score, wanted, table in (
        ("ridge on ten image statistics", statistics["reference"], statistics["scored"], task.genes, "genes"),
        ("ridge on counts", visible[task.reference].toarray(), visible[task.scored].toarray(), task.hidden,
         "hidden_genes"),
    ):  # fmt: skip
        scaler = StandardScaler().fit(learn)
        ridge = Ridge(alpha=0.01 * len(learn)).fit(scaler.transform(learn), task.expression[task.reference][:, wanted])
        found[table][name] = gene_scores(ridge.predict(scaler.transform(score)), task, wanted)


def ten_statistics(slide: Slide, predictor: Predictor, cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """`(n, 10)` what anyone could measure of a cell's picture; `(n, 2 · stains + 2)` for other than four stains."""
    info = predictor.info
    rows = []
    for start in range(0, len(cells), 4096):
        chunk = cells[start : start + 4096]
        window = (slide.centers_um[chunk], info.um_per_px, info.crop_px)
        images = np.sqrt(read_crops(slide.image, *window).astype(np.float64))
        mask = read_masks(slide.labels, slide.instance_id[chunk], *window)[:, None]
        area = np.maximum(mask.sum(axis=(2, 3)), 1)
        mean = (images * mask).sum(axis=(2, 3)) / area
        spread = np.sqrt((((images - mean[..., None, None]) ** 2) * mask).sum(axis=(2, 3)) / area)
        rows.append(np.concatenate([mean, spread, np.log(area), images[:, :1].mean(axis=(2, 3))], axis=1))
    return np.concatenate(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.encoder_scores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", metavar="SLIDE")
    parser.add_argument("--checkpoint", required=True, metavar="C", help="a folder or a shipped name")
    parser.add_argument("--split", type=Path, metavar="FILE", help="default: the split that the checkpoint records")
    parser.add_argument("--part", choices=("test", "validation"), default="validation", help="which cells are scored")
    parser.add_argument("--cells", type=int, metavar="N", help="at most so many cells")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the reliability diagram")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        predictor = Predictor.load(options.checkpoint, "cpu")
        split = Split.read(options.split) if options.split else recorded_split(slide, predictor.info)
        task = choose_task(slide, split, options.part, options.cells, options.seed)
        found = encoder_scores(predictor, slide, task, printed_progress())
        if options.figure:
            draw_reliability({view: found["types"][view]["reliability"] for view in VIEWS}, options.figure)
        said = {
            "benchmark": "encoder_scores",
            "slide": slide.name,
            "checkpoint": predictor.info.name,
            "sha256": predictor.info.sha256,
            "part": options.part,
            "cells": len(task.scored),
            "reference_cells": len(task.reference),
            "seed": options.seed,
        }
        print(json.dumps(said | found))


if __name__ == "__main__":
    main()
