"""``export``: a slide and what was predicted on it, in other tools' formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.cli.options import Json, SlidePath, comma_separated
from napari_spatia.cli.report import reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts


class Format(StrEnum):
    """A format that `export` writes."""

    geojson = "geojson"
    csv = "csv"
    h5ad = "h5ad"


def _formats(text: str) -> tuple[str, ...]:
    wanted = comma_separated(text)
    unknown = [name for name in wanted if name not in list(Format)]
    if unknown or not wanted:
        raise typer.BadParameter(
            f"'{', '.join(unknown) or text}' is not among {', '.join(Format)}.", param_hint="--formats"
        )
    return tuple(wanted)


@with_slide_parts
def export(
    slide: SlidePath,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write into.", show_default=False)],
    formats: Annotated[
        str, typer.Option("--formats", metavar="F1,F2,…", help="geojson, csv, h5ad.")
    ] = "geojson,csv,h5ad",
    json: Json = False,
    *,
    parts: SlideParts,
) -> None:
    """Write cells, predictions and expression for QuPath (GeoJSON), spreadsheets (CSV) and scanpy (h5ad).

    Example: `napari-spatia export tissue.zarr --to exports --formats geojson,h5ad`
    """
    wanted = _formats(formats)
    with reporting(json) as report:
        from napari_spatia.data.export import export_slide
        from napari_spatia.inference.write import read_prediction

        opened = parts.open(slide, report)
        prediction = read_prediction(opened)
        if prediction is None:
            report.note("the slide holds no prediction yet; its own columns are exported (napari-spatia predict)")
        files = export_slide(opened, to, wanted, prediction=prediction, progress=report.progress)
        report.result({"slide": str(slide), "cells": opened.num_cells, "files": [str(file) for file in files]})
