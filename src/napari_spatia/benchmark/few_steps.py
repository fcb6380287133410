"""What teaches the decoder long steps best, and what guidance is worth: decoders that go on from one, on one budget.

    python -m napari_spatia.benchmark.few_steps SLIDE --checkpoint C --fresh-minutes 25 --minutes 9
    python -m napari_spatia.benchmark.few_steps SLIDE --checkpoint C --objectives shortcut --guidance 0 0.5 1

Each objective of `train.few_steps`, at each strength of guidance, goes on from the same decoder for the same minutes on
the same batches: the checkpoint's own or, with ``--fresh-minutes``, one that is trained anew on its encoders for so
long, by flow matching alone, as `train` does in the first part of its decoder's time. A decoder that knows long steps
already hides what an objective is worth. Pictures are then drawn for cells of the split's *validation* part, on which
the choice may be made; the test part stays unseen. ``before`` is the decoder that all go on from, ``real`` the floor of
the Fréchet distances (`sampling` explains the rows). What else runs on the machine takes from the minutes: ``steps``
tells.
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
import torch
from pydantic import ValidationError

from napari_spatia.benchmark.condition_use import HeldOut, recorded_split
from napari_spatia.benchmark.report import REFERENCE_CELLS, benchmark_parser, printed_progress, report_errors
from napari_spatia.benchmark.sampling import SamplingBenchmark, Setting
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.device import pick_precision
from napari_spatia.model.flow_decoder import FlowDecoder
from napari_spatia.model.spatia import SpatiaModel
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
    """What each trial gets; ``share`` of each batch learns long steps. ``fresh_minutes`` is what the decoder that all
    go on from is trained for; with none it is the checkpoint's.
    """

    minutes: float
    share: float
    learning_rate: float
    num_cells: int
    seed: int
    fresh_minutes: float = 0.0


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
    model.one_pass = None  # so that one pass, too, is drawn by the decoder that is taught
    benchmark = SamplingBenchmark(
        predictor.bind(slide), held_out, budget.num_cells, budget.seed, part(progress, 0, 0.05)
    )

    def rows() -> dict[str, Any]:
        return {f"{nfe} passes": benchmark.scores(benchmark.draw(Setting(nfe, 0.0))) for nfe in passes}

    found: dict[str, Any] = {"real": {"frechet": benchmark.scores(benchmark.real)["frechet"]}}
    with tempfile.TemporaryDirectory() as folder:
        working = Path(folder)
        parts, *_ = prepare_slides([slide], model.config, configs[0], split, working, part(progress, 0.05, 0.1))

        def taught(config: TrainConfig, name: str, trained_before: bool, progress: Progress) -> dict[str, Any]:
            model.decoder.requires_grad_(True)
            stage = DecoderStage(model, parts["training"], parts["validation"], config, working, trained_before)
            log = Log(working / name, model.config.channels, {})
            run_stage(stage, config, working / name / "state", log, None, progress)
            model.decoder.load_state_dict(stage.averaged.state_dict())
            stage.measure_noise(model.decoder)
            last = json.loads((working / name / "state" / "progress.json").read_text())
            return {"steps": last["step"], "minutes": round(last["spent_s"] / 60, 2)}

        spent, began = {}, 0.1
        if budget.fresh_minutes:
            began = 0.1 + 0.9 * budget.fresh_minutes / (budget.fresh_minutes + budget.minutes * len(trials))
            model.decoder = _untrained(model, budget.seed)
            spent = taught(_fresh(budget, predictor.device), "before", False, part(progress, 0.1, began))
        found["before"] = spent | rows()
        before = deepcopy(model.decoder.state_dict())
        each = (1 - began) / len(trials)
        for number, (trial, config) in enumerate(zip(trials, configs, strict=True)):
            span = part(progress, began + each * number, began + each * (number + 1))
            model.decoder.load_state_dict(before)
            found[trial.name] = taught(config, trial.name, True, part(span, 0, 0.7)) | rows()
            span(1.0, f"{trial.name} scored")
    return found


def _untrained(model: SpatiaModel, seed: int) -> FlowDecoder:
    """A decoder as a training starts with it: no network yet, the path's noise as it was measured."""
    torch.manual_seed(seed)
    decoder = FlowDecoder(model.config, model.config.decoder_shape)
    decoder.spectrum = model.decoder.spectrum
    return decoder.to(next(model.parameters()).device).eval()


def _fresh(budget: Budget, device: str) -> TrainConfig:
    """The first part of `train`'s decoder stage, which ends when the time does."""
    return TrainConfig(
        seed=budget.seed,
        device=device,
        precision=pick_precision("auto", device),
        stages=("decoder",),
        max_minutes=budget.fresh_minutes,
        decoder_steps=10**6,
        validate_every=10**6,
        few_step_share=0.0,
    )


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
    parser.add_argument(
        "--fresh-minutes",
        type=float,
        default=0.0,
        metavar="M",
        help="of a decoder trained anew first (default none)",
    )
    parser.add_argument("--objectives", nargs="+", default=OBJECTIVES, choices=OBJECTIVES, metavar="O")
    parser.add_argument("--guidance", type=float, nargs="+", default=(0.0,), metavar="W", help="strengths (default 0)")
    parser.add_argument("--passes", type=int, nargs="+", default=PASSES, metavar="P")
    parser.add_argument("--share", type=float, default=0.5, help="of each batch that learns long steps (default 0.5)")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="at its peak (default 5e-4)")
    parser.add_argument("--cells", type=int, default=400, metavar="N", help="cells to draw (default 400)")
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        predictor = Predictor.load(options.checkpoint, options.device, options.precision)
        budget = Budget(
            options.minutes, options.share, options.learning_rate, options.cells, options.seed, options.fresh_minutes
        )
        trials = [Trial(*pair) for pair in product(options.objectives, options.guidance)]
        found = few_steps(slide, predictor, trials, budget, options.passes, printed_progress())
        info = predictor.info
        about = {"slide": slide.name, "checkpoint": info.name, "sha256": info.sha256, "cells": options.cells}
        print(json.dumps({"benchmark": "few_steps", **about, "share": options.share, "rows": found}))


if __name__ == "__main__":
    main()
