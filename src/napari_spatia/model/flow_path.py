"""The path from noise to a cell picture, and its velocity. Letters: B cells, C drawn channels, H = W crop pixels.

White noise lies around the picture that the condition makes expected. Cell pictures are smooth: noise of their own
strength hides their coarse half for a few hundredths of the path only, in which all structure would have to be drawn;
with noise much stronger the few steps of a sampler are spent before anything can be seen, and the last one must draw
all that is fine. The start is `START_STD` times as strong, where pictures of a sampler's equal steps are best
(measured). Straight paths as in Lipman et al. 2023 (flow matching), eq. 22 with sigma_min = 0; a stronger start is the
shift of Esser et al. 2024, eq. 23.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FLOOR = 0.01
"""Least amplitude of any frequency of a picture, in standardised intensity."""
NOISE_PASSES = (1, 2, 4, 8, 16)
"""Samplers whose noise is measured: those whose steps are learned (`FlowDecoder`), and one of plain velocities."""
BAND_EDGES = (0.1, 0.25, 0.55)
"""Between bands of frequencies, in parts of the highest along an axis."""
MOST_LOG_GAIN = 0.7
GAIN_RIDGE = 3.0
"""Cells' worth of evidence that a cell's noise is like any other's."""
START_STD = 2.0
"""Standard deviation of the start, in standard deviations of what the condition leaves unexplained."""


class Spectrum(nn.Module):
    """``picture`` (C, H, W // 2 + 1): amplitude of each frequency of what the condition leaves unexplained in pictures;
    ``std`` (C, 1, 1): the standard deviation of its pixels; ``noise`` (S, C, H, W // 2 + 1): amplitude of each
    frequency of the noise that real pictures come from in a sampler of ``passes``. All are 1 until measured.
    ``gain`` (S, 2 C, C F) and ``gain_level`` (S, C, F): how many times as strong a cell's noise is in F bands (log),
    told by its stains' expected means and their squares.

    If pictures had no structure but their spectrum, the whole flow would be known: each frequency is scaled as its
    standard deviation grows or shrinks along the path (`velocity`). The network adds what is not so simple, in units of
    what that velocity misses (`missed`), so that its task is of one size all along the path (Karras et al. 2022, EDM).
    """

    picture: Tensor
    std: Tensor
    noise: Tensor
    gain: Tensor
    gain_level: Tensor
    band: Tensor

    def __init__(self, channels: int, crop_px: int, passes: Sequence[int] = NOISE_PASSES):
        super().__init__()
        num_bands, self.passes = len(BAND_EDGES) + 1, tuple(passes)
        self.register_buffer("gain", torch.zeros(len(passes), 2 * channels, channels * num_bands))
        self.register_buffer("gain_level", torch.zeros(len(passes), channels, num_bands))
        edges = torch.tensor(BAND_EDGES) * crop_px / 2
        self.register_buffer("band", torch.bucketize(_radius(crop_px), edges), persistent=False)  # (H, W // 2 + 1)
        self.register_buffer("picture", torch.ones(channels, crop_px, crop_px // 2 + 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))
        self.register_buffer("noise", torch.ones(len(passes), channels, crop_px, crop_px // 2 + 1))

    def take_pictures_of(self, other: "Spectrum") -> None:
        """The same pictures as another spectrum, whatever the noise."""
        self.picture.copy_(other.picture)
        self.std.copy_(other.std)

    @torch.no_grad()
    def measure(self, unexplained: Tensor) -> None:
        """Takes the radially averaged spectrum of (n, C, H, W) pictures minus their expected pictures."""
        self.picture.copy_(_radial_amplitude(unexplained))
        self.std.copy_(_mean(self.picture.square()).sqrt())

    @torch.no_grad()
    def measure_noise(self, white: Tensor, expected: Tensor, nfe: int) -> None:
        """Takes ``white`` (n, C, H, W), what `flow_solver.invert` finds behind real pictures in ``nfe`` passes, and the
        pictures that were ``expected`` of these cells.

        A network that has not learned all of the flow leaves grain in its samples: it takes real pictures to noise that
        lacks just that. Samplers start from noise of this spectrum: the mismatch of prior and aggregate posterior of a
        VAE (Dai & Wipf 2019), for a flow. How much is lacking follows what is expected of a cell; that is solved by
        ridge regression.
        """
        at = self._measured_for(nfe)
        self.noise[at] = _radial_amplitude(white)
        power = (torch.fft.rfft2(white).abs() / (white.shape[-1] * self.noise[at])).square()
        log_gain = (
            torch.stack([power[..., self.band == b].mean(-1) for b in range(self.gain_level.shape[-1])], -1).log() / 2
        )
        told = _told(expected)
        middle, scale = told.mean(0), told.std(0).clamp(min=1e-3)
        seen, level = (told - middle) / scale, log_gain.mean(0)
        gram = seen.mT @ seen + GAIN_RIDGE * torch.eye(seen.shape[1], device=seen.device)
        weight = torch.linalg.solve(gram, seen.mT @ (log_gain - level).flatten(1)) / scale[:, None]
        self.gain[at] = weight
        self.gain_level[at] = level - (middle @ weight).view_as(level)

    def colour(self, white: Tensor, expected: Tensor, nfe: int | None = None) -> Tensor:
        """White noise (B, C, H, W) of unit variance → the start's: the path's own, or that from which a sampler of
        ``nfe`` passes draws pictures where these are ``expected``.
        """
        start = START_STD * self.std
        return start * (white if nfe is None else _filter(white, self._noise_of(expected, nfe)))

    def whiten(self, noise: Tensor, expected: Tensor, nfe: int | None = None) -> Tensor:
        """The inverse of `colour`."""
        white = noise / (START_STD * self.std)
        return white if nfe is None else _filter(white, 1 / self._noise_of(expected, nfe))

    def _noise_of(self, expected: Tensor, nfe: int) -> Tensor:
        """(B, C, H, W // 2 + 1) the noise of each cell."""
        at = self._measured_for(nfe)
        log_gain = (_told(expected) @ self.gain[at]).unflatten(1, self.gain_level[at].shape) + self.gain_level[at]
        return self.noise[at] * log_gain.clamp(-MOST_LOG_GAIN, MOST_LOG_GAIN).exp()[..., self.band]

    def unit(self, x: Tensor, t: Tensor) -> Tensor:
        """``x`` (B, C, H, W), taken from the expected picture, with about unit variance at every t."""
        t = t[:, None, None, None]
        return x / (self.std * ((START_STD * (1 - t)).square() + t.square()).sqrt())

    def smoothed(self, x: Tensor, t: Tensor) -> Tensor:
        """The best linear guess of the picture from ``x`` at ``t`` (Wiener's filter), in units of its deviation."""
        t = t[:, None, None, None]
        return _filter(x, t * self.picture.square() / self._std(t).square()) / self.std

    def led(self, x: Tensor, t: Tensor) -> Tensor:
        """Where `velocity` leads ``x`` (B, C, H, W), taken from the expected picture, from ``t`` (B,) to the end."""
        return _filter(x, self.picture / self._std(t[:, None, None, None]))

    def velocity(self, x: Tensor, t: Tensor, step: Tensor) -> Tensor:
        """Mean velocity of (B, C, H, W) from ``t`` (B,) to ``t + step`` if pictures were Gaussian with this spectrum;
        ``x`` is taken from the expected picture.
        """
        t, step = t[:, None, None, None], step[:, None, None, None]
        now = self._std(t)
        slope = (t * self.picture.square() - (1 - t) * self._start**2) / now.square()
        growth = (self._std(t + step) / now - 1) / step.clamp(min=1e-6)
        return _filter(x, torch.where(step > 0, growth, slope))

    def missed(self, t: Tensor) -> Tensor:
        """(B, C, 1, 1) root mean square of what `velocity` misses of Gaussian pictures' velocities at ``t`` (B,)."""
        spread = self.picture.square() * self._start**2 / self._std(t[:, None, None, None]).square()
        return _mean(spread).sqrt()

    def step_back(self, x: Tensor, t: Tensor, step: Tensor) -> Tensor:
        """Undoes the step that `velocity` makes."""
        t, step = t[:, None, None, None], step[:, None, None, None]
        return _filter(x, self._std(t) / self._std(t + step))

    def _measured_for(self, nfe: int) -> int:
        """Whose noise a sampler of ``nfe`` passes takes: its own, or that of the next fewer."""
        return max(i for i, passes in enumerate(self.passes) if passes <= nfe)

    @property
    def _start(self) -> Tensor:
        return START_STD * self.std

    def _std(self, t: Tensor) -> Tensor:
        return (((1 - t) * self._start).square() + t.square() * self.picture.square()).sqrt()


def point_on_path(start: Tensor, picture: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) · start + t · picture for (B, C, H, W) and ``t`` (B,) in [0, 1]."""
    t = t[:, None, None, None]
    return (1 - t) * start + t * picture


def path_velocity(start: Tensor, picture: Tensor) -> Tensor:
    """dx/dt of `point_on_path`, the same at every t."""
    return picture - start


def _told(expected: Tensor) -> Tensor:
    """(B, C, H, W) expected pictures → (B, 2 C) the mean of each channel and its square."""
    mean = expected.mean((2, 3))
    return torch.cat([mean, mean.square()], dim=1)


def _radius(size: int) -> Tensor:
    """(H, W // 2 + 1) of each frequency, in waves a picture."""
    row, column = torch.fft.fftfreq(size), torch.fft.rfftfreq(size)
    return (row[:, None] ** 2 + column**2).sqrt() * size


def _radial_amplitude(pictures: Tensor) -> Tensor:
    """(n, C, H, W) → (C, H, W // 2 + 1) root mean square of each frequency over pictures and directions."""
    size = pictures.shape[-1]
    power = torch.fft.rfft2(pictures).abs().square().mean(0) / size**2
    ring = _radius(size).to(power.device).round().long().flatten()
    members = torch.bincount(ring).clamp(min=1)
    mean = power.new_zeros(len(power), len(members)).index_add_(1, ring, power.flatten(1)) / members
    return mean[:, ring].view_as(power).sqrt().clamp(min=FLOOR)


def _filter(x: Tensor, gain: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])


def _mean(power: Tensor) -> Tensor:
    """(..., H, W // 2 + 1) power of each frequency → (..., 1, 1) of a pixel."""
    column = torch.fft.rfftfreq(power.shape[-2], device=power.device)
    times = 2.0 - ((column == 0) | (column == 0.5)).float()  # rfft2 leaves the mirrored frequencies out
    return (power * times).sum((-2, -1), keepdim=True) / power.shape[-2] ** 2
