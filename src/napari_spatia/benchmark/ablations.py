"""What each part of the encoder is worth: short trainings that each leave one thing out, scored on one slide.

    python -m napari_spatia.benchmark.ablations SLIDE --holdout SPLIT.json --steps 400

Every row trains the encoders anew for the same steps, seed and batches, solves the readings and the linear part of the
expected picture, and scores cells of the split's *validation* part. ``full`` is trained with several seeds: what their
scores differ by is what a row must differ by to say anything. Rows ``image`` and ``genes`` are read off the full model
without the crop, or without the cell's own counts. ``fixed_um`` replaces the window of fixed size by the smallest
square around each cell, resized, as the published release cuts it; its ``picture_r2`` is of those squares.

Scores: balanced accuracy of types from everything (``type``), from the counts (``type_genes``) and from the crop
(``type_image``); mean correlation of the panel's genes when hidden (``hidden_genes``); R² of each stain's mean over the
crop in the expected picture (``picture_r2``).
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from napari_spatia.batching.training_slide import TrainingSlide
from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.device import pick_device, pick_precision
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.log import Log
from napari_spatia.train.loop import run_stage
from napari_spatia.train.readings import Cells, gather, solve
from napari_spatia.train.run import model_config, prepare_slides
from napari_spatia.train.stages import DecoderStage, EncoderStage

READ_CELLS = 12_000
"""Training cells that the readings are solved on: enough to rank rows, a fifth of what a training takes."""
CROPS_AT_ONCE = 2048
WITHOUT: dict[str, dict[str, Any]] = {
    "niche": {"without": ("niche",)},
    "tissue": {"without": ("tissue",)},
    "modality_dropout": {"without": ("modality_dropout",)},
    "masked_patches": {"mask_weight": 0.0},
    "masked_genes": {"gene_weight": 0.0},
    "contrast": {"contrast_weight": 0.0},
    "image_alone": {"image_weight": 0.0},
    "types": {"type_weight": 0.0},
    "expected_picture": {"picture_weight": 0.0},
    "fixed_um": {},
}
"""Rows that are trained, and what each changes in the run."""
BLOCKS_OF = {"niche": ("around",), "image": ("image",), "genes": ("own", "library", "fused")}
"""What a row's readings do not see."""
ROWS = ("full", "image", "genes", *WITHOUT)


@dataclass(frozen=True, slots=True)
class Parts:
    """The slide's cells as a run reads them."""

    training: TrainingSlide
    validation: TrainingSlide


def ablations(
    slide: Slide, split: Split | None, config: TrainConfig, rows: Sequence[str], seeds: int, progress: Progress = silent
) -> dict[str, Any]:
    """Scores of each row by name, those of ``full`` once a seed; see the top of this file."""
    device = pick_device(config.device)
    config = config.model_copy(update={"device": device, "precision": pick_precision(config.precision, device)})
    shape = model_config([slide], config, split)
    trained = ["full"] * seeds + [row for row in rows if row in WITHOUT]
    found: dict[str, Any] = {"full": []}
    with tempfile.TemporaryDirectory() as folder:
        working = Path(folder)
        prepared, *_ = prepare_slides([slide], shape, config, split, working, part(progress, 0, 0.1))
        whole = Parts(prepared["training"][0], prepared["validation"][0])
        for number, row in enumerate(trained):
            span = part(progress, 0.1 + 0.9 * number / len(trained), 0.1 + 0.9 * (number + 1) / len(trained))
            options = config.model_copy(update={"seed": config.seed + number if row == "full" else config.seed})
            options = options.model_copy(update=WITHOUT.get(row, {}))
            parts = _fitted(whole, working) if row == "fixed_um" else whole
            encoder, decoder = _train(shape, parts, options, working / f"{number}-{row}", part(span, 0, 0.6))
            readable = _readable(decoder, parts)
            read = ("image", "genes") if number == 0 else ()  # rows that need no training of their own
            for name in (row, *(name for name in read if name in rows)):
                scores = _scores(encoder, decoder, *_blind(decoder.model, readable, name))
                if name == "full":
                    found["full"].append(scores)
                else:
                    found[name] = scores
            span(1.0, f"{row} scored")
    return found


def _train(
    shape: ModelConfig, parts: Parts, config: TrainConfig, folder: Path, progress: Progress
) -> tuple[EncoderStage, DecoderStage]:
    torch.manual_seed(config.seed)
    model = SpatiaModel(shape).to(config.device)
    slides = [parts.training], [parts.validation]
    encoder = EncoderStage(model, *slides, config)
    run_stage(encoder, config, folder / "state", Log(folder, shape.channels, {}), None, progress)
    model.eval().requires_grad_(False)
    decoder = DecoderStage(model, *slides, config, folder)
    decoder.solve_linear_picture()
    return encoder, decoder


def _readable(decoder: DecoderStage, parts: Parts) -> tuple[Cells, Cells]:
    """Features of training and validation cells."""
    learned, checked = (
        gather(decoder.model, [slide], decoder.encoding, most_cells=READ_CELLS)
        for slide in (parts.training, parts.validation)
    )
    return learned, checked


def _blind(model: SpatiaModel, cells: tuple[Cells, Cells], row: str) -> tuple[Cells, Cells]:
    """The same cells with the blocks of features that the row leaves out all 0."""
    hidden = model.readings.block_columns(frozenset(BLOCKS_OF.get(row, ())))
    learned, checked = (replace(some, features=some.features.masked_fill(hidden, 0)) for some in cells)
    return learned, checked


def _scores(encoder: EncoderStage, decoder: DecoderStage, learned: Cells, checked: Cells) -> dict[str, float | None]:
    read = solve(decoder.model.readings, learned, checked)
    return {
        "type": read.get("type_balanced_accuracy_both"),
        "type_genes": read.get("type_balanced_accuracy_genes"),
        "type_image": read.get("type_balanced_accuracy_image"),
        "hidden_genes": plain(float(np.mean(read["imputed_gene_pearson"]))),
        "picture_r2": plain(encoder.validate()["expected_mean_r2"]),
    }


def _fitted(parts: Parts, working: Path) -> Parts:
    """The slide with each cell's smallest square stretched to the whole window."""
    training, validation = (
        replace(slide, crops=_stretched(slide.crops, working / f"fitted-{name}.npy"))
        for name, slide in (("training", parts.training), ("validation", parts.validation))
    )
    return Parts(training, validation)


def _stretched(crops: np.ndarray, path: Path) -> np.ndarray:
    """`(n, C + 1, H, W)` crops, the mask last as ±1, written to ``path``."""
    out = np.lib.format.open_memmap(path, mode="w+", dtype=crops.dtype, shape=crops.shape)
    size = crops.shape[-1]
    for start in range(0, len(crops), CROPS_AT_ONCE):
        some = torch.from_numpy(np.asarray(crops[start : start + CROPS_AT_ONCE], np.float32))
        inside = some[:, -1] > 0
        bounds = []
        for axis in (1, 2):  # the cell's extent along x, then y; the whole window where there is no cell
            along = inside.any(axis)
            some_inside = along.any(1)
            first = torch.where(some_inside, along.float().argmax(1), 0)
            last = torch.where(some_inside, size - 1 - along.flip(1).float().argmax(1), size - 1)
            bounds.append((first, last))
        (x0, x1), (y0, y1) = bounds
        half = torch.maximum(x1 - x0, y1 - y0).add(1).float() / size  # of the square's side, where the window's is 1
        middle = [(low + high + 1).float() / size - 1 for low, high in ((x0, x1), (y0, y1))]
        turn = torch.zeros(len(some), 2, 3)
        turn[:, 0, 0], turn[:, 1, 1], turn[:, 0, 2], turn[:, 1, 2] = half, half, *middle
        grid = F.affine_grid(turn, list(some.shape), align_corners=False)
        out[start : start + CROPS_AT_ONCE] = F.grid_sample(some, grid, padding_mode="border", align_corners=False)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.ablations", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", type=Path, metavar="SLIDE")
    parser.add_argument("--holdout", type=Path, metavar="FILE", help="a split file; blocks of the slide if left out")
    parser.add_argument("--preset", default="small", choices=("tiny", "small", "base"))
    parser.add_argument("--steps", type=int, default=400, metavar="N", help="of each training (default 400)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="of the full model (default 3)")
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        split = Split.read(options.holdout) if options.holdout else None
        config = TrainConfig(
            preset=options.preset, device=options.device, encoder_steps=options.steps, validate_every=10**6
        )
        found = ablations(slide, split, config, options.rows, options.seeds, printed_progress())
        about = {"slide": slide.name, "preset": options.preset, "steps": options.steps, "read_cells": READ_CELLS}
        print(json.dumps({"benchmark": "ablations", **about, "rows": found}))


if __name__ == "__main__":
    main()
