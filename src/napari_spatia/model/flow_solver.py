"""Sampling in a few equal steps, and its inversion. Letters: B cells, C drawn channels, H = W crop pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_spatia.progress import Progress, silent

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x (B, C, H, W), t (B,), step (B,)) → the mean velocity from t to t + step, (B, C, H, W)."""

StepBack = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(change of x (B, C, H, W) after a step, t (B,), step (B,)) → about the change before it."""


@dataclass(frozen=True, slots=True)
class Inversion:
    """How `invert` solves a step: network ``passes`` for each (the step from noise, which changes most, has one more),
    how many of them before it learns from (``memory``), and the share of a gap that it goes at once (``mixing``; less
    than all where a plain step leads away from the answer). Measured for each network.
    """

    passes: int = 3
    memory: int = 3
    mixing: float = 1.0


def sample(velocity: Velocity, start: Tensor, nfe: int, progress: Progress = silent) -> Tensor:
    """Walks from noise (t = 0) to a picture (t = 1) in ``nfe`` steps of one network pass each."""
    x = start
    for i in range(nfe):
        progress(i / nfe, "drawing")
        x = x + velocity(x, *_clock(x, i, nfe)) / nfe
    return x


def invert(
    velocity: Velocity,
    step_back: StepBack,
    picture: Tensor,
    nfe: int,
    how: Inversion,
    progress: Progress = silent,
) -> Tensor:
    """The start from which `sample` draws ``picture``, up to the error that the passes leave.

    Each step x_next = x + v(x) / nfe is solved for x by iteration (Pan et al. 2023, AIDI). ``step_back`` undoes what is
    known of the step, so that only the network's own part is left to iterate on; Anderson's acceleration (Walker & Ni
    2011, eq. 2.3; damped by ``how.mixing``) does so where the plain fixed point runs away.
    """
    x = picture
    for i in reversed(range(nfe)):
        progress(1 - (i + 1) / nfe, "finding the cell's noise")
        after, clock = x, _clock(x, i, nfe)
        tried: list[Tensor] = []
        gaps: list[Tensor] = []
        for _ in range(how.passes + (i == 0)):
            gap = step_back(after - x - velocity(x, *clock) / nfe, *clock)
            tried, gaps = [*tried[-how.memory :], x], [*gaps[-how.memory :], gap]
            x = x + how.mixing * gap - _known_of_gap(tried, gaps, how.mixing)
    return x


def _known_of_gap(tried: list[Tensor], gaps: list[Tensor], mixing: float) -> Tensor:
    """What the changes of earlier passes tell about the next one; each (B, C, H, W), newest last."""
    if len(gaps) == 1:
        return torch.zeros_like(gaps[-1])
    newest = gaps[-1].flatten(1)[..., None]  # (B, n, 1)
    stacks = (torch.stack(values, -1).flatten(1, 3) for values in (gaps, tried))  # (B, n, m + 1) each
    change_of_gap, change = (stack.diff(dim=-1) for stack in stacks)
    gram = change_of_gap.mT @ change_of_gap
    ridge = 1e-6 * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] + torch.finfo(gram.dtype).tiny
    weight = torch.linalg.solve(gram + ridge * torch.eye(len(gaps) - 1, device=gram.device), change_of_gap.mT @ newest)
    return ((change + mixing * change_of_gap) @ weight).view_as(gaps[-1])


def _clock(x: Tensor, i: int, nfe: int) -> tuple[Tensor, Tensor]:
    return torch.full((len(x),), i / nfe, device=x.device), torch.full((len(x),), 1 / nfe, device=x.device)
