"""The path from noise to a cell picture, and its velocity. Letters: B cells, C drawn channels, H = W crop pixels.

Noise is not white: it has the power spectrum of what the condition leaves unexplained, around the picture that the
condition makes expected. So every spatial frequency is hidden equally long (white noise hides a stain's mean only for
the first hundredth of the path, and a network then hardly learns what the condition says about it), and there is
little left to travel, which is what few passes need. Straight paths as in Lipman et al. 2023 (flow matching), eq. 22
with sigma_min = 0.
"""

import torch
from torch import Tensor, nn

FLOOR = 0.1
"""Least amplitude of any frequency, in standardised intensity, so that the noise can be inverted."""


class NoiseSpectrum(nn.Module):
    """Amplitude of each frequency of the base noise, ``amplitude`` (C, H, W // 2 + 1); white until it is measured."""

    amplitude: Tensor

    def __init__(self, channels: int, crop_px: int):
        super().__init__()
        self.register_buffer("amplitude", torch.ones(channels, crop_px, crop_px // 2 + 1))

    @torch.no_grad()
    def measure(self, unexplained: Tensor) -> None:
        """Takes the radially averaged spectrum of (n, C, H, W) pictures minus their expected pictures."""
        size = unexplained.shape[-1]
        power = torch.fft.rfft2(unexplained).abs().square().mean(0) / size**2  # (C, H, W // 2 + 1)
        ring = (torch.fft.fftfreq(size)[:, None] ** 2 + torch.fft.rfftfreq(size)[None] ** 2).sqrt()
        ring = (ring * size).round().long().flatten()
        members = torch.bincount(ring).clamp(min=1)
        mean = torch.zeros(len(power), len(members)).index_add_(1, ring, power.flatten(1)) / members
        self.amplitude.copy_(mean[:, ring].view_as(power).sqrt().clamp(min=FLOOR))

    def colour(self, white: Tensor) -> Tensor:
        """White noise (B, C, H, W) → noise with this spectrum."""
        return torch.fft.irfft2(torch.fft.rfft2(white) * self.amplitude, s=white.shape[-2:])

    def whiten(self, coloured: Tensor) -> Tensor:
        """The inverse of `colour`."""
        return torch.fft.irfft2(torch.fft.rfft2(coloured) / self.amplitude, s=coloured.shape[-2:])


def point_on_path(start: Tensor, picture: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) · start + t · picture for (B, C, H, W) and ``t`` (B,) in [0, 1]."""
    t = t[:, None, None, None]
    return (1 - t) * start + t * picture


def path_velocity(start: Tensor, picture: Tensor) -> Tensor:
    """dx/dt of `point_on_path`, the same at every t."""
    return picture - start
