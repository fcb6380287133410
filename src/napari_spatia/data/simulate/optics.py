"""From stain to camera: focus, point spread, haze, uneven light and background, shot and read noise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from napari_spatia.data.simulate.noise import Field, pixel_noise, smooth_noise

_PSF_UM: Final = 0.24
_DEFOCUS_UM: Final = 0.95
_HAZE_UM: Final = 3.2
_HAZE_SHARE: Final = 0.16
_BACKGROUND: Final = (70.0, 80.0, 85.0, 65.0)
_GAIN: Final = 1.6
_READ_NOISE: Final = 5.0
_MAX_ADU: Final = 65535


def margin_px(um_per_px: float) -> int:
    """How many pixels around a window can shine into it."""
    return sum(_radius(sigma, um_per_px) for sigma in (_PSF_UM, _DEFOCUS_UM, _HAZE_UM))


def _radius(sigma_um: float, um_per_px: float) -> int:
    return int(np.ceil(2.5 * sigma_um / um_per_px))


def _blur(stack: Field, sigma_um: float, um_per_px: float) -> Field:
    for axis in (-2, -1):
        stack = gaussian_filter1d(stack, sigma_um / um_per_px, axis=axis, radius=_radius(sigma_um, um_per_px))
    return stack


def expose(
    stains: Field, defocus: Field, y: Field, x: Field, origin_px: tuple[int, int], um_per_px: float, seed: int
) -> NDArray[np.uint16]:
    """The camera's picture of the middle of a window.

    Parameters
    ----------
    stains
        `(C, Y, X)` ADU, with `margin_px` to spare on every side.
    defocus
        `(Y, X)` share in [0, 1] of a pixel's light that comes from out of focus.
    y, x
        `(Y, X)` pixel centres in µm.
    origin_px
        (y, x) of the window's first pixel, margin included.

    Returns
    -------
    numpy.ndarray
        `(C, Y − 2·margin, X − 2·margin)` uint16.
    """
    margin = margin_px(um_per_px)
    sharp = _blur(stains * (1.0 - defocus), _PSF_UM, um_per_px)
    light = sharp + _blur(stains * defocus, _DEFOCUS_UM, um_per_px)
    light = (1.0 - _HAZE_SHARE) * light + _HAZE_SHARE * _blur(light, _HAZE_UM, um_per_px)
    middle = (slice(margin, -margin), slice(margin, -margin))
    light, y, x = light[(..., *middle)], y[middle], x[middle]
    lamp = 1.0 + 0.09 * smooth_noise(y / 150 + seed % 97, x / 150, 30)
    glow = 1.0 + 0.22 * smooth_noise(y / 90, x / 90 + seed % 89, 31)
    signal = light * lamp + np.array(_BACKGROUND)[:, None, None] * np.maximum(glow, 0.3)
    noise = pixel_noise(seed, (origin_px[0] + margin, origin_px[1] + margin), y.shape, len(stains))
    adu = signal + np.sqrt(_GAIN * signal + _READ_NOISE**2) * noise
    return np.clip(np.rint(adu), 0, _MAX_ADU).astype(np.uint16)
