"""How far a set of pictures of cells lies from real ones: the Fréchet distance in two spaces of features.

"morphology" is what a pathologist would name (stains in the cell and around it, areas, granularity, how stains go
together); "texture" is `scattering`. Neither is learned, so neither can favour a network. Both are standardised by
real training cells. Letters: n cells, C stains, H = W crop pixels, F features.

    spaces = FeatureSpaces.of_training(pictures, masks, channels, um_per_px)
    distance = frechet_distance(spaces(real)["texture"], spaces(generated)["texture"])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_spatia.benchmark.metrics import DISC_DIAMETER_UM
from napari_spatia.benchmark.scattering import scattering_features
from napari_spatia.data.morphology import nucleus_mask

NUCLEUS_CHANNEL = "DAPI"
RINGS = 8
"""Rings of the radial power spectrum, equally wide in log frequency."""
PICTURES_AT_ONCE = 512
GREY_LEVEL = 0.1
"""Standardised intensity that counts as nothing to be seen, in deviations: about one grey level of an 8-bit slide."""
LEAST_SPREAD = 0.25
"""Features are logarithms, correlations or standardised intensities: one that hardly varies among real cells is not
stretched to their scale, or a faint grain would outweigh a missing nucleus."""


@dataclass(frozen=True, slots=True)
class FeatureSpaces:
    """Both spaces for pictures of these ``channels`` at ``um_per_px``, with the training cells' mean and deviation."""

    channels: tuple[str, ...]
    um_per_px: float
    mean: dict[str, NDArray[np.float64]]
    std: dict[str, NDArray[np.float64]]

    @classmethod
    def of_training(cls, pictures: NDArray, masks: NDArray, channels: Sequence[str], um_per_px: float) -> Self:
        """Spaces standardised by real training cells; a few thousand fix them."""
        raw = cls(tuple(channels), um_per_px, {}, {})._measure(pictures, masks)
        mean = {name: values.mean(0) for name, values in raw.items()}
        return cls(tuple(channels), um_per_px, mean, {n: np.maximum(v.std(0), LEAST_SPREAD) for n, v in raw.items()})

    def __call__(self, pictures: NDArray, masks: NDArray) -> dict[str, NDArray[np.float64]]:
        """Standardised stains `(n, C, H, W)` and the cells themselves `(n, H, W)` bool → `(n, F)` for each space."""
        raw = self._measure(pictures, masks)
        return {name: (values - self.mean[name]) / self.std[name] for name, values in raw.items()}

    def _measure(self, pictures: NDArray, masks: NDArray) -> dict[str, NDArray[np.float64]]:
        chunks = []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            some = np.asarray(pictures[start : start + PICTURES_AT_ONCE], np.float32)
            inside = np.asarray(masks[start : start + PICTURES_AT_ONCE], bool)
            morphology = morphology_features(some, inside, self.channels, self.um_per_px)
            chunks.append((morphology, scattering_features(some)))
        return dict(zip(("morphology", "texture"), map(np.concatenate, zip(*chunks, strict=True)), strict=True))


def frechet_distance(left: NDArray, right: NDArray) -> float:
    """Fréchet distance of the Gaussians of two sets of features `(n, F)` (Dowson & Landau 1982; Heusel et al. 2017).

    |mean difference|² + tr(A + B - 2 (A B)^½); symmetric, 0 for equal sets, biased upwards by few cells: compare sets
    of one size only.
    """
    difference = left.mean(0) - right.mean(0)
    first, second = np.cov(left, rowvar=False), np.cov(right, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * both)


def morphology_features(
    pictures: NDArray[np.float32], masks: NDArray[np.bool_], channels: Sequence[str], um_per_px: float
) -> NDArray[np.float64]:
    """`(n, C, H, W)` and `(n, H, W)` → `(n, F)`. A cell without a pixel counts as the one at the crop's centre."""
    masks = masks.copy()
    masks[~masks.any((-2, -1)), masks.shape[-2] // 2, masks.shape[-1] // 2] = True
    disc = np.broadcast_to(_radius(pictures.shape[-1]) * um_per_px <= DISC_DIAMETER_UM / 2, masks.shape)
    nucleus_channel = list(channels).index(NUCLEUS_CHANNEL)
    dapi = pictures[:, nucleus_channel]
    nuclei = np.stack([nucleus_mask(*pair, um_per_px) for pair in zip(dapi, masks, strict=True)])
    columns = [_shape(masks, um_per_px), np.log(nuclei.sum((-2, -1)) * um_per_px**2 + 1)[:, None]]
    columns += [_mean_in(pictures[:, [nucleus_channel]], nuclei | (masks & ~nuclei.any((-2, -1), keepdims=True)))]
    for region in (masks, disc, np.ones_like(masks)):
        mean = _mean_in(pictures, region)
        spread = np.sqrt(_mean_in((pictures - mean[..., None, None]) ** 2, region))
        columns += [mean, spread]
    columns += [_stain_correlations(pictures, masks), _stain_correlations(pictures, np.ones_like(masks))]
    columns += [_gradients(pictures), _spectra(pictures)]
    return np.concatenate(columns, axis=1)


def _shape(masks: NDArray[np.bool_], um_per_px: float) -> NDArray[np.float64]:
    """`(n, 4)`: log area, log of the long over the short axis, how much of its ellipse it fills, its offset in µm."""
    y, x = np.mgrid[: masks.shape[-2], : masks.shape[-1]] - (masks.shape[-1] - 1) / 2
    num_px = masks.sum((-2, -1)).astype(float)

    def moment(weight: NDArray) -> NDArray:
        return (masks * weight).sum((-2, -1)) / num_px

    middle_y, middle_x = moment(y), moment(x)
    yy, xx, xy = moment(y * y) - middle_y**2, moment(x * x) - middle_x**2, moment(x * y) - middle_x * middle_y
    yy, xx = yy + 1 / 12, xx + 1 / 12  # a pixel is a square, not a point
    root = np.sqrt((yy - xx) ** 2 / 4 + xy**2)
    long, short = (yy + xx) / 2 + root, np.maximum((yy + xx) / 2 - root, 1 / 12)
    fills = num_px / (4 * np.pi * np.sqrt(long * short))
    offset_um = np.hypot(middle_y, middle_x) * um_per_px
    return np.stack([np.log(num_px * um_per_px**2), np.log(long / short) / 2, fills, offset_um], axis=1)


def _mean_in(pictures: NDArray, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`(n, C)` means over each cell's own pixels."""
    total = np.einsum("nchw,nhw->nc", pictures, inside, dtype=np.float64)
    return total / inside.sum((-2, -1))[:, None]


def _stain_correlations(pictures: NDArray, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`(n, C (C - 1) / 2)` Pearson's correlations over pixels of every pair of stains; 0 where a stain is flat."""
    apart = pictures - _mean_in(pictures, inside)[..., None, None]
    spread = np.sqrt(_mean_in(apart**2, inside))
    columns = []
    for one, other in combinations(range(pictures.shape[1]), 2):
        together = _mean_in((apart[:, one] * apart[:, other])[:, None], inside)[:, 0]
        columns.append(together / np.maximum(spread[:, one] * spread[:, other], 1e-6))
    return np.stack(columns, axis=1)


def _gradients(pictures: NDArray) -> NDArray[np.float64]:
    """`(n, 2 C)`: the log mean of each stain's gradient, and how much of it lies in few pixels (log 95 % over mean)."""
    slope = np.hypot(*np.gradient(pictures, axis=(-2, -1))).reshape(*pictures.shape[:2], -1)
    mean = slope.mean(-1)
    sharp = np.percentile(slope, 95, axis=-1)
    return np.concatenate([np.log(mean + GREY_LEVEL), np.log((sharp + GREY_LEVEL) / (mean + GREY_LEVEL))], axis=1)


def _spectra(pictures: NDArray) -> NDArray[np.float64]:
    """`(n, C · RINGS)` log power of each stain in rings of frequency, under a Hann window against the crop's edge."""
    size = pictures.shape[-1]
    window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)
    window /= np.sqrt((window**2).mean())
    apart = pictures - pictures.mean((-2, -1), keepdims=True)
    power = np.abs(np.fft.fft2(apart * window)) ** 2 / size**2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij"))
    edges = np.geomspace(1 / size, np.sqrt(0.5) * 1.001, RINGS + 1)
    ring_of = np.digitize(frequency, edges)  # 0 is the mean, left out
    rings = [power[..., ring_of == ring].mean(-1) for ring in range(1, RINGS + 1)]
    return np.log(np.concatenate(rings, axis=1) + GREY_LEVEL**2)


def _radius(size: int) -> NDArray[np.float64]:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(y, x)
