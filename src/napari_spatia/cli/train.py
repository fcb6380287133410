"""``train``: a checkpoint from slides of one's own."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.cli.options import Device, DeviceOption, Json, Seed, comma_separated
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
        str,
        typer.Option(
            "--holdout", metavar="SPEC", help="Tissue kept out of training: blocks, or a JSON file of rectangles."
        ),
    ] = "blocks",
    channels: Annotated[
        str | None, typer.Option("--channels", metavar="C1,C2,…", help="Stains to learn; all of the first slide's.")
    ] = None,
    label_column: Annotated[
        str, typer.Option("--label-column", metavar="NAME", help="obs column with known cell types.")
    ] = "cell_type",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run into --out stopped.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0.01, help="Stop after this many minutes of training.")
    ] = None,
    seed: Seed = 0,
    device: DeviceOption = Device.auto,
    json: Json = False,
) -> None:
    """Train a checkpoint on slides: masked, contrastive and flow losses, with a log and a learning-curve picture.

    A split file is JSON: `{"test": [[y0, x0, y1, x1], …], "validation": […], "margin_um": 100}`, in µm.

    Example: `napari-spatia train tissue.zarr --out my-model --preset tiny --max-minutes 5`
    """
    with reporting(json) as report:
        from napari_spatia.data.splits import Split
        from napari_spatia.inference.registry import describe
        from napari_spatia.train.config import TrainConfig
        from napari_spatia.train.run import train as run

        config = TrainConfig(
            name=out.name,
            preset=preset.value,
            seed=seed,
            device=device.value,
            max_minutes=max_minutes,
            label_column=label_column,
            channels=tuple(comma_separated(channels)) or None,
        )
        split = None if holdout == "blocks" else Split.read(Path(holdout))
        folder = run(slides, out, config, split=split, resume=resume, progress=report.progress)
        report.result({"checkpoint": str(folder), "held_out": describe(folder).held_out})
