"""Does the decoder use its condition? Statistics of pictures drawn from held-out expression against the real cells.

    python -m napari_spatia.benchmark.condition_use SLIDE --checkpoint pancreas-small --holdout

Each score is R² = 1 - SSE / SST against the real values, without refitting, with a bootstrap interval over cells. Rows:
``generated`` (mean over samples), ``shuffled`` (the same with every cell's expression given to another cell),
``class_mean`` (mean of other cells of the same type) and, where the slide has training cells, ``ridge`` (counts →
statistic, fitted there). A generated cell is measured within its own generated mask, a real one within its label.

The score is that of the mean picture: with few samples what differs between them counts against it. Where they differ
as real cells do, R² of n samples from noise of their own is lower than that of the mean by the unexplained part over n;
samples are drawn in pairs of opposite noise, which leaves less of it.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from napari_spatia.benchmark.metrics import image_statistics, means_of_known, r2, with_interval
from napari_spatia.benchmark.pictures import real_pictures
from napari_spatia.benchmark.report import (
    REFERENCE_CELLS,
    add_which_cells,
    benchmark_parser,
    printed_progress,
    report_errors,
)
from napari_spatia.data.counts import normalised
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import BoundSlide, CheckpointInfo, Predictor
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

CELLS_AT_ONCE = 512
SAMPLES = 16
Statistics = dict[str, dict[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pictures are drawn: so many a cell, in so many passes, from which noise."""

    samples: int = SAMPLES
    nfe: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows of the cells that are scored and of training cells that the baselines may learn from (none: empty)."""

    scored: NDArray[np.intp]
    reference: NDArray[np.intp]
    chosen_by: str


def condition_use(
    bound: BoundSlide,
    held_out: HeldOut,
    sampling: Sampling,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Scores per region, statistic and row; see the top of this file."""
    slide, cells = bound.slide, held_out.scored
    real = real_statistics(bound, cells, part(progress, 0.0, 0.02))
    reference = real_statistics(bound, held_out.reference, part(progress, 0.02, 0.1))
    rows = {
        "generated": generated_statistics(bound, cells, sampling, part(progress, 0.1, 0.5)),
        "shuffled": generated_statistics(bound.shuffled(sampling.seed), cells, sampling, part(progress, 0.5, 0.9)),
    }
    types, types_from = types_of_cells(bound)
    rows["class_mean"] = _class_mean(real, types[cells], reference, types[held_out.reference])
    if len(held_out.reference):
        progress(0.9, "fitting ridge regressions")
        rows["ridge"] = _ridge(slide, held_out, reference)
    scores = {
        region: {
            statistic: {
                row: with_interval(r2, truth, predicted[region][statistic], sampling.seed)
                for row, predicted in rows.items()
            }
            for statistic, truth in statistics.items()
        }
        for region, statistics in real.items()
    }
    drawn = rows["generated"]["cell"]["log_area"]
    return {
        "cells": len(cells),
        "chosen_by": held_out.chosen_by,
        **asdict(sampling),
        "checkpoint": bound.predictor.info.name,
        "sha256": bound.predictor.info.sha256,
        "types_from": types_from,
        "class_mean_from": "training cells" if len(held_out.reference) else "the other scored cells",
        "reference_cells": len(held_out.reference),
        "generated_without_mask": int(np.isnan(drawn).sum()),
        "notes": list(bound.notes),
        "r2": scores,
    }


def real_statistics(bound: BoundSlide, cells: NDArray[np.intp], progress: Progress = silent) -> Statistics:
    """`image_statistics` of real cells, on the same grid and window as generated ones."""
    info = bound.predictor.info
    whole: Statistics = {}
    for position, images, masks in real_pictures(bound, cells, progress):
        for region, found in image_statistics(images, masks, info.channels, info.um_per_px).items():
            for name, values in found.items():
                whole.setdefault(region, {}).setdefault(name, np.full(len(cells), np.nan))[position] = values
    return whole


def generated_statistics(
    bound: BoundSlide, cells: NDArray[np.intp], sampling: Sampling, progress: Progress = silent
) -> Statistics:
    """`image_statistics` of generated cells, averaged over the samples that have a mask."""
    info, chunks, done = bound.predictor.info, [], 0
    for rows in _chunks(cells, CELLS_AT_ONCE):
        span = part(progress, done / len(cells), (done + len(rows)) / len(cells))
        images, masks = bound.generate(rows, **asdict(sampling), progress=span)
        found = image_statistics(images, masks >= 0.5, info.channels, info.um_per_px)
        chunks.append({region: {name: _mean_of_known(v) for name, v in s.items()} for region, s in found.items()})
        done += len(rows)
    return _joined(chunks)


def choose_cells(
    slide: Slide,
    info: CheckpointInfo,
    *,
    region_um: "Sequence[float] | None" = None,
    holdout: bool = False,
    num_cells: int | None = None,
    num_reference: int = REFERENCE_CELLS,
    seed: int = 0,
) -> HeldOut:
    """The cells to score: those in ``region_um`` (y0, x0, y1, x1), the checkpoint's own test or else validation part
    (``holdout``), or all of the slide; at most ``num_cells`` of them, drawn by ``seed``. ``num_reference`` bounds the
    training cells that baselines learn from.
    """
    centers = slide.centers_um
    split = None
    if region_um is not None:
        y0, x0, y1, x1 = region_um
        split, chosen_by = Split(test=((y0, x0, y1, x1),)), f"region {y0:g} {x0:g} {y1:g} {x1:g} µm"
        scored = split.inside_test(centers)
    elif holdout:
        split = recorded_split(slide, info)
        scored, chosen_by = split.inside_test(centers), "the checkpoint's test part"
        if not scored.any():
            scored, chosen_by = split.inside_validation(centers), "the checkpoint's validation part"
    else:
        scored, chosen_by = np.ones(slide.num_cells, bool), "all cells"
    if not scored.any():
        raise SpatiaError(
            f"No cell of slide '{slide.name}' lies in {chosen_by}. Its extent is {slide.image.extent_um} µm."
        )
    inside = split.inside_training(centers) if split else np.zeros(slide.num_cells, bool)
    random = np.random.default_rng(seed)
    return HeldOut(
        _some(np.flatnonzero(scored), num_cells, random),
        _some(np.flatnonzero(inside), num_reference, random),
        chosen_by,
    )


def recorded_split(slide: Slide, info: CheckpointInfo) -> Split:
    """The split that the checkpoint was trained with. Raises `SpatiaError` for a slide that it was not trained on."""
    slides = list(info.provenance.get("slides", []))
    if slide.name not in slides:
        raise SpatiaError(
            f"Checkpoint '{info.name}' records no split of slide '{slide.name}'; it was trained on "
            f"{', '.join(slides) or 'slides it does not name'}. Name the cells with --region-um, or score them all."
        )
    return Split.model_validate(info.provenance["splits"][slides.index(slide.name)])


def _some(rows: NDArray[np.intp], most: int | None, random: np.random.Generator) -> NDArray[np.intp]:
    if most is None or len(rows) <= most:
        return rows
    return np.sort(random.choice(rows, most, replace=False))


def types_of_cells(bound: BoundSlide) -> tuple[NDArray[np.str_], str]:
    """Type of each cell: the slide's own, or else the model's."""
    if bound.slide.known_type_column is not None:
        return bound.slide.known_types(), f"obs['{bound.slide.known_type_column}']"
    best = bound.embed().type_probability.argmax(axis=1)
    return np.array(bound.predictor.info.cell_types)[best], "predicted"


def _class_mean(real: Statistics, types: NDArray, reference: Statistics, reference_types: NDArray) -> Statistics:
    """Each cell's statistic as the mean over reference cells of its type, or else over the other scored ones."""
    learn = len(reference_types) > 0
    rows: Statistics = {}
    for region, statistics in real.items():
        rows[region] = {}
        for name, values in statistics.items():
            source, of = (reference[region][name], reference_types) if learn else (values, types)
            known = np.isfinite(source)
            expected = np.full(len(types), np.nanmean(source))
            for cell_type in np.unique(types):
                members = known & (of == cell_type)
                own = np.flatnonzero(types == cell_type)
                total, count = source[members].sum(), members.sum()
                if learn and count:
                    expected[own] = total / count
                elif not learn and count > 1:  # each cell from the others of its type
                    expected[own] = (total - np.nan_to_num(values[own])) / (count - np.isfinite(values[own]))
            rows[region][name] = expected
    return rows


def _ridge(slide: Slide, held_out: HeldOut, reference: Statistics) -> Statistics:
    """Each statistic from normalised counts by ridge regression, fitted on the reference cells."""
    scaler = StandardScaler()
    learn = scaler.fit_transform(normalised(slide.counts[held_out.reference]).toarray())
    score = scaler.transform(normalised(slide.counts[held_out.scored]).toarray())
    rows: Statistics = {}
    for region, statistics in reference.items():
        rows[region] = {}
        for name, values in statistics.items():
            known = np.isfinite(values)
            model = RidgeCV(alphas=np.logspace(0, 5, 11)).fit(learn[known], values[known])
            rows[region][name] = model.predict(score)
    return rows


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n, samples)` → `(n,)` mean over what is not NaN; NaN where nothing is known."""
    return np.where(np.isfinite(values).any(axis=1), means_of_known(values, 1), np.nan)


def _chunks(rows: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)] or [rows]


def _joined(chunks: list[Statistics]) -> Statistics:
    return {
        region: {name: np.concatenate([chunk[region][name] for chunk in chunks]) for name in statistics}
        for region, statistics in chunks[0].items()
    }


def open_for_benchmark(
    options: argparse.Namespace, num_cells: int | None = None, num_reference: int = REFERENCE_CELLS
) -> tuple[BoundSlide, HeldOut]:
    """The slide, the checkpoint and the cells that the options of a benchmark name (`benchmark_parser`)."""
    slide = open_slide(options.slide)
    bound = Predictor.load(options.checkpoint, options.device, options.precision).bind(slide)
    which = {"region_um": options.region_um, "holdout": options.holdout, "seed": options.seed}
    held_out = choose_cells(slide, bound.predictor.info, num_cells=num_cells, num_reference=num_reference, **which)
    return bound, held_out


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("condition_use", __doc__)
    parser.add_argument("--cells", type=int, metavar="N", help="at most so many cells")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"pictures a cell (default {SAMPLES})")
    parser.add_argument("--nfe", type=int, default=4, help="decoder passes a picture (default 4)")
    add_which_cells(parser)
    options = parser.parse_args(arguments)
    with report_errors():
        bound, held_out = open_for_benchmark(options, options.cells)
        found = condition_use(
            bound,
            held_out,
            Sampling(options.samples, options.nfe, options.seed),
            progress=printed_progress(),
        )
        about = {"slide": bound.slide.name, "precision": bound.predictor.precision}
        print(json.dumps({"benchmark": "condition_use", **about, **found}))


if __name__ == "__main__":
    main()
