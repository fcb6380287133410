"""``demo``: the main job from beginning to end, with a person at the window or without one."""

import json as json_format
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spatia.cli.display import has_display, run_window, virtual_display
from napari_spatia.cli.options import Json
from napari_spatia.cli.report import Report, as_lines, reporting
from napari_spatia.cli.slides import SlideParts
from napari_spatia.cli.window import LAUNCH, checkpoint_for
from napari_spatia.errors import SpatiaError

DRIVE = "napari_spatia.widgets.demo"
CELLS, SEED = 2000, 4207
"""The demo's tissue; no shipped model was trained on this seed."""


def demo(
    slide: Annotated[
        Path | None, typer.Option("--slide", metavar="PATH", help="A slide; a simulated tissue by default.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="NAME|DIR", help="The model; by default the shipped one that fits best."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No person: drive the real window and write down what it did.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for everything that is written.")] = Path(
        "napari-spatia-demo"
    ),
    json: Json = False,
) -> None:
    """Do the whole job: open a slide, predict, colour, click a cell, move gene sliders, export.

    With a display this opens napari with the slide and the model, and the job is yours. With --headless (or no
    display) it drives the real window on a virtual screen and writes demo.json, screenshots and exports into --out.

    Example: `napari-spatia demo --headless --out build/demo`
    """
    with reporting(json) as report:
        if not headless and not has_display():
            report.note("no display found; going on as with --headless")
            headless = True
        source = slide if slide is not None else _simulated(out, report)
        name = checkpoint_for(SlideParts().open(source, report), checkpoint, report)
        if headless:
            told = _drive(source, name, out, report)
            report.result(told, f"{as_lines(told)}\nscreenshots, a film, exports and demo.json are in {out}")
            return
        report.begin(f"Opening {source.name} in napari…")
        code = run_window(LAUNCH, [str(source), "--checkpoint", name], os.environ, report)
    raise typer.Exit(code)


def _simulated(out: Path, report: Report) -> Path:
    """The demo's own tissue in the output folder; one from an earlier run is used again."""
    path = out / "tissue.zarr"
    if not path.exists():
        from napari_spatia.data.simulate import simulate_slide

        out.mkdir(parents=True, exist_ok=True)
        simulate_slide(path, num_cells=CELLS, seed=SEED, progress=report.progress)
    return path


def _drive(slide: Path, checkpoint: str, out: Path, report: Report) -> dict[str, Any]:
    """Run the window's own driver on a virtual screen; what it wrote into demo.json."""
    told = out / "demo.json"
    told.unlink(missing_ok=True)
    with virtual_display() as env:
        code = run_window(DRIVE, [str(slide), "--checkpoint", checkpoint, "--out", str(out)], env, report)
    if code != 0:
        raise SpatiaError(f"The demo's window ended with exit code {code}; what it said stands above.")
    if not told.is_file():
        raise SpatiaError(f"The demo's window ended without writing '{told}'.")
    return json_format.loads(told.read_text(encoding="utf-8"))
