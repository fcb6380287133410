"""The options that several commands share, each said once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.errors import SpatiaError


class Device(StrEnum):
    """Where the model runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


SlidePath = Annotated[Path, typer.Argument(metavar="SLIDE", help="A SpatialData zarr store.", show_default=False)]
Checkpoint = Annotated[
    str,
    typer.Option(
        "--checkpoint", metavar="NAME|DIR", help="A shipped model or a checkpoint folder.", show_default=False
    ),
]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where the model runs; auto takes a GPU if there is one.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout.")]

ChannelMap = Annotated[
    str | None,
    typer.Option(
        "--channel-map",
        metavar="MODEL=SLIDE,…",
        help="Stand-ins for channels that the checkpoint reads and the slide names otherwise.",
    ),
]
ProgrammesFile = Annotated[
    Path | None,
    typer.Option(
        "--programmes",
        metavar="FILE",
        help="Further programmes: a GMT file, name, description and genes with tabs between.",
        show_default=False,
    ),
]
Nfe = Annotated[int | None, typer.Option("--nfe", min=1, help="Decoder passes an image; 4 by default.")]


def comma_separated(text: str | None) -> list[str]:
    """The non-empty parts of ``a,b,c``."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def name_pairs(text: str | None, option: str) -> dict[str, str]:
    """``a=b,c=d`` as a mapping; anything else is wrong usage."""
    pairs = {}
    for item in comma_separated(text):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals and value):
            raise typer.BadParameter(f"'{item}' is not NAME=NAME.", param_hint=option)
        pairs[name] = value
    return pairs


def read_names(path: Path, what: str) -> list[str]:
    """The non-empty lines of a text file of ``what``; raises `SpatiaError` when there is no such file or no line."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SpatiaError(f"Cannot read the {what} in '{path}': {error}. Give a text file with one a line.") from error
    if not names:
        raise SpatiaError(f"File '{path}' has no {what}. Write one a line.")
    return names
