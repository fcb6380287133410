"""What teaches the decoder to take long steps. Letters: B cells, C drawn channels, H = W crop pixels.

Every objective says what the mean velocity over a long step must be, from shorter ones. They differ in where the step
is parted: in the middle (shortcut, Frans et al. 2025, eq. 5), shortly before its end (flow map, Boffi et al. 2025,
Lagrangian distillation), or shortly after its start, with the path's own velocity there (consistency tuning, Geng et
al. 2024, here for every step that a sampler takes, not only those to the end). Mean flow (Geng et al. 2025, eq. 6) is
the limit of the last. `benchmark.few_steps` compares them on one budget.
"""

from typing import Literal

import torch
from torch import Tensor

from napari_spatia.model.flow_decoder import SHORTEST_STEP, FlowDecoder
from napari_spatia.model.flow_path import path_velocity, point_on_path
from napari_spatia.model.inputs import Condition
from napari_spatia.train.parallel import by_share

FewStepObjective = Literal["shortcut", "flow_map", "consistency", "mean_flow"]
STEPS = (SHORTEST_STEP, 1 / 4, 1 / 2, 1)
"""The steps that are learned."""
SHORT = SHORTEST_STEP / 2
"""The shorter part of a step that is parted unevenly; a step so short takes the velocity itself."""
DIFFERENCE = 1 / 64
"""Mean flow's derivative along the path is this difference: forward-mode derivatives of attention are not there on
every device."""


def draw_steps(num: int, generator: torch.Generator, like: Tensor) -> tuple[Tensor, Tensor]:
    """``t`` and ``step`` (B,): steps of the samplers of 1, 2, 4 and 8 passes, each sampler as often."""
    step = torch.tensor(STEPS)[torch.randint(len(STEPS), (num,), generator=generator)].to(like)
    t = torch.floor(torch.rand(num, generator=generator).to(like) / step) * step
    return t, step


@torch.no_grad()
def wanted_velocity(
    objective: FewStepObjective,
    decoder: FlowDecoder,
    teacher: FlowDecoder,
    start: Tensor,
    picture: Tensor,
    condition: Condition,
    t: Tensor,
    step: Tensor,
) -> Tensor:
    """What ``decoder``'s mean velocity from ``t`` (B,) over ``step`` (B,) should be, (B, C, H, W); ``teacher`` is its
    average over training.
    """
    x, along = point_on_path(start, picture, t), path_velocity(start, picture)
    if objective == "mean_flow":
        with torch.autocast(x.device.type, enabled=False):  # the difference of two numbers that are much alike
            now = _drawn(decoder, x, t, step, condition)
            later = _drawn(decoder, x + DIFFERENCE * along, t + DIFFERENCE, step - DIFFERENCE, condition)
        return along + _wide(step) * (later - now) / DIFFERENCE
    first = {"shortcut": step / 2, "flow_map": step - SHORT, "consistency": torch.full_like(step, SHORT)}[objective]
    velocity = along if objective == "consistency" else _drawn(teacher, x, t, first, condition)
    rest = _drawn(teacher, x + _wide(first) * velocity, t + first, step - first, condition)
    return (_wide(first) * velocity + _wide(step - first) * rest) / _wide(step)


def _drawn(decoder: FlowDecoder, x: Tensor, t: Tensor, step: Tensor, condition: Condition) -> Tensor:
    return by_share(decoder, len(t), x, t, step, condition)


def _wide(step: Tensor) -> Tensor:
    return step[:, None, None, None]
