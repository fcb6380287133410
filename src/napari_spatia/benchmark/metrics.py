"""Statistics of pictures of cells, and the scores made of them. Letters: n cells, C channels, H = W crop pixels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DISC_DIAMETER_UM = 8.0
BOOTSTRAP_ROUNDS = 1000


def image_statistics(
    images: NDArray, masks: NDArray[np.bool_], channels: Sequence[str], um_per_px: float
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Mean of each stain in three regions of a crop, and the log area of the cell.

    ``images`` `(..., C, H, W)` in the slide's units, ``masks`` `(..., H, W)` the cell itself. Returns for each region
    ("cell", "disc", "crop") and statistic (a channel's name, in "cell" also "log_area") an array of shape `...`.
    "disc" is `DISC_DIAMETER_UM` wide around the centre. A cell without a pixel has NaN in "cell".
    """
    size = masks.shape[-1]
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    disc = np.broadcast_to(np.hypot(y, x) * um_per_px <= DISC_DIAMETER_UM / 2, masks.shape)
    regions = {"cell": masks, "disc": disc, "crop": np.ones_like(masks)}
    found = {}
    for region, inside in regions.items():
        num_px = inside.sum(axis=(-2, -1)).astype(float)
        total = np.einsum("...chw,...hw->...c", images, inside, dtype=np.float64)
        mean = np.divide(total, num_px[..., None], out=np.full_like(total, np.nan), where=num_px[..., None] > 0)
        found[region] = {channel: mean[..., idx] for idx, channel in enumerate(channels)}
    area_um2 = masks.sum(axis=(-2, -1)) * um_per_px**2
    found["cell"]["log_area"] = np.log(np.where(area_um2 > 0, area_um2, np.nan))
    return found


def r2(truth: NDArray, predicted: NDArray) -> float:
    """1 - SSE / SST about the truth's own mean, nothing refitted; NaN where the truth does not vary."""
    truth, predicted = _known(truth, predicted)
    spread = float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0
    return 1 - float(((truth - predicted) ** 2).sum()) / spread if spread > 0 else float("nan")


def correlation(truth: NDArray, predicted: NDArray) -> float:
    """Pearson's; NaN where either does not vary."""
    truth, predicted = _known(truth, predicted)
    if len(truth) < 2 or np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(truth, predicted)[0, 1])


def sign_accuracy(truth: NDArray, predicted: NDArray, least: float = 0.1) -> float:
    """Share of the changes of at least ``least`` whose direction is predicted; no change predicted is wrong."""
    clear = np.abs(truth) >= least
    return float((np.sign(truth[clear]) == np.sign(predicted[clear])).mean()) if clear.any() else float("nan")


def means_of_known(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Means over an axis of what is not NaN; 0 where nothing is known."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0).sum(axis) / np.maximum(known.sum(axis), 1))


def _known(truth: NDArray, predicted: NDArray) -> tuple[NDArray, NDArray]:
    known = np.isfinite(truth) & np.isfinite(predicted)
    return truth[known], predicted[known]


def psnr_db(truth: NDArray, predicted: NDArray) -> float:
    """Peak signal-to-noise ratio of `(C, H, W)` pictures, each channel relative to its range in ``truth``."""
    span = np.maximum(np.ptp(truth, axis=(1, 2), keepdims=True), 1e-9)
    error = float((((truth - predicted) / span) ** 2).mean())
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def psnr_summary(psnr: NDArray[np.float64]) -> dict[str, float | None]:
    """Median and lowest PSNR in dB, and the share of at least 30 dB."""
    share = float((psnr >= 30).mean())
    return {"median": plain(float(np.median(psnr))), "lowest": plain(psnr.min()), "share_from_30": plain(share)}


def with_interval(
    score: Callable[[NDArray, NDArray], float], truth: NDArray, predicted: NDArray, seed: int = 0
) -> dict[str, Any]:
    """A score of `(n, ...)` values of n cells and its 95 % interval over bootstrap samples of the cells."""
    random = np.random.default_rng(seed)
    drawn = [random.integers(len(truth), size=len(truth)) for _ in range(BOOTSTRAP_ROUNDS)]
    scores = np.array([score(truth[rows], predicted[rows]) for rows in drawn])
    low, high = np.nanpercentile(scores, [2.5, 97.5]) if np.isfinite(scores).any() else (np.nan, np.nan)
    return {"value": plain(score(truth, predicted)), "low": plain(low), "high": plain(high)}


def plain(number: float) -> float | None:
    """A number that JSON can hold, to four places; None for NaN and infinity."""
    return round(float(number), 4) if np.isfinite(number) else None
