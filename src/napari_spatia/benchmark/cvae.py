"""The plain alternative to the decoder: a convolutional conditional VAE on the same embedding of a cell.

Kingma & Welling 2014; Sohn et al. 2015 (conditional); the likelihood's deviation is that of the residuals (Rybkin et
al. 2021, sigma-VAE), so nothing weighs the two terms by hand. Letters: B cells, D width of the condition, C drawn
channels (stains and mask), H = W crop pixels.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spatia.progress import Progress, silent

LATENT = 64
BATCH = 64
LEARNING_RATE = 1e-3


class ConditionalVAE(nn.Module):
    """Encodes a picture and a condition into `LATENT` numbers and draws it from them."""

    def __init__(self, channels: int, width: int, crop_px: int):
        super().__init__()
        self.grid_px = crop_px // 8
        flat = 128 * self.grid_px**2
        self.down = nn.Sequential(_down(channels, 32), _down(32, 64), _down(64, 128), nn.Flatten())
        self.posterior = nn.Linear(flat + width, 2 * LATENT)
        self.spread = nn.Linear(LATENT + width, flat)
        self.up = nn.Sequential(_up(128, 64), _up(64, 32), _up(32, 32), nn.Conv2d(32, channels, 3, padding=1))

    def loss(self, pictures: Tensor, condition: Tensor) -> Tensor:
        """Negative evidence bound a cell, up to a constant; ``pictures`` (B, C, H, W), ``condition`` (B, D)."""
        mean, log_var = self.posterior(torch.cat([self.down(pictures), condition], dim=1)).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * (log_var / 2).exp()
        error = (self.draw(code, condition) - pictures).square().mean()
        likelihood = pictures[0].numel() * error.clamp(min=1e-6).log() / 2
        divergence = (mean.square() + log_var.exp() - 1 - log_var).sum(1).mean() / 2
        return likelihood + divergence

    def draw(self, code: Tensor, condition: Tensor) -> Tensor:
        """(B, `LATENT`) and (B, D) → (B, C, H, W)."""
        grid = self.spread(torch.cat([code, condition], dim=1)).unflatten(1, (128, self.grid_px, self.grid_px))
        return self.up(grid)


def train_cvae(
    pictures: NDArray, condition: Tensor, steps: int, seed: int = 0, progress: Progress = silent
) -> ConditionalVAE:
    """A VAE of `(n, C, H, W)` standardised pictures of training cells and their conditions (n, D).

    The rate falls to zero along a cosine; every picture is turned at random. Global randomness is left as it was.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ConditionalVAE(pictures.shape[1], condition.shape[1], pictures.shape[-1])
        optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
            rows = np.sort(rng.integers(0, len(pictures), BATCH))
            drawn = np.rot90(pictures[rows], int(rng.integers(4)), axes=(-2, -1))
            batch = torch.from_numpy(np.ascontiguousarray(drawn, np.float32))
            optimiser.zero_grad()
            model.loss(batch, condition[rows]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 100.0)
            optimiser.step()
            progress((step + 1) / steps, "training the VAE")
    return model.eval()


def _down(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels, 4, stride=2, padding=1), nn.GroupNorm(8, channels), nn.SiLU())


def _up(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(channels_in, channels, 3, padding=1),
        nn.GroupNorm(8, channels),
        nn.SiLU(),
    )
