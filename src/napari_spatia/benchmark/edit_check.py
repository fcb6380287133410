"""Do edits of a simulated cell change its picture as the simulator's rules say?

    python -m napari_spatia.benchmark.edit_check SLIDE --checkpoint sim-small

A slide that `napari-spatia simulate` wrote can be drawn again with edited genes, so the true counterfactual of every
edit exists. Each rule gene of each cell is edited by ±2 and features are measured on the pictures, by the same method
on real, zero-edit, edited and truly redrawn ones. Rows: ``model``, ``copy`` (the cell itself, unchanged),
``class_mean`` (the mean of its type).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.benchmark.metrics import (
    correlation,
    plain,
    psnr_db,
    psnr_summary,
    sign_accuracy,
    with_interval,
)
from napari_spatia.benchmark.report import benchmark_parser, printed_progress, report_errors
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.io import open_slide
from napari_spatia.data.morphology import morphology
from napari_spatia.data.simulate import RULES, Simulation, load_simulation
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.perturb import CellEditor, SelectedCell
from napari_spatia.inference.predictor import DEFAULT_NFE, BoundSlide, Predictor
from napari_spatia.progress import Progress, part, silent

NUCLEUS_CHANNEL = "DAPI"
TYPE_COLUMN = "cell_type"
LOG2_FC = 2.0
SERIES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
CELLS_OF_A_TYPE = 100


@dataclass(frozen=True, slots=True)
class Edit:
    """One gene moved by ``log2_fc``; ``feature`` is what its rule drives, by ``weight``."""

    gene: str
    log2_fc: float
    feature: str
    weight: float


@dataclass(frozen=True, slots=True)
class Changes:
    """n cells under E edits: the log2 change of each feature `(n, E)`, in truth and as two rows tell it."""

    truth: dict[str, NDArray[np.float64]]
    model: dict[str, NDArray[np.float64]]
    class_mean: dict[str, NDArray[np.float64]]

    @classmethod
    def unknown(cls, features: Sequence[str], num_cells: int, num_edits: int) -> "Changes":
        """Room for them, NaN so far."""
        rows = ({name: np.full((num_cells, num_edits), np.nan) for name in features} for _ in range(3))
        return cls(*rows)

    def of_edits(self, columns: NDArray[np.bool_]) -> "Changes":
        """Those under some edits `(E,)`."""
        rows = ({name: v[:, columns] for name, v in row.items()} for row in (self.truth, self.model, self.class_mean))
        return Changes(*rows)


@dataclass(slots=True)
class Trials:
    """n cells under E edits: what changed, and the PSNR in dB against the truth `(n, E)`."""

    edits: tuple[Edit, ...]
    changes: Changes
    psnr_db: dict[str, NDArray[np.float64]]
    zero_edit_psnr_db: NDArray[np.float64]


class EditCheck:
    """One bound simulated slide and its truth; with ``feature``, only the rules that drive it are tried. Cells are
    drawn in ``nfe`` passes.
    """

    def __init__(self, bound: BoundSlide, simulation: Simulation, feature: str | None = None, nfe: int = DEFAULT_NFE):
        info = bound.predictor.info
        self.rules = tuple(rule for rule in RULES if feature in (None, rule.feature))
        if not self.rules:
            known = ", ".join(sorted({rule.feature for rule in RULES}))
            raise SpatiaError(f"No rule of the simulator drives '{feature}'. Features with rules: {known}.")
        if abs(simulation.um_per_px - info.um_per_px) > 1e-6:
            raise SpatiaError(
                f"Checkpoint '{info.name}' draws {info.um_per_px} µm/px; slide '{bound.slide.name}' was simulated at "
                f"{simulation.um_per_px}. Simulate one at {info.um_per_px} to compare pixel by pixel."
            )
        self.bound, self.simulation, self.info, self.editor = bound, simulation, info, CellEditor(bound)
        self.nfe = nfe
        slide = bound.slide
        self.types = slide.obs[TYPE_COLUMN].astype(str).to_numpy(dtype=str)
        self.channels = [slide.channels.index(bound.channel_map.get(name, name)) for name in info.channels]

    def edits(self) -> tuple[Edit, ...]:
        """Every gene of the rules, up and down."""
        return tuple(Edit(r.gene, fc, r.feature, r.weight) for r in self.rules for fc in (LOG2_FC, -LOG2_FC))

    def choose_cells(self, num_cells: int, seed: int) -> NDArray[np.intp]:
        """Cells whose whole crop lies on the slide."""
        slide, half_um = self.bound.slide, self.info.crop_px / 2 * self.info.um_per_px
        y0, x0, y1, x1 = slide.image.extent_um
        y, x = slide.centers_um.T
        whole = (y > y0 + half_um) & (y < y1 - half_um) & (x > x0 + half_um) & (x < x1 - half_um)
        cells = np.flatnonzero(whole)
        return np.sort(np.random.default_rng(seed).permutation(cells)[:num_cells])

    def run(self, cells: NDArray[np.intp], progress: Progress = silent) -> Trials:
        """Edits every cell in every way, and draws the truth of each."""
        edits = self.edits()
        means, pictures = self._class_means(cells)
        shape = len(cells), len(edits)
        trials = Trials(
            edits,
            Changes.unknown(tuple(next(iter(means.values()))), *shape),
            psnr_db={name: np.full(shape, np.nan) for name in ("model", "copy", "class_mean")},
            zero_edit_psnr_db=np.full(len(cells), np.nan),
        )
        for row, cell_idx in enumerate(cells):
            progress(row / len(cells), "editing cells")
            cell = self.editor.select(str(self.bound.slide.cell_id[cell_idx]), self.nfe)
            trials.zero_edit_psnr_db[row] = cell.zero_edit_psnr_db
            cell_type = self.types[cell_idx]
            self._try(trials, row, cell, means[cell_type], pictures[cell_type])
        return trials

    def series(self, cells: NDArray[np.intp], gene: str, progress: Progress = silent) -> dict[str, Any]:
        """Mean log2 change of the nucleus's area along `SERIES`, on the model's pictures and in truth."""
        model, truth = (np.full((len(cells), len(SERIES)), np.nan) for _ in range(2))
        for row, cell_idx in enumerate(cells):
            progress(row / len(cells), f"grading {gene}")
            cell = self.editor.select(str(self.bound.slide.cell_id[cell_idx]), self.nfe)
            for step, fc in enumerate(SERIES):
                model[row, step] = self._edited(cell, {gene: fc})[1]["nucleus_area"]
                truth[row, step] = self._truth(cell, {gene: fc})[1]["nucleus_area"]
        zero = SERIES.index(0.0)
        grades = {name: np.nanmean(v - v[:, [zero]], axis=0) for name, v in (("model", model), ("truth", truth))}
        steps = np.diff(grades["model"]) * np.sign(grades["truth"][-1] - grades["truth"][0])
        return {
            "log2_fc": list(SERIES),
            **{name: [plain(value) for value in values] for name, values in grades.items()},
            "steps_in_the_true_direction": plain((steps > 0).mean()),
        }

    def type_accuracy(self, progress: Progress = silent) -> float:
        """Share of all cells of the slide whose type is told right."""
        best = self.bound.embed(progress=progress).type_probability.argmax(axis=1)
        return float((np.array(self.info.cell_types)[best] == self.types).mean())

    def _try(self, trials: Trials, row: int, cell: SelectedCell, mean: dict[str, float], mean_picture: NDArray) -> None:
        _, before = self._edited(cell, {})
        _, true_before = self._truth(cell, {})
        for column, edit in enumerate(trials.edits):
            image, after = self._edited(cell, {edit.gene: edit.log2_fc})
            true_image, true_after = self._truth(cell, {edit.gene: edit.log2_fc})
            for name in after:
                trials.changes.model[name][row, column] = after[name] - before[name]
                trials.changes.truth[name][row, column] = true_after[name] - true_before[name]
                trials.changes.class_mean[name][row, column] = mean[name] - true_before[name]
            drawn = {"model": image, "copy": cell.real, "class_mean": mean_picture}
            for source, picture in drawn.items():
                trials.psnr_db[source][row, column] = psnr_db(true_image, picture)

    def _edited(self, cell: SelectedCell, log2_fc: dict[str, float]) -> tuple[NDArray, dict[str, float]]:
        drawn = self.editor.render(cell, log2_fc)
        return drawn.image, self.measure(drawn.image, drawn.mask >= 0.5)

    def _truth(self, cell: SelectedCell, log2_fc: dict[str, float]) -> tuple[NDArray, dict[str, float]]:
        drawn = self.simulation.draw(cell.cell_id, log2_fc, size_px=self.info.crop_px)
        image = drawn.image[self.channels].astype(np.float32)
        own = int(np.flatnonzero(self.simulation.cell_id == cell.cell_id)[0])
        return image, self.measure(image, drawn.owner == own)

    def measure(self, image: NDArray, cell: NDArray[np.bool_]) -> dict[str, float]:
        """Log2 features of one cell of a `(C, H, W)` picture in the checkpoint's channels."""
        return morphology(image, cell, self.info.channels, NUCLEUS_CHANNEL, self.info.um_per_px)

    def _class_means(self, cells: NDArray[np.intp]) -> tuple[dict[str, dict[str, float]], dict[str, NDArray]]:
        """Mean features and mean picture of real cells of each type, of cells that are not edited."""
        slide, means, pictures = self.bound.slide, {}, {}
        for cell_type in np.unique(self.types[cells]):
            own = np.flatnonzero(self.types == cell_type)
            others = np.setdiff1d(own, cells)[:CELLS_OF_A_TYPE]
            others = others if len(others) else own
            window = (slide.centers_um[others], self.info.um_per_px, self.info.crop_px)
            images = read_crops(slide.image, *window)[:, self.channels]
            masks = read_masks(slide.labels, slide.instance_id[others], *window)
            found = [self.measure(image, mask) for image, mask in zip(images, masks, strict=True)]
            means[str(cell_type)] = {name: float(np.nanmean([f[name] for f in found])) for name in found[0]}
            pictures[str(cell_type)] = images.mean(axis=0)
        return means, pictures


def nucleus_scores(trials: Trials, seed: int = 0) -> dict[str, Any]:
    """Per gene that drives the nucleus's area: share of cells enlarged (rule +) or shrunk (rule -) by +2."""
    scores = {}
    for column, edit in enumerate(trials.edits):
        if edit.feature != "nucleus_area" or edit.log2_fc != LOG2_FC:
            continue
        moved = {}
        for row in ("model", "truth"):
            change = getattr(trials.changes, row)["nucleus_area"][:, column]
            right = (np.sign(change) == np.sign(edit.weight)).astype(float)
            moved[row] = {
                **with_interval(lambda _, right: float(right.mean()), right, right, seed),
                "median_log2_change": plain(np.nanmedian(change)),
            }
        scores[edit.gene] = {"expected": "enlarged" if edit.weight > 0 else "shrunk", **moved}
    return scores


def feature_scores(changes: Changes, seed: int = 0) -> dict[str, Any]:
    """Per feature, over all cells and edits: correlation and sign accuracy of predicted with true change."""
    scores: dict[str, Any] = {}
    for name, truth in changes.truth.items():
        rows = {"model": changes.model[name], "copy": np.zeros_like(truth), "class_mean": changes.class_mean[name]}
        scores[name] = {
            row: {
                "correlation": with_interval(correlation, truth, predicted, seed),
                "sign_accuracy": with_interval(sign_accuracy, truth, predicted, seed),
            }
            for row, predicted in rows.items()
        }
    return scores


def joint_scores(changes: Changes, seed: int = 0) -> dict[str, Any]:
    """All features in one, each in deviations of its true change: how well changes are told over features and edits.

    ``correlation`` is of the cells' mean changes, ``correlation_over_cells`` of every single change.
    """
    names = list(changes.truth)
    unit = np.array([np.nanstd(changes.truth[name]) or 1.0 for name in names])
    truth = np.stack([changes.truth[name] for name in names], axis=-1)  # (n, E, F)
    found = {}
    for row, told in (("model", changes.model), ("class_mean", changes.class_mean)):
        predicted = np.stack([told[name] for name in names], axis=-1)
        found[row] = {
            "correlation": with_interval(_correlation_of_means, truth / unit, predicted / unit, seed),
            "correlation_over_cells": with_interval(correlation, truth / unit, predicted / unit, seed),
            "sign_accuracy": with_interval(sign_accuracy, truth, predicted, seed),
        }
    return found


def _correlation_of_means(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Over edits and features of `(n, E, F)` changes, each the mean over the cells where both are known."""
    known = np.isfinite(truth) & np.isfinite(predicted)
    total = np.maximum(known.sum(axis=0), 1)
    means = (np.where(known, values, 0).sum(axis=0) / total for values in (truth, predicted))
    return correlation(*(np.where(known.any(axis=0), mean, np.nan) for mean in means))


def summary(trials: Trials, seed: int = 0) -> dict[str, Any]:
    """All scores of the trials."""
    zero = trials.zero_edit_psnr_db
    return {
        "cells": len(zero),
        "edits": len(trials.edits),
        "nucleus": nucleus_scores(trials, seed),
        "features": feature_scores(trials.changes, seed),
        "together": joint_scores(trials.changes, seed),
        "psnr_db_to_truth": {row: plain(np.median(values)) for row, values in trials.psnr_db.items()},
        "zero_edit_psnr_db": psnr_summary(zero),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("edit_check", __doc__)
    parser.add_argument("--cells", type=int, default=100, metavar="N", help="cells to edit (default 100)")
    parser.add_argument("--feature", metavar="F", help="only the rules that drive this feature, such as nucleus_area")
    parser.add_argument("--nfe", type=int, default=DEFAULT_NFE, help=f"decoder passes (default {DEFAULT_NFE})")
    options = parser.parse_args(arguments)
    with report_errors():
        simulation, slide = load_simulation(options.slide), open_slide(options.slide)
        check = EditCheck(
            Predictor.load(options.checkpoint, options.device, options.precision).bind(slide),
            simulation,
            options.feature,
            options.nfe,
        )
        cells, progress = check.choose_cells(options.cells, options.seed), printed_progress()
        trials = check.run(cells, part(progress, 0.0, 0.75))
        genes = [rule.gene for rule in check.rules if rule.feature == "nucleus_area"]
        spans = np.linspace(0.75, 0.95, len(genes) + 1)
        series = {
            gene: check.series(cells, gene, part(progress, *spans[number : number + 2]))
            for number, gene in enumerate(genes)
        }
        accuracy = check.type_accuracy(part(progress, 0.95, 1.0))
        found: dict[str, Any] = {"benchmark": "edit_check", "slide": slide.name}
        found |= {"checkpoint": check.info.name, "sha256": check.info.sha256, "nfe": check.nfe, "seed": options.seed}
        found |= {"type_accuracy": plain(accuracy), "graded": series}
        print(json.dumps(found | summary(trials, options.seed)))


if __name__ == "__main__":
    main()
