"""One stage's steps: learning rate, gradient, log, validation and resumable state."""

import math
import time
from pathlib import Path

import torch
from torch import Tensor

from napari_spatia.progress import Progress
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.log import Log
from napari_spatia.train.parallel import average_gradients, first_says, is_first
from napari_spatia.train.stages import Stage
from napari_spatia.train.state import restore_state, save_state

WARM_UP_STEPS = 100
LOG_EVERY = 25


def run_stage(
    stage: Stage, config: TrainConfig, state: Path, log: Log, resumed: dict | None, progress: Progress
) -> None:
    """Trains one stage to its end, going on from ``resumed`` when that is this stage's progress."""
    optimizer = make_optimizer(stage)
    step, spent_s = 0, 0.0
    if resumed and resumed["stage"] == stage.name:
        restore_state(state, stage.modules(), optimizer)
        step, spent_s = resumed["step"], resumed["spent_s"]
    budget_s = math.inf if config.max_minutes is None else 60 * config.max_minutes * stage.share
    began = time.monotonic() - spent_s
    seen: dict[str, list[Tensor]] = {}
    saved = step if step else None
    while True:
        spent_s = first_says(time.monotonic() - began)
        done = max(step / stage.num_steps, spent_s / budget_s)
        save = (done >= 1 or step % config.validate_every == 0) and step != saved
        if seen and (save or step % LOG_EVERY == 0):
            log.add(stage=stage.name, step=step, loss={name: torch.stack(v).mean().item() for name, v in seen.items()})
            seen = {}
        if save:
            log.add(stage=stage.name, step=step, seconds=round(spent_s, 1), held_out=stage.validate())
            if pictures := stage.pictures():
                log.show(stage.name, step, *pictures)
            log.write_report(f"{stage.name} stage, step {step} of {stage.num_steps}")
            if is_first():
                save_state(
                    state, stage.modules(), optimizer,
                    {"stage": stage.name, "step": step, "spent_s": spent_s, "log_lines": log.num_lines},
                )  # fmt: skip
        if done >= 1:
            return
        progress(done, f"{stage.name}: step {step}")
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(stage.peak_lr, step, done)
        losses = train_step(stage, optimizer, config, step, done)
        step += 1
        for name, loss in losses.items():
            seen.setdefault(name, []).append(loss.detach())


def make_optimizer(stage: Stage) -> torch.optim.Optimizer:
    """AdamW over what the stage trains."""
    return torch.optim.AdamW(stage.trained.parameters(), lr=stage.peak_lr, weight_decay=0.01, betas=(0.9, 0.98))


def train_step(
    stage: Stage, optimizer: torch.optim.Optimizer, config: TrainConfig, step: int, done: float
) -> dict[str, Tensor]:
    """One gradient step; returns each objective's loss. Products are in ``config.precision``, the rest in float32."""
    with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
        losses = stage.losses(step, done)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()
    average_gradients(stage.trained.parameters())
    torch.nn.utils.clip_grad_norm_(stage.trained.parameters(), 1.0)
    optimizer.step()
    stage.after_step(step)
    return losses


def _learning_rate(peak: float, step: int, done: float) -> float:
    """A linear warm-up, then half a cosine down to a twentieth of the peak."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return peak * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)
