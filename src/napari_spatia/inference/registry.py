"""Which checkpoints there are: the ones shipped in the package by name, any other by its folder. Loads no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from napari_spatia.data.panel import Panel
from napari_spatia.errors import CheckpointError
from napari_spatia.model.config import CONFIG, ONE_PASS_WEIGHTS, WEIGHTS

SHIPPED = Path(__file__).parent.parent / "weights"
MIN_SHARED_GENES = 0.5
"""Share of a checkpoint's genes that a slide must have measured before the checkpoint is offered for it."""


@dataclass(frozen=True, slots=True)
class CheckpointSummary:
    """What ``config.json`` alone tells about a checkpoint."""

    name: str
    path: Path
    preset: str
    panel: Panel
    channels: tuple[str, ...]
    cell_types: tuple[str, ...]
    held_out: dict[str, Any]
    provenance: dict[str, Any]
    megabytes: float


def list_shipped() -> tuple[str, ...]:
    """Names of the checkpoints in the package, sorted."""
    return tuple(sorted(folder.parent.name for folder in SHIPPED.glob(f"*/{CONFIG}")))


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The folder of a shipped name or of a path.

    A bare name that is shipped wins over a folder of that name in the working directory; write ``./name`` for that.
    Raises `CheckpointError` when there is no such checkpoint.
    """
    shipped = list_shipped()
    if str(name_or_path) in shipped:
        return SHIPPED / str(name_or_path)
    folder = Path(name_or_path).expanduser()
    if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
        return folder.resolve()
    raise CheckpointError(_not_found(str(name_or_path), folder, shipped))


def _not_found(asked: str, folder: Path, shipped: tuple[str, ...]) -> str:
    if folder.is_dir():
        lacks = " and no ".join(name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file())
        found = f"folder '{folder}' has no {lacks}"
    else:
        found = f"'{folder}' is a file" if folder.exists() else f"there is no folder '{folder}'"
    near = get_close_matches(asked, shipped, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    names = f"a shipped name ({', '.join(shipped)})" if shipped else "a shipped name (this installation ships none)"
    return (
        f"No checkpoint '{asked}': {found}. Expected {names}, or a folder with {CONFIG} and {WEIGHTS} "
        f"as `napari-spatia train` writes it.{hint}"
    )


def describe(name_or_path: str | Path) -> CheckpointSummary:
    """Reads a checkpoint's ``config.json``, not its weights. Raises `CheckpointError` when it is missing or damaged."""
    folder = find_checkpoint(name_or_path)
    try:
        values = json.loads((folder / CONFIG).read_text())
        model, weights = values["model"], (folder / WEIGHTS, folder / ONE_PASS_WEIGHTS)
        return CheckpointSummary(
            name=values["name"],
            path=folder,
            preset=model["preset"],
            panel=Panel(tuple(model["panel"])),
            channels=tuple(model["channels"]),
            cell_types=tuple(model["cell_types"]),
            held_out=values.get("held_out", {}),
            provenance=values.get("provenance", {}),
            megabytes=sum(file.stat().st_size for file in weights if file.is_file()) / 1e6,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"Checkpoint '{folder}' has a damaged {CONFIG} ({type(error).__name__}: {error}). "
            "Copy the checkpoint again from where it came."
        ) from error


def best_checkpoint(panel: Panel, channels: Sequence[str]) -> str | None:
    """The shipped checkpoint that reads most of a slide: the largest share of its genes, then of its channels.

    None when no shipped checkpoint knows `MIN_SHARED_GENES` of its genes on this slide.
    """
    best, best_fit = None, (MIN_SHARED_GENES, 0.0)
    for name in list_shipped():
        summary = describe(name)
        genes = float((summary.panel.align(panel) >= 0).mean())
        stains = len(set(summary.channels) & set(channels)) / max(1, len(summary.channels))
        if (genes, stains) >= best_fit:
            best, best_fit = name, (genes, stains)
    return best
