"""What comes of many edits: a strip of doses, a grid of two genes, two cells, and a screen of the panel. Plain data.

All pictures are counterfactuals. A cell's pictures are drawn from the noise that makes it this cell, so that they
differ by the edit alone; `inference.screener.Screener` draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.morphology import Feature, features_of
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import Edit

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import SelectedCell

SCREEN_LOG2_FC = 2.0
NULL_SEEDS = 16
SWEEP_DOSES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
GRID_DOSES = (-2.0, 0.0, 2.0)
TYPE = "type:"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell under one edit: ``image`` `(C, H, W)` float32 in the slide's units, ``mask`` `(H, W)` in [0, 1].

    ``features`` are those of `readable_features` by key; ``reach_percentile`` as in `inference.reach.Reach.percentile`.
    """

    edit: Edit
    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    features: Mapping[str, float]
    reach_percentile: float | None


@dataclass(frozen=True, slots=True)
class Strip:
    """A cell at ``doses`` of one gene (or programme, or way towards a type), everything else as in ``edit``.

    ``before`` is its zero edit. ``seen`` are the lowest and highest dose at which real cells express the gene; None for
    what is not a gene.
    """

    cell: "SelectedCell"
    edit: Edit
    key: str
    doses: tuple[float, ...]
    before: Drawn
    drawn: tuple[Drawn, ...]
    features: tuple[Feature, ...]
    seen: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A cell at doses of two genes: ``drawn[row][column]`` has ``doses_a[row]`` of ``key_a``, ``doses_b[column]`` of
    ``key_b``.
    """

    cell: "SelectedCell"
    edit: Edit
    key_a: str
    key_b: str
    doses_a: tuple[float, ...]
    doses_b: tuple[float, ...]
    before: Drawn
    drawn: tuple[tuple[Drawn, ...], ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One of two cells: as it is, redrawn with nothing edited, and under the edit."""

    cell: "SelectedCell"
    before: Drawn
    after: Drawn


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two cells under the same edit."""

    edit: Edit
    cells: tuple[ComparedCell, ComparedCell]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class ScreenPlan:
    """Each of ``genes``, alone, by ``log2_fc`` in each of ``cells``."""

    cells: tuple[str, ...]
    genes: tuple[str, ...]
    log2_fc: float = SCREEN_LOG2_FC
    num_seeds: int = NULL_SEEDS

    @property
    def num_pictures(self) -> int:
        """Counterfactuals to draw, the cells' zero edits and other noise aside."""
        return len(self.cells) * len(self.genes)


@dataclass(frozen=True, slots=True)
class RankedGene:
    """The effect of one gene on one feature, in the feature's unit: mean over the cells, and its standard deviation
    over them (NaN for one cell). ``null_sd`` is what noise alone makes of the feature of such a mean.
    ``reach_percentile`` is the mean over the cells.
    """

    gene: str
    effect: float
    effect_sd: float
    null_sd: float
    before: float
    reach_percentile: float

    @property
    def is_beyond_noise(self) -> bool:
        return abs(self.effect) > self.null_sd


@dataclass(frozen=True)
class Screen:
    """What a screen found. F features.

    ``before`` `(cells, F)`; ``after`` `(cells, genes, F)`, NaN where nothing could be measured or was drawn;
    ``null_sd`` `(cells, F)` over noise seeds without an edit; ``reach`` `(cells, genes)` percentiles. All float64.
    """

    plan: ScreenPlan
    features: tuple[Feature, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    null_sd: NDArray[np.float64]
    reach: NDArray[np.float64]

    @cached_property
    def effect(self) -> NDArray[np.float64]:
        """`(cells, genes, F)` what each gene changes."""
        return self.after - self.before[:, None]

    def feature(self, key: str) -> Feature:
        """Raises `SpatiaError` for a feature that the screen did not measure."""
        found = next((feature for feature in self.features if feature.key == key), None)
        if found is None:
            known = ", ".join(feature.key for feature in self.features)
            raise SpatiaError(f"Feature '{key}' was not measured in this screen. Choose one of {known}.")
        return found

    def ranked(self, key: str) -> tuple[RankedGene, ...]:
        """All genes, the largest effect on a feature first; those without one last."""
        at = self.features.index(self.feature(key))
        mean, sd = _mean_and_sd(self.effect[:, :, at])
        (before,), _ = _mean_and_sd(self.before[:, [at]])
        null_sd = float(np.sqrt(np.nansum(self.null_sd[:, at] ** 2)) / len(self.plan.cells))
        reach, _ = _mean_and_sd(self.reach)
        order = np.argsort(-np.where(np.isfinite(mean), np.abs(mean), -1.0), kind="stable")
        return tuple(
            RankedGene(
                self.plan.genes[gene], float(mean[gene]), float(sd[gene]), null_sd, float(before), float(reach[gene])
            )
            for gene in order
        )


def _mean_and_sd(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the finite values of each column of `(n, m)`; NaN where there are none, and for the second where one."""
    known = np.isfinite(values)
    num = known.sum(axis=0)
    mean = np.divide(np.where(known, values, 0).sum(axis=0), num, out=np.full(num.shape, np.nan), where=num > 0)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    return mean, np.sqrt(np.divide(squares, num - 1, out=np.full(num.shape, np.nan), where=num > 1))


def readable_features(channels: Sequence[str], cell_types: Sequence[str]) -> tuple[Feature, ...]:
    """What is read of each picture: `data.morphology.features_of`, and the probability of each cell type."""
    types = [
        Feature(f"{TYPE}{name}", f"Probability of {name}", "", f"Predicted probability of type {name}, from expression")
        for name in cell_types
    ]
    return (*features_of(channels), *types)
