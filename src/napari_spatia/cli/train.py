"""``train``: a checkpoint from slides of one's own."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.cli.options import Device, DeviceOption, Json, Seed
from napari_spatia.cli.report import reporting


class Preset(StrEnum):
    """Sizes of the model."""

    tiny = "tiny"
    small = "small"
    base = "base"


def train(
    slides: Annotated[list[Path], typer.Argument(metavar="SLIDE...", help="SpatialData stores.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="CHECKPOINT", help="Folder to write.", show_default=False)],
    preset: Annotated[Preset, typer.Option("--preset", help="Size of the model.")] = Preset.small,
    holdout: Annotated[
        str, typer.Option("--holdout", metavar="SPEC", help="Cells kept out: blocks, or a JSON file with rectangles.")
    ] = "blocks",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run into --out stopped.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0.01, help="Stop after this many minutes of training.")
    ] = None,
    seed: Seed = 0,
    device: DeviceOption = Device.auto,
    json: Json = False,
) -> None:
    """Train a checkpoint on slides: masked, contrastive and flow losses, with a log and a learning-curve picture.

    Example: `napari-spatia train tissue.zarr --out my-model --preset tiny --max-minutes 5`
    """
    with reporting(json) as report:
        from napari_spatia.train.config import TrainConfig
        from napari_spatia.train.run import train as run

        config = TrainConfig(
            name=out.name, preset=preset.value, seed=seed, device=device.value, max_minutes=max_minutes
        )
        report.result(run(slides, out, config, resume=resume, progress=report.progress))
