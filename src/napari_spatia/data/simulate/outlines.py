"""From a plan and its expression to outlines: what each cell would look like alone, in numbers, before drawing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.catalogue import CELL_TYPES
from napari_spatia.data.simulate.noise import Field
from napari_spatia.data.simulate.placement import Placement
from napari_spatia.data.simulate.rules import RULE_GENES, evaluate_rules

PLAN_COLUMNS = (
    "y_um", "x_um", "angle", "lean_y", "lean_x", "type_idx", "size", "roundness",
    "texture_y", "texture_x", "defocus", "stain", "num_nucleoli",
    "nucleolus_0_y", "nucleolus_0_x", "nucleolus_1_y", "nucleolus_1_x", "nucleolus_2_y", "nucleolus_2_x",
)  # fmt: skip
"""What expression does not explain, drawn once a cell and kept under every edit; one float64 column each."""

_RIM_UM = 0.9


@dataclass(frozen=True, slots=True)
class Outlines:
    """`(N,)` float64 numbers that the drawing reads; lengths in µm, intensities in camera units (ADU).

    ``a``/``b`` and ``nucleus_a``/``nucleus_b`` are half axes along and across ``angle``; ``factors`` holds the rules'
    factor of every feature, ``features`` the features themselves.
    """

    plan: dict[str, Field]
    features: dict[str, Field]
    a: Field
    b: Field
    nucleus_a: Field
    nucleus_b: Field
    nucleus_y: Field
    nucleus_x: Field
    cos: Field
    sin: Field
    reach: Field

    @property
    def radius(self) -> Field:
        """A bound in µm on how far from its centre a cell can own a pixel."""
        lean = np.hypot(self.nucleus_y - self.plan["y_um"], self.nucleus_x - self.plan["x_um"])
        return np.maximum(self.a, lean + self.nucleus_a + _RIM_UM) + self.reach * self.a / self.b + 3.0


def draw_plan(placement: Placement, pixel_um: float, seed: int) -> Field:
    """`(N, len(PLAN_COLUMNS))` float64; see `PLAN_COLUMNS`. Centres lie on pixel corners."""
    rng = np.random.default_rng([seed, 41])
    num_cells = len(placement.type_idx)
    nucleoli = rng.uniform(0.2, 0.6, (num_cells, 3, 1)) * _directions(rng, num_cells)
    columns = [
        np.round(placement.center / pixel_um) * pixel_um,
        placement.angle,
        placement.lean,
        placement.type_idx,
        np.exp(rng.normal(0, 0.10, num_cells)),
        rng.uniform(0.85, 1.15, num_cells),
        rng.uniform(0, 128, (num_cells, 2)),
        0.85 * rng.beta(1.1, 3.2, num_cells),
        np.exp(rng.normal(0, 0.12, num_cells)),
        rng.integers(1, 4, num_cells),
        nucleoli.reshape(num_cells, 6),
    ]
    return np.column_stack(columns).astype(np.float64)


def _directions(rng: np.random.Generator, num_cells: int) -> Field:
    """`(N, 3, 2)` unit vectors that keep clear of one another."""
    turn = rng.uniform(0, 2 * np.pi, (num_cells, 1)) + np.arange(3) * 2.1 + rng.normal(0, 0.3, (num_cells, 3))
    return np.stack([np.sin(turn), np.cos(turn)], axis=-1)


def make_outlines(plan: Field, values: Field) -> Outlines:
    """Outlines of `(N,)` cells.

    Parameters
    ----------
    plan
        `(N, len(PLAN_COLUMNS))`, see `draw_plan`.
    values
        `(N, len(RULE_GENES))` log2(1 + counts) of the rule genes, in the order of `RULE_GENES`.
    """
    named = dict(zip(PLAN_COLUMNS, plan.T.copy(), strict=True))
    factors = evaluate_rules(dict(zip(RULE_GENES, values.T, strict=True)))
    features = _features(named, factors)
    nucleus_aspect = 1 + (_baseline("nucleus_aspect", named) - 1) * factors["elongation"] * named["roundness"]
    cell_aspect = 1 + (_baseline("cell_aspect", named) - 1) * factors["elongation"] * named["roundness"]
    nucleus_a, nucleus_b = _half_axes(features["nucleus_area"], nucleus_aspect)
    a, b = _half_axes(features["cell_area"], cell_aspect)
    a, b = np.maximum(a, nucleus_a + _RIM_UM), np.maximum(b, nucleus_b + _RIM_UM)
    cos, sin = np.cos(named["angle"]), np.sin(named["angle"])
    along = (named["lean_x"] * cos + named["lean_y"] * sin) * (a - nucleus_a - _RIM_UM / 2)
    across = (named["lean_y"] * cos - named["lean_x"] * sin) * (b - nucleus_b - _RIM_UM / 2)
    return Outlines(
        named, features, a, b, nucleus_a, nucleus_b,
        named["y_um"] + along * sin + across * cos, named["x_um"] + along * cos - across * sin,
        cos, sin, _baseline("reach_um", named),
    )  # fmt: skip


def _baseline(name: str, plan: dict[str, Field]) -> Field:
    values: Field = np.array([getattr(cell_type, name) for cell_type in CELL_TYPES], float)[
        plan["type_idx"].astype(np.int64)
    ]
    return values


def _features(plan: dict[str, Field], factors: dict[str, Field]) -> dict[str, Field]:
    """Baseline of the type × the cell's own chance × the rules' factor."""
    baseline = {
        "nucleus_area": _baseline("nucleus_area", plan) * plan["size"],
        "cell_area": _baseline("cell_area", plan) * plan["size"],
        "elongation": (_baseline("cell_aspect", plan) - 1) * plan["roundness"],
        "dapi_intensity": _baseline("dapi", plan) * plan["stain"],
        "chromatin_contrast": np.full(len(plan["size"]), 0.37),
        "nucleolus_radius": np.full(len(plan["size"]), 0.75),
        "boundary_intensity": _baseline("boundary", plan) * plan["stain"],
        "rna_intensity": _baseline("rna", plan) * plan["stain"],
        "rna_granularity": np.full(len(plan["size"]), 0.36),
        "fibre_intensity": _baseline("fibre", plan) * plan["stain"],
    }
    return {name: baseline[name] * factor for name, factor in factors.items()}


def _half_axes(area: Field, aspect: Field) -> tuple[Field, Field]:
    return np.sqrt(area / np.pi * aspect), np.sqrt(area / np.pi / aspect)


def values_of(counts: NDArray[np.float32]) -> Field:
    """log2(1 + counts), float64: the expression that rules and edits work on."""
    return np.log2(1.0 + counts.astype(np.float64))
