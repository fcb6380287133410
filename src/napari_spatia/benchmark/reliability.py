"""Are probabilities right as often as they say? Bins of confidence, their gap (ECE), and the diagram."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


def reliability(confidence: NDArray, right: NDArray[np.bool_]) -> dict[str, Any]:
    """``confidence`` `(n,)` in [0, 1] of the named type and whether it was ``right`` → ``ece`` (Naeini et al. 2015),
    the mean gap over cells, and ``bins`` of equal width: cells, mean confidence, share right.
    """
    of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        {
            "cells": int((of == number).sum()),
            "confidence": round(float(confidence[of == number].mean()), 4),
            "right": round(float(right[of == number].mean()), 4),
        }
        for number in np.unique(of)
    ]
    gap = sum(b["cells"] * abs(b["confidence"] - b["right"]) for b in bins)
    return {"ece": gap / len(right), "bins": bins}


def draw_reliability(bins: Mapping[str, list[dict[str, Any]]], path: Path) -> None:
    """One line a view: share right over confidence, with dots as large as the bin's cells."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for view, found in bins.items():
        x, y = [b["confidence"] for b in found], [b["right"] for b in found]
        total = sum(b["cells"] for b in found)
        (line,) = axes.plot(x, y, linewidth=1, label=view)
        axes.scatter(x, y, s=[10 + 250 * b["cells"] / total for b in found], color=line.get_color(), alpha=0.6)
    axes.set(xlabel="confidence of the named type", ylabel="share of cells named right", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
