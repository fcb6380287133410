"""What stands behind a counterfactual: how far it depends on the noise, and the real cells that come nearest."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spatia.data.crops import read_crops
from napari_spatia.data.morphology import Feature, features_of, in_log2, measure, nuclear_channel
from napari_spatia.inference.reach import Reach
from napari_spatia.model.inputs import Condition
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.predictor import BoundSlide

NUM_SEEDS = 8
NUM_NEAREST = 4
LEAST_EFFECT = 0.2
"""Standard deviations over noise seeds; a smaller change is none: Cohen's (1988) small effect."""
SEEDS_AT_ONCE = 2
"""So few that work which is not wanted any more ends soon."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One feature of pictures drawn from ``num_seeds`` noise seeds, in log2: without the edit, and its change by it.

    The change of one seed is between two pictures of the same noise. Means and standard deviations over the seeds
    whose pictures show the feature; NaN where fewer than two do.
    """

    unedited: float
    unedited_sd: float
    change: float
    change_sd: float
    num_seeds: int


@dataclass(frozen=True, slots=True)
class MeasuredChange:
    """One feature, in its own unit, of the zero edit and of the counterfactual as they are on screen.

    ``spread`` tells in the same unit what other noise makes of both.
    """

    feature: Feature
    before: float
    after: float
    spread: Spread

    @property
    def change(self) -> float:
        return self.after - self.before

    @property
    def is_changed(self) -> bool:
        """Whether the picture's change and the mean over the seeds go the same way, both by more than that mean is
        uncertain and by more than `LEAST_EFFECT` of what noise alone does.
        """
        spread = self.spread
        if spread.num_seeds < 2 or not np.isfinite(self.change):
            return False
        least = max(spread.change_sd, LEAST_EFFECT * spread.unedited_sd)
        return min(abs(self.change), abs(spread.change)) > least and self.change * spread.change > 0


@dataclass(frozen=True, slots=True)
class RealCell:
    """A real cell that expresses about what an edit asks for; ``image`` `(C, H, W)` is its own crop, slide units."""

    cell_id: str
    distance: float
    image: NDArray[np.float32]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``measured`` are all features of `data.morphology.measure`, ``spread`` those of `data.morphology.morphology` in
    log2; ``type_before`` `(T,)` is the type probability of the cell without the edit; ``nearest`` real cells, nearest
    first, among ``num_compared``; ``reach_percentile`` as in `inference.reach.Reach.percentile`.
    """

    measured: tuple[MeasuredChange, ...]
    spread: dict[str, Spread]
    type_before: NDArray[np.float32]
    nearest: tuple[RealCell, ...]
    num_compared: int
    reach_percentile: float

    def table(self) -> list[dict[str, Any]]:
        """`measured` as rows for a file."""
        return [
            {
                "feature": change.feature.key,
                "unit": change.feature.unit,
                "zero_edit": change.before,
                "counterfactual": change.after,
                "change": change.change,
                "change_mean": change.spread.change,
                "change_sd": change.spread.change_sd,
                "unedited_sd": change.spread.unedited_sd,
                "seeds": change.spread.num_seeds,
                "changed": change.is_changed,
            }
            for change in self.measured
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without pictures; None for what is not known."""
        plain = lambda value: round(value, 4) if np.isfinite(value) else None  # noqa: E731
        return {
            "features": [
                {key: plain(value) if isinstance(value, float) else value for key, value in row.items()}
                for row in self.table()
            ],
            "spread_log2": {
                feature: {name: plain(value) for name, value in asdict(spread).items()}
                for feature, spread in self.spread.items()
            },
            "nearest_cells": [{"cell_id": cell.cell_id, "distance": plain(cell.distance)} for cell in self.nearest],
            "cells_compared": self.num_compared,
        }


def examine(
    bound: "BoundSlide",
    reach: Reach,
    cell: "SelectedCell",
    edited: "Counterfactual",
    num_seeds: int = NUM_SEEDS,
    progress: Progress = silent,
) -> Evidence:
    """Draws the cell without and with the edit from ``num_seeds`` noise seeds, and finds the nearest real cells."""
    row = np.array([cell.cell_idx])
    genes, around = bound.genes_of(row), bound.around(row)
    unedited = bound.condition(row, genes, around)
    zero_edit = bound.restore(bound.draw(cell.white, unedited, edited.nfe, progress=part(progress, 0.0, 0.05)))
    before = drawn_features(bound, cell, unedited, edited.nfe, num_seeds, part(progress, 0.05, 0.45))
    after = drawn_features(bound, cell, edited.condition, edited.nfe, num_seeds, part(progress, 0.45, 0.9))
    progress(0.9, "reading the nearest real cells")
    return Evidence(
        _changes(
            cell,
            features_in(zero_edit[0][0], zero_edit[1][0], cell),
            features_in(edited.image, edited.mask, cell),
            before,
            after,
        ),
        _log2_spread(cell, before, after),
        bound.type_probability(around, genes, unedited.vector)[0],
        _real_cells(bound, *reach.nearest(edited.embedding, NUM_NEAREST, apart_from=cell.cell_idx)),
        len(reach.cell_idx),
        reach.percentile(edited.embedding, apart_from=cell.cell_idx),
    )


def features_in(image: NDArray[np.float32], mask: NDArray[np.float32], cell: "SelectedCell") -> dict[str, float]:
    """`data.morphology.measure` of a drawn picture `(C, H, W)` and its mask `(H, W)` in [0, 1]."""
    return measure(image, mask >= 0.5, cell.channels, nuclear_channel(cell.channels), cell.um_per_px)


def drawn_features(
    bound: "BoundSlide", cell: "SelectedCell", condition: Condition, nfe: int, num_seeds: int, progress: Progress
) -> list[dict[str, float]]:
    """The features of one picture a seed, as it is drawn: its outline follows the edit by itself.

    Stretched as that of the cell's own noise (`inference.outline`) it would move half as far again as is expected, with
    the same spread (measured). ``progress`` is called before each pass and each picture: a slider that moves ends all
    this, and would else wait for it.
    """
    found: list[dict[str, float]] = []
    for start in range(0, num_seeds, SEEDS_AT_ONCE):
        samples = range(start, min(start + SEEDS_AT_ONCE, num_seeds))
        drawing = part(progress, start / num_seeds, samples.stop / num_seeds)
        white = torch.from_numpy(np.stack([bound.noise(cell.cell_idx, 0, sample_no) for sample_no in samples]))
        drawn = bound.draw(white.to(bound.predictor.device), condition.repeated(len(samples)), nfe, progress=drawing)
        for image, mask in zip(*bound.restore(drawn), strict=True):
            progress(samples.stop / num_seeds, "measuring")
            found.append(features_in(image, mask, cell))
    return found


def _changes(
    cell: "SelectedCell",
    zero_edit: dict[str, float],
    edited: dict[str, float],
    before: list[dict[str, float]],
    after: list[dict[str, float]],
) -> tuple[MeasuredChange, ...]:
    return tuple(
        MeasuredChange(
            feature,
            zero_edit[feature.key],
            edited[feature.key],
            _spread(_column(before, feature.key), _column(after, feature.key)),
        )
        for feature in features_of(cell.channels)
    )


def _log2_spread(
    cell: "SelectedCell", before: list[dict[str, float]], after: list[dict[str, float]]
) -> dict[str, Spread]:
    before, after = ([in_log2(features, cell.channels) for features in found] for found in (before, after))
    return {name: _spread(_column(before, name), _column(after, name)) for name in before[0]}


def _column(found: list[dict[str, float]], name: str) -> NDArray[np.float64]:
    """`(num_seeds,)` of one feature."""
    return np.array([features[name] for features in found])


def _spread(before: NDArray[np.float64], after: NDArray[np.float64]) -> Spread:
    known = np.isfinite(before) & np.isfinite(after)
    if known.sum() < 2:
        return Spread(np.nan, np.nan, np.nan, np.nan, int(known.sum()))
    before, change = before[known], (after - before)[known]
    return Spread(
        float(before.mean()), float(before.std(ddof=1)), float(change.mean()), float(change.std(ddof=1)), len(change)
    )


def _real_cells(bound: "BoundSlide", distance: NDArray[np.float32], cell_idx: NDArray[np.intp]) -> tuple[RealCell, ...]:
    info, slide = bound.predictor.info, bound.slide
    crops = read_crops(slide.image, slide.centers_um[cell_idx], info.um_per_px, info.crop_px)
    return tuple(
        RealCell(str(slide.cell_id[row]), float(away), image, slide.channels)
        for row, away, image in zip(cell_idx, distance, crops, strict=True)
    )
