"""What teaches the decoder long steps best, and what guidance is worth: decoders that go on from one, on one budget.

    python -m napari_spatia.benchmark.few_steps SLIDE --checkpoint C --minutes 6
    python -m napari_spatia.benchmark.few_steps SLIDE --checkpoint C --objectives shortcut --guidance 0 0.5 1

Each objective of `train.few_steps`, at each strength of guidance, goes on from the same checkpoint (one that was
trained without long steps shows most) for the same minutes on the same batches. Pictures are then drawn for cells of
the split's *validation* part, on which the choice may be made; the test part stays unseen. ``before`` is the checkpoint
as it is, ``real`` the floor of the Fréchet distances (`sampling` explains the rows). What else runs on the machine
takes from the minutes: ``steps`` tells.
"""

import json
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import ValidationError

from napari_spatia.benchmark.condition_use import HeldOut, recorded_split
from napari_spatia.benchmark.report import REFERENCE_CELLS, benchmark_parser, printed_progress, report_errors
from napari_spatia.benchmark.sampling import SamplingBenchmark, Setting
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.device import pick_device, pick_precision
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.few_steps import FewStepObjective
from napari_spatia.train.log import Log
from napari_spatia.train.loop import run_stage
from napari_spatia.train.run import prepare_slides
from napari_spatia.train.stages import DecoderStage

PASSES = (1, 2, 4, 8, 64)
OBJECTIVES: tuple[FewStepObjective, ...] = get_args(FewStepObjective)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a decoder is taught: long steps by an objective, and to overstate its condition by ``guidance``."""

    objective: FewStepObjective
    guidance: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.objective}, guidance {self.guidance:g}" if self.guidance else self.objective


@dataclass(frozen=True, slots=True)
class Budget:
    """What each trial gets; ``share`` of each batch learns long steps."""

    minutes: float
    share: float
    learning_rate: float
    num_cells: int
    seed: int


def few_steps(
    slide: Slide,
    predictor: Predictor,
    trials: Sequence[Trial],
    budget: Budget,
    passes: Sequence[int] = PASSES,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Scores of each trial by number of passes; see the top of this file."""
    try:
        configs = [_config(trial, budget, predictor.device) for trial in trials]
    except ValidationError as error:
        raise SpatiaError(error.errors()[0]["msg"]) from error
    split = recorded_split(slide, predictor.info)
    scored, reference = (np.flatnonzero(f(slide.centers_um)) for f in (split.inside_validation, split.inside_training))
    random = np.random.default_rng(budget.seed)
    some = np.sort(random.choice(reference, min(len(reference), REFERENCE_CELLS), replace=False))
    held_out = HeldOut(scored, some, "the checkpoint's validation part")
    model = predictor.model
    benchmark = SamplingBenchmark(
        predictor.bind(slide), held_out, budget.num_cells, budget.seed, part(progress, 0, 0.05)
    )

    def rows() -> dict[str, Any]:
        return {f"{nfe} passes": benchmark.scores(benchmark.draw(Setting(nfe, 0.0))) for nfe in passes}

    found = {"real": {"frechet": benchmark.scores(benchmark.real)["frechet"]}, "before": rows()}
    before = deepcopy(model.decoder.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        working = Path(folder)
        parts, *_ = prepare_slides([slide], model.config, configs[0], split, working, part(progress, 0.05, 0.1))
        for number, (trial, config) in enumerate(zip(trials, configs, strict=True)):
            span = part(progress, 0.1 + 0.9 * number / len(trials), 0.1 + 0.9 * (number + 1) / len(trials))
            folder_of_trial = working / trial.name
            model.decoder.load_state_dict(before)
            model.decoder.requires_grad_(True)
            stage = DecoderStage(model, parts["training"], parts["validation"], config, working, trained_before=True)
            log = Log(folder_of_trial, model.config.channels, {})
            run_stage(stage, config, folder_of_trial / "state", log, None, part(span, 0, 0.7))
            model.decoder.load_state_dict(stage.averaged.state_dict())
            stage.measure_noise()
            last = json.loads((folder_of_trial / "state" / "progress.json").read_text())
            found[trial.name] = {"steps": last["step"], "minutes": round(last["spent_s"] / 60, 2), **rows()}
            span(1.0, f"{trial.name} scored")
    return found


def _config(trial: Trial, budget: Budget, device: str) -> TrainConfig:
    return TrainConfig.fine_tuning(
        seed=budget.seed,
        device=device,
        precision=pick_precision("auto", device),
        stages=("decoder",),
        max_minutes=budget.minutes,
        decoder_steps=10**6,  # the time ends the stage
        decoder_lr=budget.learning_rate,
        validate_every=10**6,
        few_step_objective=trial.objective,
        guidance=trial.guidance,
        few_step_share=budget.share,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("few_steps", __doc__)
    parser.add_argument("--minutes", type=float, default=6.0, metavar="M", help="of training each (default 6)")
    parser.add_argument("--objectives", nargs="+", default=OBJECTIVES, choices=OBJECTIVES, metavar="O")
    parser.add_argument("--guidance", type=float, nargs="+", default=(0.0,), metavar="W", help="strengths (default 0)")
    parser.add_argument("--passes", type=int, nargs="+", default=PASSES, metavar="P")
    parser.add_argument("--share", type=float, default=0.5, help="of each batch that learns long steps (default 0.5)")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="at its peak (default 5e-4)")
    parser.add_argument("--cells", type=int, default=400, metavar="N", help="cells to draw (default 400)")
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        predictor = Predictor.load(options.checkpoint, pick_device(options.device))
        budget = Budget(options.minutes, options.share, options.learning_rate, options.cells, options.seed)
        trials = [Trial(*pair) for pair in product(options.objectives, options.guidance)]
        found = few_steps(slide, predictor, trials, budget, options.passes, printed_progress())
        info = predictor.info
        about = {"slide": slide.name, "checkpoint": info.name, "sha256": info.sha256, "cells": options.cells}
        print(json.dumps({"benchmark": "few_steps", **about, "share": options.share, "rows": found}))


if __name__ == "__main__":
    main()
