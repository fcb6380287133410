"""What is gained by going on from a checkpoint on another slide, instead of training from nothing for as long?

    python -m napari_spatia.benchmark.fine_tune SLIDE --checkpoint pancreas-small --minutes 4 --seeds 0 1 2

Rows, each scored on the stripes of the slide that `train` keeps out: ``carried_over`` is the checkpoint moved to the
slide's panel and stains by name, with one step of training, so that what is solved rather than trained (readings,
expected picture, noise) is the slide's own; ``fine_tuned`` goes on from it for the minutes; ``from_scratch`` is a new
model of the same preset, trained for the same minutes. Minutes are of training; ``seconds`` is the whole run.

Scores: ``flow`` is the decoder's loss (lower is better; 1 is what its formula knows by itself), ``expected_picture``
the R² of each stain's mean over the crop in the expected picture, ``imputed_genes`` the mean over the panel of an
imputed gene's correlation with its counts, ``types`` the balanced accuracy of types where they are known.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.inference.registry import find_checkpoint
from napari_spatia.model.checkpoint import CheckpointConfig, read_config
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train

SCORES = {
    "flow": "flow_held_out",
    "expected_picture": "expected_mean_r2",
    "imputed_genes": "imputed_gene_pearson",
    "types": "type_balanced_accuracy_both",
}
"""What they are called here, and in a checkpoint's held-out scores."""


def fine_tune(slide: Slide, start: Path, minutes: float, progress: Progress = silent, **options: Any) -> dict[str, Any]:
    """Scores and seconds of each row; see the top of this file. ``options`` are those of every training's config."""
    options |= {"preset": read_config(start).model.preset, "stages": ("encoder", "decoder")}
    runs: dict[str, tuple[Path | None, TrainConfig]] = {
        "carried_over": (
            start,
            TrainConfig.fine_tuning(image_steps=0, encoder_steps=1, decoder_steps=1, **options),
        ),
        "fine_tuned": (start, TrainConfig.fine_tuning(max_minutes=minutes, **options)),
        "from_scratch": (None, TrainConfig(max_minutes=minutes, **options)),
    }
    rows = {}
    for number, (row, (source, config)) in enumerate(runs.items()):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as out:
            done = part(progress, number / len(runs), (number + 1) / len(runs))
            train([slide], Path(out) / row, config, progress=done, start=source)
            rows[row] = _scores(read_config(Path(out) / row)) | {"seconds": round(time.monotonic() - began)}
    return rows


def _scores(trained: CheckpointConfig) -> dict[str, Any]:
    """The means of what a checkpoint says of its held-out stripes; what it does not say is left out."""
    held_out = trained.held_out
    return {name: plain(float(np.mean(held_out[key]))) for name, key in SCORES.items() if key in held_out}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.fine_tune", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", metavar="SLIDE")
    parser.add_argument("--checkpoint", required=True, metavar="C", help="to go on from: a folder or a shipped name")
    parser.add_argument("--minutes", type=float, default=4.0, metavar="M", help="of training, for each row (default 4)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args(arguments)
    with report_errors():
        slide, start, shown = open_slide(options.slide), find_checkpoint(options.checkpoint), printed_progress()
        found, number = {}, len(options.seeds)
        for idx, seed in enumerate(options.seeds):
            done = part(shown, idx / number, (idx + 1) / number)
            found[str(seed)] = fine_tune(slide, start, options.minutes, done, seed=seed)
        said = {
            "benchmark": "fine_tune",
            "slide": slide.name,
            "checkpoint": options.checkpoint,
            "cells": slide.num_cells,
        }
        print(json.dumps(said | {"minutes": options.minutes, "seeds": found}))


if __name__ == "__main__":
    main()
