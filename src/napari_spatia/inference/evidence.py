"""What stands behind a counterfactual: how far it depends on the noise, and the real cells that come nearest."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spatia.data.crops import read_crops
from napari_spatia.data.morphology import morphology, nuclear_channel
from napari_spatia.inference.reach import Reach
from napari_spatia.model.inputs import Condition
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.predictor import BoundSlide

NUM_SEEDS = 8
NUM_NEAREST = 4
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
class RealCell:
    """A real cell that expresses about what an edit asks for; ``image`` `(C, H, W)` is its own crop, slide units."""

    cell_id: str
    distance: float
    image: NDArray[np.float32]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``spread`` maps features of `data.morphology.morphology` to their spread; ``nearest`` real cells, nearest first,
    among ``num_compared``; ``reach_percentile`` as in `inference.reach.Reach.percentile`.
    """

    spread: dict[str, Spread]
    nearest: tuple[RealCell, ...]
    num_compared: int
    reach_percentile: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without pictures; None for what is not known."""
        plain = lambda value: round(value, 4) if np.isfinite(value) else None  # noqa: E731
        return {
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
    unedited = bound.condition(np.array([cell.cell_idx]), bound.genes_of(np.array([cell.cell_idx])))
    before = _features(bound, cell, unedited, edited.nfe, num_seeds, part(progress, 0.0, 0.45))
    after = _features(bound, cell, edited.condition, edited.nfe, num_seeds, part(progress, 0.45, 0.9))
    progress(0.9, "reading the nearest real cells")
    return Evidence(
        {name: _spread(before[name], after[name]) for name in before},
        _real_cells(bound, *reach.nearest(edited.embedding, NUM_NEAREST, apart_from=cell.cell_idx)),
        len(reach.cell_idx),
        reach.percentile(edited.embedding, apart_from=cell.cell_idx),
    )


def _features(
    bound: "BoundSlide", cell: "SelectedCell", condition: Condition, nfe: int, num_seeds: int, progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """`(num_seeds,)` of each feature."""
    found = []
    for start in range(0, num_seeds, SEEDS_AT_ONCE):
        progress(start / num_seeds, "drawing from other noise")
        samples = range(start, min(start + SEEDS_AT_ONCE, num_seeds))
        white = torch.from_numpy(np.stack([bound.noise(cell.cell_idx, 0, sample_no) for sample_no in samples]))
        drawn = bound.draw(white.to(bound.predictor.device), condition.repeated(len(samples)), nfe)
        for image, mask in zip(*bound.restore(drawn), strict=True):
            found.append(morphology(image, mask >= 0.5, cell.channels, nuclear_channel(cell.channels), cell.um_per_px))
    return {name: np.array([features[name] for features in found]) for name in found[0]}


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
