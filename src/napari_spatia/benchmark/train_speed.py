"""How fast a training step is, in float32 and bfloat16, and what share of the machine's matrix-product rate that is.

    python -m napari_spatia.benchmark.train_speed SLIDE --preset small

Both precisions run the same steps of each stage in turn: the same cells, masks and noise. A step is everything from
drawing the batch to the optimizer. ``seconds`` are per step: of processor time on the CPU, so that other programs on
the machine change little, and of the clock on a GPU. ``gflop`` counts the products of forward and backward passes
(`torch.utils.flop_counter`); ``share`` is their rate over that of a large matrix product in the same precision, timed
between the steps.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.model.device import pick_device
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.loop import make_optimizer, train_step
from napari_spatia.train.one_pass import OnePassStage
from napari_spatia.train.run import model_config, prepare_slides
from napari_spatia.train.stages import DecoderStage, EncoderStage, ImageStage, Stage

PRECISIONS = ("float32", "bfloat16")
MATRIX_SIDE = 2048


def train_speed(slide: Path | Slide, config: TrainConfig, steps: int, progress: Progress = silent) -> dict[str, Any]:
    """Seconds, products and share of the matrix-product rate per stage and precision; see the top of this file."""
    config = config.model_copy(update={"device": pick_device(config.device), "precision": "float32"})
    opened = [slide if isinstance(slide, Slide) else open_slide(slide)]
    torch.manual_seed(config.seed)
    model = SpatiaModel(model_config(opened, config)).to(config.device)
    with tempfile.TemporaryDirectory() as working:
        parts, *_ = prepare_slides(opened, model.config, config, None, Path(working), part(progress, 0, 0.3))
        slides = parts["training"], parts["validation"]
        found = {
            stage.name: _measure(stage(model, *slides, config), config, steps, 0.0)
            for stage in (ImageStage, EncoderStage)
        }
        progress(0.5, "encoders measured")
        model.eval().requires_grad_(False)
        model.decoder.requires_grad_(True)
        decoder = DecoderStage(model, *slides, config, Path(working))
        for name, done in (("decoder", 0.0), ("decoder_few_step", 1.0)):
            found[name] = _measure(decoder, config, steps, done)
            progress(0.75, f"{name} measured")
        if model.one_pass is not None:
            model.one_pass.requires_grad_(True)
            one_pass = OnePassStage(decoder, model.one_pass, config, trained_before=False)
            found["one_pass"] = _measure(one_pass, config, steps, 0.0)
    return found


def _measure(stage: Stage, config: TrainConfig, steps: int, done: float) -> dict[str, dict[str, float]]:
    optimizer = make_optimizer(stage)
    configs = {name: config.model_copy(update={"precision": name}) for name in PRECISIONS}
    seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    rate: dict[str, float] = dict.fromkeys(PRECISIONS, 0.0)
    train_step(stage, optimizer, config, 0, done)  # what is made once, as the slide's embeddings, is no part of a step
    with FlopCounterMode(display=False) as counter:  # the same products in either precision
        for step in range(steps):
            train_step(stage, optimizer, config, step, done)
    for step in range(steps):
        for name, chosen in configs.items():
            seconds[name].append(_seconds(config.device, partial(train_step, stage, optimizer, chosen, step, done)))
            rate[name] = max(rate[name], matrix_product_rate(config.device, getattr(torch, name)))
    gflop = counter.get_total_flops() / steps / 1e9
    return {
        name: {
            "seconds": mean(seconds[name]),
            "gflop": gflop,
            "matrix_product_gflops": rate[name] / 1e9,
            "share": gflop / mean(seconds[name]) / (rate[name] / 1e9),
        }
        for name in PRECISIONS
    }


def matrix_product_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a product of two square matrices."""
    left, right = (torch.ones(MATRIX_SIDE, MATRIX_SIDE, device=device, dtype=dtype) for _ in range(2))
    left @ right
    return 2 * MATRIX_SIDE**3 / _seconds(device, lambda: left @ right)


def _seconds(device: str, work: Callable[[], object]) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    began = _now(device, clock)
    work()
    return _now(device, clock) - began


def _now(device: str, clock: Callable[[], float]) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
    return clock()


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.train_speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", type=Path, metavar="SLIDE")
    parser.add_argument("--preset", default="small", choices=("tiny", "small", "base"))
    parser.add_argument("--steps", type=int, default=8, metavar="N", help="steps of each stage to time (default 8)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    options = parser.parse_args(arguments)
    with report_errors():
        config = TrainConfig(preset=options.preset, device=options.device)
        found = train_speed(options.slide, config, options.steps, printed_progress())
        machine = {"device": pick_device(options.device), "threads": torch.get_num_threads()}
        print(json.dumps({"benchmark": "train_speed", "preset": options.preset, **machine, **found}))


if __name__ == "__main__":
    main()
