"""``models``: the checkpoints that come with the package."""

from typing import Annotated

import typer

from napari_spatia.cli.options import Json
from napari_spatia.cli.report import reporting

app = typer.Typer(help="The shipped checkpoints: which there are, and where.", no_args_is_help=True)


@app.command(name="list")
def list_models(json: Json = False) -> None:
    """Name the shipped checkpoints.

    Example: `napari-spatia models list`
    """
    with reporting(json) as report:
        from napari_spatia.inference.registry import list_shipped

        names = list(list_shipped())
        report.result({"models": names}, "\n".join(names))


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
