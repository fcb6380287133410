"""What each part of the encoder is worth: short trainings that each leave one thing out, scored on one slide.

    python -m napari_spatia.benchmark.ablations SLIDE --holdout SPLIT.json --steps 300 --image-steps 600 --seeds 0 1 2

Every row trains the encoders anew as `train` does, the image encoder alone first, for the same steps, seeds and batches
as ``full``, solves the readings and the linear part of the expected picture, and scores cells of the split's
*validation* part. What the seeds of a row differ by is what it must differ by from ``full`` to say anything. Rows
``image`` and ``genes`` never read the crop, or the cell's own counts (which remain what a crop learns to tell).
``masked_cells`` hides no cell from its own niche, nor a niche or the tissue. ``fixed_um`` replaces the window of fixed
size by the smallest square around each cell, resized, as the published release cuts it; its ``picture_r2`` is of those
squares.

Scores: balanced accuracy of types from everything (``type``), from the counts (``type_genes``) and from the crop
(``type_image``); mean correlation of the panel's genes when hidden (``hidden_genes``); R² of each stain's mean over the
crop in the expected picture (``picture_r2``), which is expected of expression.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

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
from napari_spatia.train.stages import DecoderStage, EncoderStage, ImageStage

Scores = dict[str, float | None]
READ_CELLS = 12_000
"""Training cells that the readings are solved on: enough to rank rows, a fifth of what a training takes."""
CROPS_AT_ONCE = 2048
WITHOUT: dict[str, dict[str, Any]] = {
    "full": {},
    "image": {"without": ("image",), "image_weight": 0.0},
    "genes": {"without": ("genes",)},
    "niche": {"without": ("niche",)},
    "tissue": {"without": ("tissue",)},
    "modality_dropout": {"without": ("modality_dropout",)},
    "masked_patches": {"mask_weight": 0.0},
    "masked_genes": {"gene_weight": 0.0},
    "masked_cells": {"without": ("masked_cells",)},
    "contrast": {"contrast_weight": 0.0},
    "image_alone": {"image_weight": 0.0},
    "types": {"type_weight": 0.0},
    "expected_picture": {"picture_weight": 0.0},
    "fixed_um": {},
}
"""Rows, and what each changes in the run."""
BLOCKS_OF = {"niche": ("around",), "image": ("image",), "genes": ("own", "library", "fused")}
"""What a row's readings do not see."""
NOT_SCORED = {"image": ("type_image",), "genes": ("picture_r2", "hidden_genes")}
"""What a row cannot tell: it has nothing to tell it from, or, of hidden genes, no covariance with its own counts."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The slide's cells as a run reads them."""

    training: TrainingSlide
    validation: TrainingSlide


def ablations(
    slide: Slide,
    split: Split | None,
    config: TrainConfig,
    rows: Sequence[str],
    seeds: Sequence[int],
    progress: Progress = silent,
    scored: Callable[[str, int, Scores], None] = lambda row, seed, scores: None,
) -> dict[str, list[Scores]]:
    """Scores of each row by name, one set a seed; see the top of this file. ``scored`` is told of each in turn."""
    device = pick_device(config.device)
    config = config.model_copy(update={"device": device, "precision": pick_precision(config.precision, device)})
    shape = model_config([slide], config, split)
    trainings = list(product(seeds, rows))
    found: dict[str, list[Scores]] = {row: [] for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        working = Path(folder)
        prepared, *_ = prepare_slides([slide], shape, config, split, working, part(progress, 0, 0.1))
        whole = Parts(prepared["training"][0], prepared["validation"][0])
        fitted = _fitted(whole, working) if "fixed_um" in rows else whole
        image_encoders = ImageEncoders(shape, working)
        for number, (seed, row) in enumerate(trainings):
            span = part(progress, 0.1 + 0.9 * number / len(trainings), 0.1 + 0.9 * (number + 1) / len(trainings))
            options = config.model_copy(update={"seed": seed} | WITHOUT[row])
            parts = fitted if row == "fixed_um" else whole
            model = image_encoders.model(parts, options, part(span, 0, 0.3))
            stages = _train(model, parts, options, working / f"{number}-{row}", part(span, 0.3, 0.7))
            scores = _scores(*stages, *_blind(model, _readable(stages[1], parts), row))
            found[row].append(scores | dict.fromkeys(NOT_SCORED.get(row, ())))
            span(1.0, f"{row} of seed {seed} scored")
            scored(row, seed, found[row][-1])
    return found


class ImageEncoders:
    """Models after the first of `train`'s stages, in which the image encoder learns alone: most rows of a seed begin
    with the same one, which is trained once.
    """

    def __init__(self, shape: ModelConfig, working: Path):
        self.shape, self.working = shape, working
        self._trained: dict[tuple[int, int], dict[str, Tensor]] = {}

    def model(self, parts: Parts, config: TrainConfig, progress: Progress) -> SpatiaModel:
        """A model to go on with; its image encoder is untrained where the run has no such stage."""
        torch.manual_seed(config.seed)
        model = SpatiaModel(self.shape).to(config.device)
        if not config.share("image"):
            return model
        key = config.seed, id(parts.training.crops)
        if key not in self._trained:
            stage = ImageStage(model, [parts.training], [parts.validation], config)
            folder = self.working / f"image-{len(self._trained)}"
            run_stage(stage, config, folder / "state", Log(folder, self.shape.channels, {}), None, progress)
            self._trained[key] = deepcopy(model.state_dict())
        model.load_state_dict(self._trained[key])
        return model


def _train(
    model: SpatiaModel, parts: Parts, config: TrainConfig, folder: Path, progress: Progress
) -> tuple[EncoderStage, DecoderStage]:
    slides = [parts.training], [parts.validation]
    encoder = EncoderStage(model, *slides, config)
    run_stage(encoder, config, folder / "state", Log(folder, model.config.channels, {}), None, progress)
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


def _scores(encoder: EncoderStage, decoder: DecoderStage, learned: Cells, checked: Cells) -> Scores:
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


def _print_row(row: str, seed: int, scores: Scores) -> None:
    """On stderr at once: hours of trainings are not lost when a later one is stopped."""
    print(json.dumps({"row": row, "seed": seed, **scores}), file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object; each row's scores go to stderr as they are made."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.ablations", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", type=Path, metavar="SLIDE")
    parser.add_argument("--holdout", type=Path, metavar="FILE", help="a split file; blocks of the slide if left out")
    parser.add_argument("--preset", default="small", choices=("tiny", "small", "base"))
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="of all encoders together (default 300)")
    parser.add_argument("--image-steps", type=int, default=600, metavar="N", help="of the image encoder before (600)")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2), metavar="N", help="default 0 1 2")
    parser.add_argument("--rows", nargs="+", default=tuple(WITHOUT), choices=tuple(WITHOUT), metavar="ROW")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        split = Split.read(options.holdout) if options.holdout else None
        config = TrainConfig(
            preset=options.preset,
            device=options.device,
            stages=("encoder", "decoder"),
            image_steps=options.image_steps,
            encoder_steps=options.steps,
            validate_every=10**6,
        )
        found = ablations(slide, split, config, options.rows, options.seeds, printed_progress(), _print_row)
        steps = {"steps": options.steps, "image_steps": options.image_steps, "seeds": list(options.seeds)}
        about = {"slide": slide.name, "preset": options.preset, **steps, "read_cells": READ_CELLS}
        print(json.dumps({"benchmark": "ablations", **about, "rows": found}))


if __name__ == "__main__":
    main()
