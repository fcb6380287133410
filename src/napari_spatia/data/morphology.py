"""What is measured on the picture of one cell. Letters: C channels, H = W crop pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import gaussian
from skimage.measure import inertia_tensor_eigvals, label, regionprops

BLUR_UM = 0.25
LEAST_PX = 5
"""Pixels of a mask whose axes can be told."""
FINE_UM = 0.6
"""Texture is what is finer than this."""
STAIN_UNIT = "stain units"
NUCLEAR_STAINS = ("dapi", "hoechst", "nucle", "dna")
"""Parts of the names of stains that show nuclei."""


def nuclear_channel(channels: Sequence[str]) -> str | None:
    """The stain that shows nuclei, known by its name; None where no name tells."""
    return next((name for name in channels if any(word in name.lower() for word in NUCLEAR_STAINS)), None)


def nucleus_mask(dapi: NDArray, cell: NDArray[np.bool_], um_per_px: float) -> NDArray[np.bool_]:
    """`(H, W)` the largest connected part of the cell whose blurred DAPI is above half of the nucleus's.

    Half lies midway between the crop's background (10th percentile) and the cell's bright level (90th percentile
    within it). On simulated cells log area correlates with the truth at 0.94, with a bias of 1 %; Otsu's threshold
    in the cell reaches 0.92, on the crop 0.4, because neighbouring nuclei touch.
    """
    if not cell.any():
        return np.zeros_like(cell)
    smooth = gaussian(dapi.astype(np.float64), BLUR_UM / um_per_px, preserve_range=True)
    half = (np.percentile(smooth, 10) + np.percentile(smooth[cell], 90)) / 2
    parts = label((smooth > half) & cell, connectivity=1)
    size = np.bincount(parts.ravel())
    size[0] = 0
    return parts == size.argmax() if size.any() else np.zeros_like(cell)


def half_axes(mask: NDArray[np.bool_], um_per_px: float) -> NDArray[np.float64]:
    """`(2,)` log2 of the long and short half axis in µm of the ellipse with the second moments of ``mask`` `(H, W)`.

    NaN for a mask of fewer than `LEAST_PX` pixels.
    """
    if mask.sum() < LEAST_PX:
        return np.full(2, np.nan)
    moments = np.cov(np.argwhere(mask).T) + np.eye(2) / 12  # a pixel has an extent of its own
    return np.log2(2 * um_per_px * np.sqrt(np.linalg.eigvalsh(moments)[::-1]))


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that is measured: its ``key`` in `measure`, what people read, and its unit, "" where it has none."""

    key: str
    label: str
    unit: str
    meaning: str


_CELL_FEATURES = (
    Feature("cell_area", "Cell area", "µm²", "Area of the cell's mask"),
    Feature("cell_perimeter", "Cell perimeter", "µm", "Length of the outline of the cell's mask"),
    Feature("cell_roundness", "Cell roundness", "", "4π area / perimeter²: 1 for a disc, less for any other outline"),
    Feature("cell_elongation", "Cell elongation", "", "Long axis / short axis of the ellipse of the same moments"),
    Feature("cell_solidity", "Cell solidity", "", "Area / area of the convex hull: 1 without notches"),
)
_NUCLEUS_FEATURES = (
    Feature("nucleus_area", "Nucleus area", "µm²", "Area inside the cell that is brighter than half of its nucleus"),
    Feature("nucleus_share", "Nucleus share", "", "Nucleus area / cell area"),
    Feature("nucleus_elongation", "Nucleus elongation", "", "Long axis / short axis of the nucleus's ellipse"),
    Feature("nucleus_dapi", "Nucleus stain", STAIN_UNIT, "Mean of the nuclear stain inside the nucleus"),
)


def features_of(channels: Sequence[str]) -> tuple[Feature, ...]:
    """What `measure` measures on a picture of these stains, in the order of a table."""
    stains = [
        feature
        for name in channels
        for feature in (
            Feature(f"{name}:mean", f"{name} mean", STAIN_UNIT, f"Mean of {name} in the cell"),
            Feature(f"{name}:spread", f"{name} spread", STAIN_UNIT, f"Standard deviation of {name} in the cell"),
            Feature(
                f"{name}:texture", f"{name} texture", "",
                f"Standard deviation of what is finer than {FINE_UM:g} µm in {name}, / its mean in the cell",
            ),
        )
    ]  # fmt: skip
    nucleus = () if nuclear_channel(channels) is None else _NUCLEUS_FEATURES
    return (*_CELL_FEATURES, *nucleus, *stains)


def measure(
    image: NDArray, cell: NDArray[np.bool_], channels: Sequence[str], nucleus_channel: str | None, um_per_px: float
) -> dict[str, float]:
    """Each of `features_of` one cell's picture, in its own unit; ``image`` is `(C, H, W)` in the slide's units.

    What cannot be measured is NaN; without a ``nucleus_channel`` the nucleus has no features.
    """
    found = _cell_outline(cell, um_per_px)
    if nucleus_channel is not None:
        dapi = image[channels.index(nucleus_channel)]
        nucleus = nucleus_mask(dapi, cell, um_per_px)
        area = float(nucleus.sum()) * um_per_px**2
        found |= {
            "nucleus_area": area,
            "nucleus_share": area / found["cell_area"] if found["cell_area"] else float("nan"),
            "nucleus_elongation": _elongation(nucleus),
            "nucleus_dapi": _mean_in(dapi, nucleus),
        }
    fine = image - gaussian_filter(image, (0, *2 * [FINE_UM / um_per_px]), mode="nearest")
    for name, stain, detail in zip(channels, image, fine, strict=True):
        mean = _mean_in(stain, cell)
        found |= {
            f"{name}:mean": mean,
            f"{name}:spread": float(stain[cell].std()) if cell.any() else float("nan"),
            f"{name}:texture": float(detail[cell].std()) / mean if mean > 0 else float("nan"),
        }
    return found


def _cell_outline(cell: NDArray[np.bool_], um_per_px: float) -> dict[str, float]:
    """Size and shape of the cell."""
    if not cell.any():
        return {feature.key: float("nan") for feature in _CELL_FEATURES} | {"cell_area": 0.0}
    region = regionprops(cell.astype(np.uint8))[0]
    length_px = region.perimeter
    return {
        "cell_area": float(region.area) * um_per_px**2,
        "cell_perimeter": float(length_px) * um_per_px,
        "cell_roundness": float(4 * np.pi * region.area / length_px**2) if length_px else float("nan"),
        "cell_elongation": _elongation(cell),
        "cell_solidity": float(region.solidity),
    }


def _elongation(mask: NDArray[np.bool_]) -> float:
    """Long axis / short axis of the ellipse that has the same second moments as the region's pixels."""
    long, short = inertia_tensor_eigvals(mask.astype(np.uint8)) if mask.any() else (0.0, 0.0)
    return float(np.sqrt(long / short)) if short > 0 else float("nan")


def morphology(
    image: NDArray, cell: NDArray[np.bool_], channels: Sequence[str], nucleus_channel: str | None, um_per_px: float
) -> dict[str, float]:
    """Log2 of areas, the nucleus's DAPI, and each stain's mean in the cell; NaN where it cannot be measured."""
    return in_log2(measure(image, cell, channels, nucleus_channel, um_per_px), channels)


def in_log2(measured: Mapping[str, float], channels: Sequence[str]) -> dict[str, float]:
    """Log2 of those of `measure` that are compared as ratios, a stain's mean by the stain's name."""
    picked = {name: measured[name] for name in ("cell_area", "nucleus_area", "nucleus_dapi") if name in measured}
    picked |= {name: measured[f"{name}:mean"] for name in channels}
    return {name: float(np.log2(value)) if value > 0 else float("nan") for name, value in picked.items()}


def _mean_in(values: NDArray, inside: NDArray[np.bool_]) -> float:
    return float(values[inside].mean()) if inside.any() else float("nan")
