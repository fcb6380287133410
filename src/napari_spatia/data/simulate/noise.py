"""Reproducible randomness that does not depend on the window in which it is looked at.

Two kinds: *sheets*, periodic smooth random pictures that are sampled at any coordinate (shapes, textures, fields), and
*pixel noise*, drawn block by block from (seed, block), so that every window sees the same camera noise.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]

_SHEET_SIZE = 512
_CORRELATION = 4.0
_BLOCK_PX = 64
_SHEET_SEED = 20240607


@cache
def _sheet(number: int) -> Field:
    """Periodic Gaussian noise, flattened: zero mean, unit variance, smooth over `_CORRELATION` sheet pixels.

    The first row and column are repeated at the end, so that a pixel's lower right neighbour always exists.
    """
    white = np.random.default_rng([_SHEET_SEED, number]).standard_normal((_SHEET_SIZE, _SHEET_SIZE))
    frequency = np.fft.fftfreq(_SHEET_SIZE)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    smooth = np.fft.ifft2(np.fft.fft2(white) * np.exp(-2 * (np.pi * _CORRELATION) ** 2 * squared)).real
    sheet: Field = np.pad((smooth - smooth.mean()) / smooth.std(), (0, 1), mode="wrap").ravel()
    sheet.setflags(write=False)
    return sheet


def smooth_noise(y: Field, x: Field, number: int) -> Field:
    """Sheet ``number`` at coordinates in units of its correlation length (bilinear, periodic): mean 0, variance 1."""
    y, x = y * _CORRELATION, x * _CORRELATION
    top, left = np.floor(y), np.floor(x)
    fy, fx = y - top, x - left
    mask = _SHEET_SIZE - 1
    row, column = top.astype(np.int32) & mask, left.astype(np.int32) & mask
    corner = row * (_SHEET_SIZE + 1) + column
    flat = _sheet(number)
    upper, lower = flat[corner], flat[corner + (_SHEET_SIZE + 1)]
    upper += (flat[corner + 1] - upper) * fx
    lower += (flat[corner + (_SHEET_SIZE + 2)] - lower) * fx
    upper += (lower - upper) * fy
    return upper


def pixel_noise(seed: int, origin_px: tuple[int, int], shape_px: tuple[int, int], num_channels: int) -> Field:
    """`(num_channels, *shape_px)` standard normal values of the window at ``origin_px`` (y, x ≥ 0)."""
    (y0, x0), (height, width) = origin_px, shape_px
    out = np.empty((num_channels, height, width))
    for row in range(y0 // _BLOCK_PX, (y0 + height - 1) // _BLOCK_PX + 1):
        for column in range(x0 // _BLOCK_PX, (x0 + width - 1) // _BLOCK_PX + 1):
            block = np.random.default_rng([seed, row, column]).standard_normal((num_channels, _BLOCK_PX, _BLOCK_PX))
            top, left = row * _BLOCK_PX, column * _BLOCK_PX
            ys = slice(max(top, y0), min(top + _BLOCK_PX, y0 + height))
            xs = slice(max(left, x0), min(left + _BLOCK_PX, x0 + width))
            out[:, ys.start - y0 : ys.stop - y0, xs.start - x0 : xs.stop - x0] = block[
                :, ys.start - top : ys.stop - top, xs.start - left : xs.stop - left
            ]
    return out
