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


class Precision(StrEnum):
    """Number format of the network's products."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


def train(
    slides: Annotated[list[Path], typer.Argument(metavar="SLIDE...", help="SpatialData stores.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="CHECKPOINT", help="Folder to write.", show_default=False)],
    preset: Annotated[
        Preset | None,
        typer.Option("--preset", help="Size of the model: small, or as in the checkpoint named by --from."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NAME|DIR", help="Go on from a trained checkpoint, also on another panel or other stains."
        ),
    ] = None,
    stages: Annotated[
        str,
        typer.Option(
            "--stages",
            metavar="S1,S2,…",
            help="What to train: encoder, decoder, one_pass (the small decoder), or some.",
        ),
    ] = "encoder,decoder,one_pass",
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
    precision: Annotated[
        Precision, typer.Option("--precision", help="Products of the network; auto: bfloat16 where it is fast.")
    ] = Precision.auto,
    seed: Seed = 0,
    device: DeviceOption = Device.auto,
    json: Json = False,
) -> None:
    """Train a checkpoint on slides: masked, contrastive and flow losses, with a log and a report page to look at.

    Several processes share the work under torchrun: `torchrun --nproc_per_node 2 -m napari_spatia train …`.

    A split file is JSON: `{"test": [[y0, x0, y1, x1], …], "validation": […], "margin_um": 100}`, in µm.

    Example: `napari-spatia train tissue.zarr --out my-model --preset tiny --max-minutes 5`
    """
    with reporting(json) as report:
        from napari_spatia.data.splits import Split
        from napari_spatia.inference.registry import describe, find_checkpoint
        from napari_spatia.train.config import TrainConfig
        from napari_spatia.train.parallel import is_first
        from napari_spatia.train.run import train as run

        options = dict(
            name=out.name,
            seed=seed,
            device=device.value,
            precision=precision.value,
            stages=_stages(stages),
            max_minutes=max_minutes,
            label_column=label_column,
            channels=tuple(comma_separated(channels)) or None,
        )
        split = None if holdout == "blocks" else Split.read(Path(holdout))
        if start is None:
            config, source = TrainConfig(preset=(preset or Preset.small).value, **options), None
        else:
            source = find_checkpoint(start)
            config = TrainConfig.fine_tuning(preset=_kept_preset(preset, describe(source).preset), **options)
        folder = run(slides, out, config, split=split, resume=resume, progress=report.progress, start=source)
        if is_first():
            report.result(
                {
                    "checkpoint": str(folder),
                    "report": str(folder / "report.html"),
                    "held_out": describe(folder).held_out,
                }
            )


def _stages(text: str) -> tuple[str, ...]:
    known = ("encoder", "decoder", "one_pass")
    named = comma_separated(text)
    if not named or set(named) - set(known):
        raise typer.BadParameter(f"'{text}' is not one or more of {', '.join(known)}.", param_hint="--stages")
    return tuple(stage for stage in known if stage in named)


def _kept_preset(asked: Preset | None, found: str) -> str:
    if asked is not None and asked.value != found:
        raise typer.BadParameter(
            f"'{asked.value}' was asked for; the checkpoint named by --from has the preset '{found}', which is kept.",
            param_hint="--preset",
        )
    return found
