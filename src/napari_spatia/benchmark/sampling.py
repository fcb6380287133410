"""Passes and token merging: what each costs in time, and what in the pictures, beside rows that need no decoder.

    python -m napari_spatia.benchmark.sampling SLIDE --checkpoint pancreas-small --holdout --cells 5000 --cvae

Held-out cells are dealt into two halves. Pictures are drawn for the cells of one half and compared with the real cells
of the other (`frechet`), as the real cells of the first half are: that row, ``real``, is the floor that a perfect
decoder reaches. Condition use is R² of the first half's own stain means and log area from one picture a cell. Training
measures the noise of samplers of up to 16 passes; that of more is measured here in the same way, for a fair yardstick.

Rows without the decoder: ``nearest`` (the real picture of the training cell with the nearest expression),
``class_mean`` (the mean picture of the type's training cells), ``shuffled`` (drawn from another cell's expression) and,
with --cvae, ``cvae`` (`cvae`, trained here on the same training cells and embedding).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.neighbors import NearestNeighbors

from napari_spatia.benchmark.condition_use import HeldOut, open_for_benchmark, types_of_cells
from napari_spatia.benchmark.cvae import LATENT, train_cvae
from napari_spatia.benchmark.frechet import FeatureSpaces, frechet_distance
from napari_spatia.benchmark.metrics import image_statistics, plain, r2, with_interval
from napari_spatia.benchmark.pictures import CELLS_AT_ONCE, Pictures, generated_pictures, in_chunks, real_pictures
from napari_spatia.benchmark.report import (
    add_training_cells,
    add_which_cells,
    benchmark_parser,
    printed_progress,
    report_errors,
)
from napari_spatia.benchmark.timing import (
    MIDPOINT_PASSES,
    MIDPOINT_STEPS_MEASURED,
    decoder_gflop,
    matmul_gflops,
    median_and_p95,
    midpoint_ms,
    picture_times_ms,
)
from napari_spatia.data.counts import normalised
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.drawn import in_the_middle
from napari_spatia.inference.noise import white_noise
from napari_spatia.inference.predictor import DEFAULT_NFE, BoundSlide
from napari_spatia.model.device import one_thread
from napari_spatia.model.flow_path import NOISE_PASSES
from napari_spatia.model.flow_solver import invert
from napari_spatia.progress import Progress, part, silent

PASSES = (1, 2, 4, 8, 16, 64)
MERGE_RATIOS = (0.0, 0.25, 0.5, 0.75)
SPACE_CELLS = 4000
"""Training cells whose features standardise the spaces."""
NOISE_CELLS = 128
"""Training cells on which the noise of more passes is measured than training measured it for."""
COMPONENTS = 50
"""Principal components of normalised counts in which the nearest training cell is looked for."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to draw: passes and the share of tokens that are merged."""

    nfe: int
    merge_ratio: float

    @property
    def name(self) -> str:
        return f"{self.nfe} passes, {self.merge_ratio:.0%} merged"


@dataclass(frozen=True, slots=True)
class Measured:
    """n pictures: ``features`` `(n, F)` of each space, ``statistics`` `(n,)` in the cell, ``without_mask`` of them."""

    features: dict[str, NDArray[np.float64]]
    statistics: dict[str, NDArray[np.float64]]

    def take(self, rows: slice) -> "Measured":
        features, statistics = ({k: v[rows] for k, v in d.items()} for d in (self.features, self.statistics))
        return Measured(features, statistics)


class SamplingBenchmark:
    """One bound slide, its held-out cells in two halves, and the training cells that the other rows learn from."""

    def __init__(self, bound: BoundSlide, held_out: HeldOut, num_cells: int | None, seed: int, progress: Progress):
        if not len(held_out.reference):
            raise SpatiaError(
                f"No cell of slide '{bound.slide.name}' was trained on, so there is nothing to standardise features or "
                "to learn baselines from. Pass --holdout with a checkpoint that was trained on this slide."
            )
        self.bound, self.seed, self.reference = bound, seed, held_out.reference
        self.info = bound.predictor.info
        dealt = np.random.default_rng(seed).permutation(held_out.scored)
        half = min(len(dealt) // 2, num_cells or len(dealt))
        self.cells, self.others = np.sort(dealt[:half]), np.sort(dealt[half : 2 * half])
        self.training = self._standardised(self.reference, part(progress, 0.0, 0.5))
        some = self.training[:: max(1, len(self.training) // SPACE_CELLS)].astype(np.float32)
        self.spaces = FeatureSpaces.of_training(some[:, :-1], some[:, -1] > 0, self.info.channels, self.info.um_per_px)
        progress(0.6, "measuring real cells")
        real = self.measure(real_pictures(bound, np.concatenate([self.cells, self.others])), 2 * half)
        self.real, self.real_others = real.take(slice(half)), real.take(slice(half, None))

    def measure(self, pictures: Pictures, num: int) -> Measured:
        """Features and statistics of ``num`` pictures from any source."""
        features: dict[str, NDArray[np.float64]] = {}
        statistics: dict[str, NDArray[np.float64]] = {}
        for position, images, masks in pictures:
            found = self.spaces(self.bound.scale.standardise(images), masks)
            in_cell = image_statistics(images, masks, self.info.channels, self.info.um_per_px)["cell"]
            for whole, some in ((features, found), (statistics, in_cell)):
                for name, values in some.items():
                    whole.setdefault(name, np.full((num, *values.shape[1:]), np.nan))[position] = values
        return Measured(features, statistics)

    def scores(self, row: Measured) -> dict[str, Any]:
        """Fréchet distances to the other half's real cells, R² with intervals of the own ones' statistics."""
        distance = {
            name: plain(frechet_distance(values, self.real_others.features[name]))
            for name, values in row.features.items()
        }
        use = {
            name: with_interval(r2, truth, row.statistics[name], self.seed)
            for name, truth in self.real.statistics.items()
        }
        without_mask = int(np.isnan(row.statistics["log_area"]).sum())
        return {"frechet": distance, "condition_use": use, "without_mask": without_mask}

    def draw(self, setting: Setting, progress: Progress = silent) -> Measured:
        with self._noise_measured(setting.nfe):
            pictures = generated_pictures(self.bound, self.cells, **asdict(setting), seed=self.seed, progress=progress)
            return self.measure(pictures, len(self.cells))

    def null_rows(self, cvae_steps: int, progress: Progress = silent) -> dict[str, Callable[[Progress], Pictures]]:
        """Sources of pictures that need no decoder, and the decoder's own from shuffled expression."""
        rows: dict[str, Callable[[Progress], Pictures]] = {
            "nearest": lambda span: real_pictures(self.bound, self._nearest(), span),
            "class_mean": lambda span: self._class_means(),
            "shuffled": lambda span: generated_pictures(
                self.bound.shuffled(self.seed), self.cells, nfe=DEFAULT_NFE, seed=self.seed, progress=span
            ),
        }
        return rows | ({"cvae": lambda span: self._cvae(cvae_steps, span)} if cvae_steps else {})

    @contextmanager
    def _noise_measured(self, nfe: int) -> Iterator[None]:
        """Samplers of ``nfe`` passes start from the noise that real cells come from, as those of fewer do."""
        if nfe in NOISE_PASSES:
            yield
            return
        decoder = self.bound.model.decoder
        spectrum = decoder.spectrum
        before = {name: value.clone() for name, value in spectrum.state_dict().items()}
        cells = self.reference[:: max(1, len(self.reference) // NOISE_CELLS)][:NOISE_CELLS]
        with torch.no_grad():
            condition = self.bound.condition(cells, self.bound.genes_of(cells))
            pictures = self.bound.pictures_of(cells)
            start = invert(self.bound.velocity(condition), spectrum.step_back, pictures, nfe, decoder.inversion)
            spectrum.measure_noise(self.bound.model.white_of(start, condition), condition.prior, nfe)
        try:
            yield
        finally:
            spectrum.load_state_dict(before)

    def _standardised(self, cells: NDArray[np.intp], progress: Progress) -> NDArray[np.float16]:
        """`(n, C + 1, H, W)` real crops, mask last as ±1."""
        size = self.info.crop_px
        stack = np.empty((len(cells), len(self.info.channels) + 1, size, size), np.float16)
        for position, images, masks in real_pictures(self.bound, cells, progress):
            stack[position, :-1] = self.bound.scale.standardise(images)
            stack[position, -1] = 2.0 * masks - 1
        return stack

    def _restored(self, position: NDArray[np.intp], standardised: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """As `BoundSlide.generate` gives its own pictures."""
        images, masks = in_the_middle(*self.bound.restore(torch.from_numpy(standardised.astype(np.float32))))
        return position, images, masks >= 0.5

    def _nearest(self) -> NDArray[np.intp]:
        """`(n,)` the training cell nearest to each cell in principal components of normalised counts."""
        counts = self.bound.slide.counts
        learn, look = (normalised(counts[rows]) for rows in (self.reference, self.cells))
        components = min(COMPONENTS, learn.shape[1] - 1, len(self.reference) - 1)
        space = TruncatedSVD(components, random_state=self.seed).fit(learn)
        index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(space.transform(learn))
        return self.reference[index.kneighbors(space.transform(look), return_distance=False)[:, 0]]

    def _class_means(self) -> Pictures:
        types, _ = types_of_cells(self.bound)
        means = {}
        for cell_type in np.unique(types[self.cells]):
            members = self.training[types[self.reference] == cell_type]
            means[cell_type] = (members if len(members) else self.training).mean(0, dtype=np.float32)
        for position, _span in in_chunks(np.arange(len(self.cells)), CELLS_AT_ONCE, silent):
            yield self._restored(position, np.stack([means[t] for t in types[self.cells[position]]]))

    def _cvae(self, steps: int, progress: Progress) -> Pictures:
        model = train_cvae(self.training, self._conditions(self.reference), steps, self.seed, part(progress, 0.0, 0.9))
        for position, span in in_chunks(np.arange(len(self.cells)), CELLS_AT_ONCE, part(progress, 0.9, 1.0)):
            ids = self.bound.slide.cell_id[self.cells[position]]
            code = np.stack([white_noise((LATENT,), self.seed, str(cell_id)) for cell_id in ids])
            with torch.no_grad():
                drawn = model.draw(torch.from_numpy(code), self._conditions(self.cells[position])).numpy()
            span(1.0, "drawing with the VAE")
            yield self._restored(position, drawn)

    def _conditions(self, cells: NDArray[np.intp]) -> torch.Tensor:
        """(n, D) the embedding that the decoder reads, made without the cells' images."""
        chunks = [
            self.bound.condition(some, self.bound.genes_of(some)).vector.cpu()
            for some, _ in in_chunks(cells, CELLS_AT_ONCE, silent)
        ]
        return torch.cat(chunks)


@one_thread()
def timings(bound: BoundSlide, cells: NDArray[np.intp], settings: Sequence[Setting], times: int) -> dict[str, Any]:
    """Milliseconds a picture at batch 1 for each setting, beside the machine's rate and the 400-pass sampler."""
    rate, midpoint = matmul_gflops(), midpoint_ms(bound, int(cells[0]))
    found = {}
    for setting in settings:
        ms = picture_times_ms(bound, cells[: max(3, times // setting.nfe)], setting.nfe, setting.merge_ratio)
        gflop = decoder_gflop(bound, int(cells[0]), setting.nfe, setting.merge_ratio)
        found[setting.name] = {
            **asdict(setting),
            **median_and_p95(ms),
            "pictures": len(ms),
            "share_of_matmul_rate": plain(gflop / (np.median(ms) / 1000) / rate),
            "faster_than_midpoint": plain(midpoint / np.median(ms)),
        }
    return {
        "matmul_gflops": plain(rate),
        "midpoint": {
            "passes": MIDPOINT_PASSES,
            "ms": plain(midpoint),
            "estimated_from_passes": 2 * MIDPOINT_STEPS_MEASURED,
        },
        "settings": found,
    }


def sampling(
    bound: BoundSlide,
    held_out: HeldOut,
    *,
    num_cells: int | None = None,
    passes: Sequence[int] = PASSES,
    merge_ratios: Sequence[float] = MERGE_RATIOS,
    merge_nfe: int = DEFAULT_NFE,
    cvae_steps: int = 0,
    times: int = 100,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """All rows of the table; see the top of this file.

    Every combination is timed; pictures are judged for every number of passes without merging and for every ratio at
    ``merge_nfe`` passes.
    """
    benchmark = SamplingBenchmark(bound, held_out, num_cells, seed, part(progress, 0.0, 0.1))
    settings = [Setting(nfe, ratio) for ratio in merge_ratios for nfe in passes]
    judged = [Setting(nfe, 0.0) for nfe in passes]
    judged += [Setting(merge_nfe, ratio) for ratio in merge_ratios if ratio > 0]
    rows: dict[str, Any] = {"real": {"frechet": benchmark.scores(benchmark.real)["frechet"]}}
    null_rows = benchmark.null_rows(cvae_steps)
    spans = iter(np.linspace(0.1, 0.95, len(null_rows) + len(judged) + 1).tolist())
    at = next(spans)
    for name, source in null_rows.items():
        at, span = (to := next(spans)), part(progress, at, to)
        rows[name] = benchmark.scores(benchmark.measure(source(span), len(benchmark.cells)))
    for setting in judged:
        at, span = (to := next(spans)), part(progress, at, to)
        rows[setting.name] = asdict(setting) | benchmark.scores(benchmark.draw(setting, span))
    progress(0.95, "timing")
    info = bound.predictor.info
    return {
        "cells": len(benchmark.cells),
        "compared_with": len(benchmark.others),
        "chosen_by": held_out.chosen_by,
        "training_cells": len(benchmark.reference),
        "cvae_steps": cvae_steps,
        "seed": seed,
        "checkpoint": info.name,
        "sha256": info.sha256,
        "device": bound.predictor.device,
        "notes": list(bound.notes),
        "rows": rows,
        "time": timings(bound, benchmark.cells, settings, times),
    }


def markdown_table(found: dict[str, Any]) -> str:
    """The rows of `sampling` as a table; times are those of one picture at batch 1 on one thread."""
    statistics = list(next(row["condition_use"] for row in found["rows"].values() if "condition_use" in row))
    spaces = list(found["rows"]["real"]["frechet"])
    head = ["row", *(f"Fréchet, {space}" for space in spaces), *(f"R² {name}" for name in statistics)]
    head += ["ms (p50)", "ms (p95)", "share of matmul rate", f"× faster than {MIDPOINT_PASSES} passes"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    timed = found["time"]["settings"]
    for name in [*found["rows"], *(name for name in timed if name not in found["rows"])]:
        row, times = found["rows"].get(name, {}), timed.get(name, {})
        cells = [row.get("frechet", {}).get(space) for space in spaces]
        cells += [row.get("condition_use", {}).get(statistic, {}).get("value") for statistic in statistics]
        cells += [times.get(key) for key in ("p50_ms", "p95_ms", "share_of_matmul_rate", "faster_than_midpoint")]
        lines.append("| " + " | ".join([name, *("" if cell is None else f"{cell:.3g}" for cell in cells)]) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object, or with --markdown the table."""
    parser = benchmark_parser("sampling", __doc__)
    parser.add_argument("--cells", type=int, metavar="N", help="cells to draw, and as many to compare with")
    parser.add_argument("--passes", type=int, nargs="+", default=PASSES, metavar="P")
    parser.add_argument("--merge-ratios", type=float, nargs="+", default=MERGE_RATIOS, metavar="R")
    parser.add_argument("--merge-nfe", type=int, default=DEFAULT_NFE, help="passes at which merging is judged")
    parser.add_argument("--cvae", action="store_true", help="train the conditional VAE and score it too")
    parser.add_argument("--cvae-steps", type=int, default=3000, help="steps of 64 pictures (default 3000)")
    parser.add_argument("--times", type=int, default=100, help="passes that are timed for each setting (default 100)")
    parser.add_argument("--markdown", action="store_true", help="print a table instead of JSON")
    add_training_cells(parser)
    add_which_cells(parser, required=True)
    options = parser.parse_args(arguments)
    with report_errors():
        bound, held_out = open_for_benchmark(options, num_reference=options.training_cells)
        about = {"slide": bound.slide.name, "precision": bound.predictor.precision}
        found = {"benchmark": "sampling", **about} | sampling(
            bound,
            held_out,
            num_cells=options.cells,
            passes=options.passes,
            merge_ratios=options.merge_ratios,
            merge_nfe=options.merge_nfe,
            cvae_steps=options.cvae_steps if options.cvae else 0,
            times=options.times,
            seed=options.seed,
            progress=printed_progress(),
        )
        print(markdown_table(found) if options.markdown else json.dumps(found))


if __name__ == "__main__":
    main()
