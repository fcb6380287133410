"""``models``: the checkpoints that come with the package."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_spatia.cli.options import Json
from napari_spatia.cli.report import reporting

if TYPE_CHECKING:
    from napari_spatia.inference.registry import CheckpointSummary

app = typer.Typer(help="The shipped checkpoints: which there are, and where.", no_args_is_help=True)


@app.command(name="list")
def list_models(json: Json = False) -> None:
    """Name the shipped checkpoints, and tell what each reads and was trained on.

    Example: `napari-spatia models list`
    """
    with reporting(json) as report:
        from napari_spatia.inference.registry import describe, list_shipped

        summaries = [describe(name) for name in list_shipped()]
        values = {"models": [each.name for each in summaries], "details": [_details(each) for each in summaries]}
        report.result(values, "\n".join(in_words(each) for each in summaries))


def _details(summary: "CheckpointSummary") -> dict[str, Any]:
    return {
        "name": summary.name,
        "preset": summary.preset,
        "megabytes": round(summary.megabytes, 1),
        "genes": len(summary.panel),
        "channels": list(summary.channels),
        "cell_types": len(summary.cell_types),
        "trained_on": summary.provenance.get("slides", []),
        "training_cells": sum(summary.provenance.get("training_cells", [])),
    }


def in_words(summary: "CheckpointSummary") -> str:
    """A checkpoint's name, and below it what it is, for a person."""
    told = _details(summary)
    return (
        f"{told['name']}\n"
        f"  preset {told['preset']}, {told['megabytes']} MB\n"
        f"  reads {told['genes']} genes and {', '.join(told['channels'])}; knows {told['cell_types']} cell types\n"
        f"  trained on {told['training_cells']:,} cells of {', '.join(told['trained_on'])}"
    )


@app.command()
def path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A shipped name.", show_default=False)], json: Json = False
) -> None:
    """Print the folder of a checkpoint.

    Example: `napari-spatia models path sim-small`
    """
    with reporting(json) as report:
        from napari_spatia.inference.registry import find_checkpoint

        folder = find_checkpoint(name)
        report.result({"name": name, "path": str(folder)}, str(folder))
