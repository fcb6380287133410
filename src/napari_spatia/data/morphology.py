"""What is measured on the picture of one cell. Letters: C channels, H = W crop pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.measure import label

BLUR_UM = 0.25
LEAST_PX = 5
"""Pixels of a mask whose axes can be told."""
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


def morphology(
    image: NDArray, cell: NDArray[np.bool_], channels: Sequence[str], nucleus_channel: str | None, um_per_px: float
) -> dict[str, float]:
    """Log2 of each feature of one cell's picture: areas, the nucleus's DAPI, each stain's mean in the cell.

    ``image`` is `(C, H, W)`. A feature that cannot be measured is NaN; without a ``nucleus_channel`` the nucleus has
    none.
    """
    features = {"cell_area": cell.sum() * um_per_px**2}
    if nucleus_channel is not None:
        dapi = image[channels.index(nucleus_channel)]
        nucleus = nucleus_mask(dapi, cell, um_per_px)
        features |= {"nucleus_area": nucleus.sum() * um_per_px**2, "nucleus_dapi": _mean_in(dapi, nucleus)}
    features |= {channel: _mean_in(image[idx], cell) for idx, channel in enumerate(channels)}
    return {name: float(np.log2(value)) if value > 0 else float("nan") for name, value in features.items()}


def _mean_in(values: NDArray, inside: NDArray[np.bool_]) -> float:
    return float(values[inside].mean()) if inside.any() else float("nan")
