"""Texture of pictures as wavelet scattering coefficients: fixed filters, no parameter that is learned.

Bruna & Mallat 2013, "Invariant scattering convolution networks". First order: the mean modulus of each band; second
order: how that modulus varies in turn, at a coarser scale and a relative orientation. Letters: n cells, C stains,
H = W crop pixels, J scales, L orientations.
"""

from functools import cache
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NUM_SCALES, NUM_ORIENTATIONS = 4, 4
CENTRE_SHARE = 0.15
"""Standard deviation of the window "centre", as a share of the crop's width."""
PICTURES_AT_ONCE = 8
LEAST = 0.02
"""Added before a logarithm: about the modulus that noise of one grey level gives in the finest band."""


def scattering_features(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(n, C, H, W)` standardised stains → `(n, F)`; `feature_names` tells which is which.

    Relative orientations are averaged over absolute ones, so a turned picture (by 45°·k) has the same features.
    """
    chunks = [
        _features(torch.from_numpy(np.ascontiguousarray(pictures[start : start + PICTURES_AT_ONCE], np.float32)))
        for start in range(0, len(pictures), PICTURES_AT_ONCE)
    ]
    return torch.cat(chunks).double().numpy()


@torch.no_grad()
def _features(pictures: Tensor) -> Tensor:
    """(n, C, H, H) → (n, F)."""
    size = pictures.shape[-1]
    spectrum = torch.fft.fft2(pictures)  # (n, C, H, H)
    means = [
        pictures.mean((-2, -1)),
        (pictures * _centre(size, 0)).sum((-2, -1)),
    ]  # low pass, over the crop and in the centre
    first, first_centre, second, between = [], [], [], []
    for scale in range(NUM_SCALES):
        modulus = _band(spectrum, size, scale)  # (n, C, L, h, h)
        first.append(modulus.mean((-3, -2, -1)))
        first_centre.append((modulus * _centre(size, scale)).sum((-2, -1)).mean(-1))
        between.append(_between_stains(modulus))
        again = torch.fft.fft2(modulus)
        for coarser in range(scale + 1, NUM_SCALES):
            second.append(_second_order(again, size, coarser, first[scale]))
    logs = [(values + LEAST).log() for values in (*first, *first_centre)]
    return torch.cat([*means, *logs, *second, *between], dim=1)


def _second_order(again: Tensor, size: int, scale: int, first: Tensor) -> Tensor:
    """Spectra of moduli (n, C, L, h, h) → (n, 3 · C): their log bands at 0°, 45° and 90° to them, over ``first``."""
    bands = _band(again, size, scale).mean((-2, -1))  # (n, C, L, L)
    by_turn = [bands.roll(-turn, -1).diagonal(dim1=-2, dim2=-1).mean(-1) for turn in range(NUM_ORIENTATIONS)]
    turns = (by_turn[0], (by_turn[1] + by_turn[3]) / 2, by_turn[2])  # +45° and -45° differ in handedness only
    return torch.cat([(turn + LEAST).log() - (first + LEAST).log() for turn in turns], dim=1)


def _between_stains(modulus: Tensor) -> Tensor:
    """(n, C, L, h, h) → (n, C (C - 1) / 2): do two stains have their texture in the same places?"""
    flat = modulus.mean(2).flatten(2)  # (n, C, h²)
    flat = torch.nn.functional.normalize(flat - flat.mean(-1, keepdim=True), dim=-1)
    pairs = list(combinations(range(flat.shape[1]), 2))
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return (flat[:, left] * flat[:, right]).sum(-1)


def _band(spectrum: Tensor, size: int, scale: int) -> Tensor:
    """Modulus (…, L, h', h') of one scale's bands of (…, h, h) spectra, h' = size / 2^scale.

    A band is narrower than its grid's sampling rate, so thinning it folds its spectrum but leaves its modulus.
    """
    have, keep = spectrum.shape[-1], min(spectrum.shape[-1], size >> max(scale - 1, 0))
    idx = torch.cat([torch.arange(keep // 2), torch.arange(have - keep // 2, have)])  # beyond them the filter is 0
    at = torch.cat([torch.arange(keep // 2), torch.arange(size - keep // 2, size)])
    filters = _filters(size, scale)[:, at][:, :, at]  # (L, keep, keep)
    band = spectrum[..., idx, :][..., None, :, idx] * filters * (keep / have) ** 2
    for dim in (-2, -1):
        band = band.unflatten(dim, (-1, size >> scale)).mean(dim - 1)
    return torch.fft.ifft2(band).abs()


@cache
def _filters(size: int, scale: int) -> Tensor:
    """(L, size, size) Morlet wavelets of one scale in the Fourier domain, zero at frequency 0."""
    y, x = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(size),) * 2, indexing="ij")
    middle, width = 0.75 * np.pi / 2**scale, 0.8 / 2**scale  # radial frequency and bandwidth, in radians a pixel
    filters = []
    for angle in np.arange(NUM_ORIENTATIONS) * np.pi / NUM_ORIENTATIONS:
        along, across = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / 0.8
        bump = np.exp(-((along - middle) ** 2 + across**2) / (2 * width**2) / 0.5)
        at_zero = np.exp(-(middle**2) / (2 * width**2) / 0.5)
        filters.append(bump - at_zero * np.exp(-(along**2 + across**2) / (2 * width**2) / 0.5))
    return torch.from_numpy(np.stack(filters).astype(np.float32))


@cache
def _centre(size: int, scale: int) -> Tensor:
    """Weights around the crop's centre that sum to 1, (h', h') at every 2^scale-th pixel."""
    y, x = np.mgrid[: size : 2**scale, : size : 2**scale] - (size - 1) / 2
    weight = np.exp(-(y**2 + x**2) / (2 * (CENTRE_SHARE * size) ** 2))
    return torch.from_numpy((weight / weight.sum()).astype(np.float32))
