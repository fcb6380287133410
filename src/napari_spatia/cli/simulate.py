"""``simulate``: write a generated tissue with known truth."""

from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.cli.options import Json, Seed
from napari_spatia.cli.report import reporting


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The store to write; it must not exist yet.")],
    cells: Annotated[int, typer.Option("--cells", min=50, help="About how many cells.")] = 2000,
    seed: Seed = 0,
    transcripts: Annotated[bool, typer.Option("--transcripts", help="Write each transcript as a point too.")] = False,
    json: Json = False,
) -> None:
    """Write a simulated tissue as a SpatialData store: stains, labels, polygons, counts and the truth behind them.

    Example: `napari-spatia simulate tissue.zarr --cells 2000 --seed 7`
    """
    with reporting(json) as report:
        from napari_spatia.data.io import open_slide
        from napari_spatia.data.simulate import simulate_slide

        simulate_slide(out, num_cells=cells, seed=seed, transcripts=transcripts, progress=report.progress)
        slide = open_slide(out)
        report.result({"slide": str(out), "cells": slide.num_cells, "genes": len(slide.panel), "seed": seed})
