"""``programmes``: the gene programmes that `perturb` and the Cell dock can edit."""

from typing import Annotated, Any

import typer

from napari_spatia.cli.options import Json, ProgrammesFile
from napari_spatia.cli.report import reporting

app = typer.Typer(help="Named sets of genes that are edited together.", no_args_is_help=True)

_ForPanel = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="NAME|DIR", help="Say which genes this model reads.", show_default=False),
]


@app.command(name="list")
def list_programmes(checkpoint: _ForPanel = None, programmes: ProgrammesFile = None, json: Json = False) -> None:
    """Name the programmes, the shipped ones and your own, and what they are.

    Example: `napari-spatia programmes list --checkpoint pancreas-small`
    """
    with reporting(json) as report:
        from napari_spatia.inference.programmes import load_programmes
        from napari_spatia.inference.registry import describe

        panel = describe(checkpoint).panel if checkpoint else None
        rows: list[dict[str, Any]] = []
        for entry in load_programmes(programmes).values():
            read = {} if panel is None else {"measured": len(entry.measured(panel))}
            rows.append({"name": entry.name, "description": entry.description, "genes": len(entry.genes), **read})
        lines = [
            f"{row['name']}: {row['description']} ("
            + (f"{row['measured']} of " if "measured" in row else "")
            + f"{row['genes']} genes)"
            for row in rows
        ]
        report.result({"programmes": rows}, "\n".join(lines))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A programme.", show_default=False)],
    checkpoint: _ForPanel = None,
    programmes: ProgrammesFile = None,
    json: Json = False,
) -> None:
    """Name the genes of a programme, and which of them a model reads.

    Example: `napari-spatia programmes show EMT --checkpoint pancreas-small`
    """
    with reporting(json) as report:
        from napari_spatia.inference.programmes import find_programme, load_programmes
        from napari_spatia.inference.registry import describe

        found = find_programme(name, load_programmes(programmes))
        values: dict[str, Any] = {"name": found.name, "description": found.description}
        values |= {"up": list(found.up), "down": list(found.down)}
        if checkpoint:
            panel = describe(checkpoint).panel
            values |= {"measured": list(found.measured(panel)), "missing": list(found.missing(panel))}
        report.result(values)


@app.command()
def path(json: Json = False) -> None:
    """Print the file of your own programmes; it is begun, with a line that says how, where there is none.

    Example: `napari-spatia programmes path`
    """
    with reporting(json) as report:
        from napari_spatia.inference.programmes import make_user_file

        file = make_user_file()
        report.result({"path": str(file)}, str(file))
