"""What screens of a slide have found so far, on disk as it is found: a line a cell and gene, the first says of what.

Screens of the same slide, checkpoint and dose share a file, so that a gene or a cell more draws only what is new.

A line that a kill cut short was never confirmed: it is dropped, and its picture is drawn again.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from napari_spatia.data.morphology import Feature
from napari_spatia.files import append_lines, whole_lines
from napari_spatia.inference.screen import Screen, ScreenPlan

BEFORE, NULL = "(zero edit)", "(noise)"
"""In the place of a gene: the cell with nothing edited, and the standard deviation over noise seeds."""
DIGITS = 7
"""Significant digits on disk, and so of all results: a screen that was stopped ends with the same numbers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The features of one cell under one gene."""

    cell_id: str
    gene: str
    features: Mapping[str, float]
    reach_percentile: float | None = None


@dataclass(frozen=True)
class Findings:
    """``rows`` maps (cell id, gene) to the values of ``keys`` and the reach. Without a ``path`` nothing is kept."""

    path: Path | None
    about: Mapping[str, Any]
    rows: dict[tuple[str, str], tuple[list[float], float]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path | None, about: Mapping[str, Any]) -> Self:
        """What ``folder`` knows of the screens of ``about``, whose "features" are the keys of what is measured."""
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        path = None if folder is None else folder / f"{digest}.jsonl"
        found = cls(path, about)
        for line in [] if path is None else whole_lines(path)[1:]:
            cell_id, gene, reach, *values = json.loads(line)
            found.rows[cell_id, gene] = [_number(value) for value in values], _number(reach)
        return found

    def add(self, findings: Sequence[Finding]) -> None:
        """On disk when this returns."""
        lines = []
        for each in findings:
            values = [_rounded(each.features[key]) for key in self.about["features"]]
            reach = _rounded(float("nan") if each.reach_percentile is None else each.reach_percentile)
            self.rows[each.cell_id, each.gene] = [_number(value) for value in values], _number(reach)
            lines.append(json.dumps([each.cell_id, each.gene, reach, *values]))
        if self.path is not None:
            append_lines(self.path, lines if self.path.exists() else [json.dumps(self.about), *lines])

    def screen(self, plan: ScreenPlan, features: tuple[Feature, ...]) -> Screen:
        """As arrays; NaN for what was not drawn."""
        nothing = [float("nan")] * len(features), float("nan")
        of = lambda cell, gene: self.rows.get((cell, gene), nothing)  # noqa: E731
        return Screen(
            plan,
            features,
            np.array([of(cell, BEFORE)[0] for cell in plan.cells]),
            np.array([[of(cell, gene)[0] for gene in plan.genes] for cell in plan.cells]),
            np.array([of(cell, NULL)[0] for cell in plan.cells]),
            np.array([[of(cell, gene)[1] for gene in plan.genes] for cell in plan.cells]),
        )


def _rounded(value: float) -> float | None:
    """As it is kept: None for what is not known."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
