"""Training on slides, from opened stores to a checkpoint folder with its log, curves and held-out scores."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spatia.batching.training_slide import TrainingSlide, prepare
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import SlideError, SpatiaError
from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.log import Log
from napari_spatia.train.loop import run_stage
from napari_spatia.train.readings import fit_readings
from napari_spatia.train.stages import DecoderStage, EncoderStage
from napari_spatia.train.state import read_progress

LEAST_CELLS = 100


def train(
    slides: Sequence[Path | Slide],
    out: Path,
    config: TrainConfig,
    split: Split | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> Path:
    """Trains a model on ``slides`` and writes the checkpoint folder ``out``.

    ``split`` keeps tissue out (default: stripes, `Split.blocks`, of each slide); its test part is never looked at.
    ``resume`` goes on from where a killed run with the same options stopped; without it the folder starts afresh.
    Raises `SpatiaError` for a device other than the CPU,
    `SlideError` when the slides do not fit together or have too few cells.
    """
    if config.device not in ("auto", "cpu"):
        raise SpatiaError(
            f"Training on '{config.device}' was asked for; this version trains on the CPU only. Use --device cpu."
        )
    opened = [slide if isinstance(slide, Slide) else open_slide(slide) for slide in slides]
    working = out / "unfinished"
    if not resume:
        shutil.rmtree(working, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    (working / "crops").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)  # the weights' start only; batches and noise have generators of their own
    model = SpatiaModel(model_config(opened, config))
    parts, scale, splits = _prepare(opened, model.config, config, split, working, part(progress, 0, 0.1))
    resumed = read_progress(working / "state")
    log = Log(out / "log.jsonl", keep=resumed["log_lines"] if resumed else 0)

    model.train()
    if not resumed or resumed["stage"] == "encoder":
        encoder = EncoderStage(model, parts["training"], parts["validation"], config)
        run_stage(
            encoder, config, working / "state", log, resumed, part(progress, 0.1, 0.1 + 0.9 * config.encoder_share)
        )
    model.eval().requires_grad_(False)
    model.decoder.requires_grad_(True)
    decoder = DecoderStage(model, parts["training"], parts["validation"], config)
    if not resumed or resumed["stage"] == "encoder":
        decoder.solve_linear_picture()
        decoder.measure_spectrum()
        decoder.averaged.load_state_dict(model.decoder.state_dict())
    run_stage(decoder, config, working / "state", log, resumed, part(progress, 0.1 + 0.9 * config.encoder_share, 1))
    model.decoder.load_state_dict(decoder.averaged.state_dict())

    held_out = EncoderStage(model, parts["training"], parts["validation"], config).validate() | decoder.validate()
    held_out |= fit_readings(model, parts["training"], parts["validation"], decoder.encoding)
    save_checkpoint(
        out,
        model,
        CheckpointConfig(
            name=config.name,
            model=model.config,
            intensity=scale.to_dict(),
            held_out=held_out,
            provenance=_provenance(opened, config, splits, parts["training"]),
        ),
        half=True,
    )
    log.draw_curves(out / "curves.png")
    shutil.rmtree(working)
    return out


def model_config(slides: Sequence[Slide], config: TrainConfig) -> ModelConfig:
    """The model that fits these slides: the first slide's panel and channels, and every type that is named."""
    first = slides[0]
    channels = config.channels or first.channels
    for slide in slides:
        missing = [c for c in channels if c not in slide.channels]
        if missing:
            raise SlideError(
                f"Slide '{slide.name}' has channels {', '.join(slide.channels)}; training needs {', '.join(channels)}. "
                f"Missing: {', '.join(missing)}. Name the shared ones with --channels."
            )
        if slide.panel != first.panel:
            raise SlideError(
                f"Slides '{first.name}' and '{slide.name}' have different panels ({len(first.panel)} and "
                f"{len(slide.panel)} genes). Train on slides of one panel."
            )
    types = sorted({name for slide in slides for name in cell_type_names(slide, config.label_column)} - {""})
    return ModelConfig.from_preset(config.preset, first.panel.genes, tuple(channels), tuple(types) or ("cell",))


def cell_type_names(slide: Slide, column: str) -> NDArray[np.str_]:
    """`(N,)` type of each cell, "" where the slide does not say."""
    if column not in slide.obs:
        return np.full(slide.num_cells, "")
    names = slide.obs[column].astype("object")
    return names.where(names.notna(), "").astype(str).to_numpy(dtype=str)


def _prepare(
    slides: Sequence[Slide],
    model: ModelConfig,
    config: TrainConfig,
    split: Split | None,
    working: Path,
    progress: Progress,
) -> tuple[dict[str, list[TrainingSlide]], IntensityScale, list[Split]]:
    """Training and validation cells of every slide, the mean intensity scale, and each slide's split."""
    parts: dict[str, list[TrainingSlide]] = {"training": [], "validation": []}
    scales, splits = [], []
    for number, slide in enumerate(slides):
        chosen = split or Split.blocks(slide.centers_um)
        inside = {
            "training": np.flatnonzero(chosen.inside_training(slide.centers_um)),
            "validation": np.flatnonzero(chosen.inside_validation(slide.centers_um)),
        }
        for name, cells in inside.items():
            if len(cells) < LEAST_CELLS:
                raise SlideError(
                    f"Slide '{slide.name}' has {len(cells)} {name} cells under this split; at least {LEAST_CELLS} are "
                    "needed. Use a larger slide, or a split (--holdout) that keeps out less."
                )
        picked = np.array([slide.channels.index(c) for c in model.channels])
        chosen_slide = _with_channels(slide, picked)
        scale = IntensityScale.of_slide(chosen_slide, model.um_per_px, model.crop_px, inside["training"])
        types = cell_type_names(slide, config.label_column)
        for step, (name, cells) in enumerate(inside.items()):
            crops = working / "crops" / f"{number}-{name}.npy"
            stage = part(progress, (number + step / 2) / len(slides), (number + (step + 1) / 2) / len(slides))
            parts[name].append(prepare(chosen_slide, model, cells, scale, types, crops, stage))
        scales.append(scale)
        splits.append(chosen)
    columns = ([getattr(scale, name) for scale in scales] for name in ("black", "mean", "std"))
    mean_scale = IntensityScale(*(tuple(map(float, np.mean(values, axis=0))) for values in columns))
    return parts, mean_scale, splits


def _with_channels(slide: Slide, picked: NDArray) -> Slide:
    """The slide with only some of its channels, still lazy."""
    from dataclasses import replace

    image = replace(slide.image, levels=tuple(level[picked] for level in slide.image.levels))
    return replace(slide, image=image, channels=tuple(slide.channels[i] for i in picked))


def _provenance(slides: Sequence[Slide], config: TrainConfig, splits: list[Split], parts: list[TrainingSlide]) -> dict:
    return {
        "slides": [slide.name for slide in slides],
        "training_cells": [slide.num_cells for slide in parts],
        "splits": [split.model_dump(mode="json") for split in splits],
        "options": config.model_dump(mode="json"),
        "versions": {name: version(name) for name in ("napari-spatia", "torch", "numpy")},
        "trained": datetime.now(UTC).date().isoformat(),
    }
