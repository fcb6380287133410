"""Training on slides, from opened stores to a checkpoint folder with its log, curves and held-out scores."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spatia.batching.training_slide import TrainingSlide, prepare
from napari_spatia.data.counts import normalised
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import SlideError, SpatiaError
from napari_spatia.model.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.device import pick_device, pick_precision
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, part, silent
from napari_spatia.train.carry_over import carry_over
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.linear import fit_outlines
from napari_spatia.train.log import SAMPLES, Log
from napari_spatia.train.loop import run_stage
from napari_spatia.train.one_pass import OnePassStage
from napari_spatia.train.parallel import is_first, joined, wait
from napari_spatia.train.readings import fit_readings
from napari_spatia.train.stages import DecoderStage, EncoderStage, ImageStage, Stage
from napari_spatia.train.state import keep_to, read_progress

LEAST_CELLS = 100
STAGES = ("image", "encoder", "decoder", "one_pass")
"""In their order."""
ONE_PASS_ALONE = ("one_pass",)
"""Stages of a run that adds the decoder of one pass to a checkpoint and leaves all else of it as it is."""
FREE_TO_CHANGE = {"name", "device", "precision", "max_minutes", "validate_every"}
"""Options that may be others when a run goes on: they say how it is run, not what is learned."""
MOST_READ_GENES = 1000
"""Genes of a panel that linear parts read: what they solve grows as the square of it."""


def train(
    slides: Sequence[Path | Slide],
    out: Path,
    config: TrainConfig,
    split: Split | None = None,
    resume: bool = False,
    progress: Progress = silent,
    start: Path | None = None,
) -> Path:
    """Trains a model on ``slides`` and writes the checkpoint folder ``out``.

    ``split`` keeps tissue out (default: stripes, `Split.blocks`, of each slide); its test part is never looked at.
    ``resume`` goes on from where a killed run with the same options stopped; without it the folder starts afresh. Its
    losses are those of a run that was not killed as long as nothing depends on the clock (``max_minutes``).
    ``start`` is a checkpoint folder to go on from: its weights are carried over to these slides' panel, channels and
    types (`carry_over`), and its preset is kept. Started by ``torchrun``, the processes share each batch.
    Raises `SpatiaError` for a device that is not there or stages that cannot be trained alone, `SlideError` when the
    slides do not fit together or have too few cells, `CheckpointError` for an unfinished run that was asked for
    otherwise.
    """
    if "encoder" not in config.stages and start is None:
        raise SpatiaError(
            f"Training of {' and '.join(config.stages) or 'no stage'} was asked for without a checkpoint; the decoder "
            "learns from encoders that are trained. Name one to go on from (--from), or train the encoder as well."
        )
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    config = config.model_copy(update={"device": device, "precision": precision})
    with joined(device):
        return _Run(slides, out, config, split, resume, progress if is_first() else silent, start).to_the_end()


class _Run:
    """What `train` does in each process, from the slides to the checkpoint."""

    def __init__(
        self,
        slides: Sequence[Path | Slide],
        out: Path,
        config: TrainConfig,
        split: Split | None,
        resume: bool,
        progress: Progress,
        start: Path | None,
    ):
        self.out, self.config, self.progress = out, config, progress
        self.working = out / "unfinished"
        if is_first():
            if not resume:
                shutil.rmtree(self.working, ignore_errors=True)
                shutil.rmtree(out / SAMPLES, ignore_errors=True)
            (self.working / "crops").mkdir(parents=True, exist_ok=True)
        wait()
        opened = [slide if isinstance(slide, Slide) else open_slide(slide) for slide in slides]
        source = load_checkpoint(start) if start else None
        if is_first():
            asked = {"slides": [slide.name for slide in opened], "split": split and split.model_dump(mode="json")}
            asked |= {"from": source and source[2]} | config.model_dump(mode="json", exclude=FREE_TO_CHANGE)
            keep_to(asked, self.working)
        torch.manual_seed(config.seed)  # the weights' start only; batches and noise have generators of their own
        self.model = SpatiaModel(model_config(opened, config, split, source[1].model if source else None))
        self.carried: dict[str, Any] = {}
        self.knew_one_pass = bool(source and source[0].one_pass)
        if source:
            self.carried = {"name": source[1].name, "sha256": source[2], **carry_over(source[0], self.model)}
        self.kept: CheckpointConfig | None = None
        if source and config.stages == ONE_PASS_ALONE:
            self.model.load_state_dict(source[0].state_dict(), strict=False)
            self.kept = source[1]
        self.model.to(config.device)
        for first in (True, False):  # the others find the files that the first has written
            if is_first() == first:
                self.parts, self.scale, splits = prepare_slides(
                    opened, self.model.config, config, split, self.working, part(progress, 0, 0.1)
                )
            wait()
        self.provenance = _provenance(opened, config, splits, self.parts["training"])
        if source:
            self.provenance["from"] = self.carried
        self.intensity = self.kept.intensity if self.kept else self.scale.to_dict()

    def to_the_end(self) -> Path:
        """Trains what the config names, each stage from where it stopped, and writes the checkpoint."""
        config, model = self.config, self.model
        resumed = read_progress(self.working / "state")
        log = Log(
            self.out, model.config.channels, self._facts(), resumed["log_lines"] if resumed else 0, not is_first()
        )
        if self.carried and not resumed:
            log.add(stage="start", carried_over=self.carried)
        cells = self.parts["training"], self.parts["validation"]
        encoder = EncoderStage(model, *cells, config)
        stages: list[Stage] = [ImageStage(model, *cells, config), encoder]
        stopped_at = STAGES.index(resumed["stage"]) if resumed else 0
        fraction = 0.1

        def run(stage: Stage) -> None:
            nonlocal fraction
            ends = fraction + 0.9 * stage.share
            if stage.share and STAGES.index(stage.name) >= stopped_at:
                run_stage(stage, config, self.working / "state", log, resumed, part(self.progress, fraction, ends))
            fraction = ends

        for stage in stages:
            model.train()
            run(stage)
        model.eval().requires_grad_(False)
        decoder = DecoderStage(model, *cells, config, self.working, bool(self.carried))
        if self.kept is None and stopped_at <= STAGES.index("decoder"):
            if stopped_at < STAGES.index("decoder"):
                decoder.solve_linear_picture()
                decoder.measure_spectrum()
                decoder.averaged.load_state_dict(model.decoder.state_dict())
            model.decoder.requires_grad_(True)
            run(decoder)
            model.decoder.load_state_dict(decoder.averaged.state_dict())
            decoder.measure_noise(model.decoder)
            model.decoder.requires_grad_(False)
        held_out = dict(self.kept.held_out) if self.kept else {}
        if model.one_pass is not None and "one_pass" in config.stages:
            model.one_pass.requires_grad_(True)
            one_pass = OnePassStage(decoder, model.one_pass, config, self.knew_one_pass)
            run(one_pass)
            model.one_pass.load_state_dict(one_pass.averaged.state_dict())
            decoder.measure_noise(model.one_pass, passes=(1,))
            held_out |= one_pass.validate()
        if self.kept is None:
            decoder.averaged.load_state_dict(model.decoder.state_dict())
            read_off = fit_readings(model, *cells, decoder.encoding)
            read_off |= fit_outlines(model, *cells, decoder.encoding, self.scale)
            log.add(stage="readings", held_out={name: float(np.mean(score)) for name, score in read_off.items()})
            held_out |= encoder.validate() | decoder.validate() | read_off
        if is_first():
            self._finish(held_out, log)
        wait()
        return self.out

    def _finish(self, held_out: dict[str, Any], log: Log) -> None:
        about = CheckpointConfig(
            name=self.config.name,
            model=self.model.config,
            intensity=self.intensity,
            held_out=held_out,
            provenance=self.kept.provenance | {"one_pass": self.provenance} if self.kept else self.provenance,
        )
        save_checkpoint(self.out, self.model, about, half=True)
        log.write_report("Finished")
        shutil.rmtree(self.working)

    def _facts(self) -> dict[str, dict[str, Any]]:
        """The provenance as the report shows it."""
        known = dict(self.provenance)
        facts = {
            f"Split of {name}, rectangles (y0, x0, y1, x1) in µm": split
            for name, split in zip(known["slides"], known.pop("splits"), strict=True)
        }
        facts |= {heading.capitalize(): known.pop(heading) for heading in ("options", "versions")}
        if carried := known.pop("from", None):
            facts["Carried over from"] = carried
        return {"Data": known, **facts}


def model_config(
    slides: Sequence[Slide], config: TrainConfig, split: Split | None = None, start: ModelConfig | None = None
) -> ModelConfig:
    """The model that fits these slides: the first slide's panel and channels, and every type that is named.

    Its shape is the preset's or, where training goes on from a checkpoint, that of its model ``start``. A decoder of
    one pass that would not draw as the large one does, because that one alone is trained, is left out.
    """
    first = slides[0]
    alone = start is not None and config.stages == ONE_PASS_ALONE
    channels = start.channels if start is not None and alone else config.channels or first.channels
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
    read_genes = _read_genes(slides, split)
    named = tuple(types) or (("cell",) if start is None else start.cell_types)
    fresh = ModelConfig.from_preset(config.preset, first.panel.genes, tuple(channels), named, read_genes)
    one_pass = fresh.one_pass if start is None or start.one_pass is None else start.one_pass
    if "one_pass" not in config.stages:
        one_pass = None if start is None or "decoder" in config.stages else start.one_pass
    if start is None:
        return fresh.model_copy(update={"one_pass": one_pass})
    if alone:
        if first.panel.genes != start.panel:
            raise SlideError(
                f"Slide '{first.name}' has another panel ({len(first.panel)} genes) than the checkpoint "
                f"({len(start.panel)}), which is to stay as it is but for one pass. Train on slides of its panel, or "
                "leave out --stages."
            )
        return start.model_copy(update={"one_pass": one_pass})
    names = {"panel": fresh.panel, "channels": fresh.channels, "cell_types": named, "read_genes": read_genes}
    return start.model_copy(update=names | {"one_pass": one_pass})


def _read_genes(slides: Sequence[Slide], split: Split | None) -> tuple[str, ...] | None:
    """Of a panel of more than `MOST_READ_GENES`, those that vary most among training cells; None if it is smaller."""
    genes = slides[0].panel.genes
    if len(genes) <= MOST_READ_GENES:
        return None
    varies = np.zeros(len(genes))
    for slide in slides:
        chosen = split or Split.blocks(slide.centers_um)
        expression = normalised(slide.counts[np.flatnonzero(chosen.inside_training(slide.centers_um))])
        mean = np.asarray(expression.mean(axis=0)).ravel()
        varies += np.asarray(expression.multiply(expression).mean(axis=0)).ravel() - mean**2
    return tuple(genes[i] for i in np.sort(np.argsort(-varies, kind="stable")[:MOST_READ_GENES]))


def cell_type_names(slide: Slide, column: str) -> NDArray[np.str_]:
    """`(N,)` type of each cell, "" where the slide does not say."""
    if column not in slide.obs:
        return np.full(slide.num_cells, "")
    names = slide.obs[column].astype("object")
    return names.where(names.notna(), "").astype(str).to_numpy(dtype=str)


def prepare_slides(
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

    image = replace(slide.image, levels=tuple(level[picked] for level in slide.image.levels), stored=())
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
