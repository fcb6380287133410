"""Sampling in a few equal steps, and its inversion. Letters: B cells, C drawn channels, H = W crop pixels."""

from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x (B, C, H, W), t (B,), step (B,)) → the mean velocity from t to t + step, (B, C, H, W)."""

StepBack = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(change of x (B, C, H, W) after a step, t (B,), step (B,)) → about the change before it."""

INVERSION_PASSES = 6
"""Fixed-point passes per step of `invert`."""


def sample(velocity: Velocity, start: Tensor, nfe: int) -> Tensor:
    """Walks from noise (t = 0) to a picture (t = 1) in ``nfe`` steps of one network pass each."""
    x = start
    for i in range(nfe):
        x = x + velocity(x, *_clock(x, i, nfe)) / nfe
    return x


def invert(
    velocity: Velocity, step_back: StepBack, picture: Tensor, nfe: int, passes: int = INVERSION_PASSES
) -> Tensor:
    """The start from which `sample` draws ``picture``, up to the error that the passes leave.

    Each step x_next = x + v(x) / nfe is solved for x by fixed-point iteration (Pan et al. 2023, AIDI); ``step_back``
    undoes the part of the step that is known, so that only the network's own part is left to iterate on.
    """
    x = picture
    for i in reversed(range(nfe)):
        after, clock = x, _clock(x, i, nfe)
        for _ in range(passes):
            x = x + step_back(after - x - velocity(x, *clock) / nfe, *clock)
    return x


def _clock(x: Tensor, i: int, nfe: int) -> tuple[Tensor, Tensor]:
    return torch.full((len(x),), i / nfe, device=x.device), torch.full((len(x),), 1 / nfe, device=x.device)
