"""The path from noise to a cell picture, and its velocity. Letters: B cells, C drawn channels, H = W crop pixels.

Noise lies around the picture that the condition makes expected, and its spectrum follows what the condition leaves
unexplained. White noise hides a stain's mean for only the first hundredth of the path, so that a network hardly learns
what the condition says about it; noise with the very spectrum of the pictures shows all frequencies at once, so that
nothing is drawn from coarse to fine. The noise lies halfway between them. Straight paths as in Lipman et al. 2023 (flow
matching), eq. 22 with sigma_min = 0.
"""

import torch
from torch import Tensor, nn

FLOOR = 0.1
"""Least amplitude of any frequency, in standardised intensity, so that the noise can be inverted."""
COLOUR = 0.5
"""Exponent of the pictures' amplitude in the noise's: 0 is white noise, 1 has the spectrum of the pictures."""


class Spectrum(nn.Module):
    """Amplitudes of each frequency, (C, H, W // 2 + 1): ``picture`` of what the condition leaves unexplained in
    pictures, ``noise`` of the start, with the same total power. Both are 1 until they are measured.

    If pictures had no structure but their spectrum, the whole flow would be known: each frequency is scaled as its
    standard deviation grows or shrinks along the path (`velocity`). The network adds what is not so simple.
    """

    picture: Tensor
    noise: Tensor

    def __init__(self, channels: int, crop_px: int):
        super().__init__()
        for name in ("picture", "noise"):
            self.register_buffer(name, torch.ones(channels, crop_px, crop_px // 2 + 1))

    @torch.no_grad()
    def measure(self, unexplained: Tensor) -> None:
        """Takes the radially averaged spectrum of (n, C, H, W) pictures minus their expected pictures."""
        size = unexplained.shape[-1]
        power = torch.fft.rfft2(unexplained).abs().square().mean(0) / size**2  # (C, H, W // 2 + 1)
        row, column = torch.fft.fftfreq(size), torch.fft.rfftfreq(size)
        ring = ((row[:, None] ** 2 + column**2).sqrt() * size).round().long().flatten()
        members = torch.bincount(ring).clamp(min=1)
        mean = torch.zeros(len(power), len(members)).index_add_(1, ring, power.flatten(1)) / members
        self.picture.copy_(mean[:, ring].view_as(power).sqrt().clamp(min=FLOOR))
        times = 2.0 - ((column == 0) | (column == 0.5)).float()  # rfft2 leaves the mirrored frequencies out
        total = lambda amplitude: (amplitude.square() * times).sum((1, 2), keepdim=True)  # noqa: E731
        noise = self.picture**COLOUR
        self.noise.copy_(noise * (total(self.picture) / total(noise)).sqrt())

    def colour(self, white: Tensor) -> Tensor:
        """White noise (B, C, H, W) → noise with the start's spectrum."""
        return _filter(white, self.noise)

    def whiten(self, coloured: Tensor) -> Tensor:
        """The inverse of `colour`."""
        return _filter(coloured, 1 / self.noise)

    def velocity(self, x: Tensor, t: Tensor, step: Tensor) -> Tensor:
        """Mean velocity of (B, C, H, W) from ``t`` (B,) to ``t + step`` if pictures were Gaussian with this spectrum;
        ``x`` is taken from the expected picture.
        """
        t, step = t[:, None, None, None], step[:, None, None, None]
        now = self._std(t)
        slope = (t * self.picture.square() - (1 - t) * self.noise.square()) / now.square()
        growth = (self._std(t + step) / now - 1) / step.clamp(min=1e-6)
        return _filter(x, torch.where(step > 0, growth, slope))

    def step_back(self, x: Tensor, t: Tensor, step: Tensor) -> Tensor:
        """Undoes the step that `velocity` makes."""
        t, step = t[:, None, None, None], step[:, None, None, None]
        return _filter(x, self._std(t) / self._std(t + step))

    def _std(self, t: Tensor) -> Tensor:
        return ((1 - t).square() * self.noise.square() + t.square() * self.picture.square()).sqrt()


def point_on_path(start: Tensor, picture: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) · start + t · picture for (B, C, H, W) and ``t`` (B,) in [0, 1]."""
    t = t[:, None, None, None]
    return (1 - t) * start + t * picture


def path_velocity(start: Tensor, picture: Tensor) -> Tensor:
    """dx/dt of `point_on_path`, the same at every t."""
    return picture - start


def _filter(x: Tensor, gain: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])
