"""The written rules: which gene drives which morphological feature, in which direction and how strongly.

A feature of a cell is ``baseline(type) × 2**z`` with ``z = limit · tanh(Σ weight · (value − REFERENCE) / limit)`` over
the rules of that feature, where ``value = log2(1 + counts)`` is read from the cell's observed (or edited) counts. So a
feature is strictly monotone in each of its genes, levels off at ``2**±limit`` and equals its type's baseline when every
gene sits at the reference value. Nothing else in the drawing reads expression: the rules are the whole truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REFERENCE = 2.7
"""The value, log2(1 + counts), at which a gene leaves its feature at the baseline: 5.5 counts."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A morphological feature: what it is, its unit and how far the genes together may move it (in powers of two)."""

    name: str
    unit: str
    limit: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One gene moves one feature by a factor of ``2**weight`` per unit of log2(1 + counts) (less near the limit)."""

    gene: str
    feature: str
    weight: float


FEATURES = (
    Feature("nucleus_area", "µm²", 1.4, "area of the nucleus"),
    Feature("cell_area", "µm²", 1.3, "area the cell claims; neighbours press on it"),
    Feature("elongation", "1", 1.3, "how much longer than wide the cell and its nucleus are (aspect ratio − 1)"),
    Feature("dapi_intensity", "ADU", 1.2, "mean DAPI in the nucleus"),
    Feature("chromatin_contrast", "1", 1.5, "condensed clumps against open chromatin"),
    Feature("nucleolus_radius", "µm", 1.0, "radius of the nucleoli: dark in DAPI, bright in 18S"),
    Feature("boundary_intensity", "ADU", 1.6, "stain of the cell's membrane"),
    Feature("rna_intensity", "ADU", 1.4, "18S in the cytoplasm"),
    Feature("rna_granularity", "1", 1.5, "bright 18S granules in the cytoplasm"),
    Feature("fibre_intensity", "ADU", 2.2, "αSMA/vimentin filaments along the cell's long axis"),
)

RULES = (
    Rule("LMNB1", "nucleus_area", +0.45),
    Rule("LMNA", "nucleus_area", -0.38),
    Rule("MTOR", "cell_area", +0.52),
    Rule("TSC2", "cell_area", -0.42),
    Rule("CDC42", "elongation", +0.55),
    Rule("RHOA", "elongation", -0.45),
    Rule("H2AZ1", "dapi_intensity", +0.38),
    Rule("CBX5", "chromatin_contrast", +0.50),
    Rule("HMGB1", "chromatin_contrast", -0.35),
    Rule("NPM1", "nucleolus_radius", +0.40),
    Rule("ATP1A1", "boundary_intensity", +0.45),
    Rule("CTNNB1", "boundary_intensity", +0.30),
    Rule("RPLP0", "rna_intensity", +0.45),
    Rule("EIF4EBP1", "rna_intensity", -0.35),
    Rule("G3BP1", "rna_granularity", +0.50),
    Rule("ACTA2", "fibre_intensity", +0.50),
    Rule("VIM", "fibre_intensity", +0.35),
)

RULE_GENES = tuple(rule.gene for rule in RULES)


def rules_table() -> str:
    """The rules as a Markdown table, the one that the documentation prints."""
    lines = ["| gene | moves | by log2 unit | reach of the feature | what it is |", "|---|---|---|---|---|"]
    features = {feature.name: feature for feature in FEATURES}
    for rule in RULES:
        feature = features[rule.feature]
        factor, reach = 2**rule.weight, 2**feature.limit
        lines.append(
            f"| {rule.gene} | `{rule.feature}` | × {factor:.2f} | × {1 / reach:.2f} … {reach:.2f} | {feature.meaning} |"
        )
    return "\n".join(lines)


def evaluate_rules(values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The factor on the baseline of every feature.

    Parameters
    ----------
    values
        For each gene of `RULES`, log2(1 + counts) of `(N,)` cells.

    Returns
    -------
    dict
        For each feature `(N,)` factors in ``(2**-limit, 2**limit)``.
    """
    factors = {}
    for feature in FEATURES:
        push = sum(rule.weight * (values[rule.gene] - REFERENCE) for rule in RULES if rule.feature == feature.name)
        factors[feature.name] = np.exp2(feature.limit * np.tanh(np.asarray(push) / feature.limit))
    return factors
