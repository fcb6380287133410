"""``info``: what a slide or a checkpoint holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_spatia.cli.options import Json
from napari_spatia.cli.report import reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts

if TYPE_CHECKING:
    from napari_spatia.data.slide import Slide
    from napari_spatia.inference.registry import CheckpointSummary


@with_slide_parts
def info(
    what: Annotated[str, typer.Argument(metavar="SLIDE_OR_CHECKPOINT", help="A store, a folder or a shipped name.")],
    json: Json = False,
    *,
    parts: SlideParts,
) -> None:
    """Tell what a slide or a checkpoint holds, without reading pixels or weights.

    Example: `napari-spatia info tissue.zarr`
    """
    with reporting(json) as report:
        from napari_spatia.inference.registry import describe, list_shipped
        from napari_spatia.model.config import CONFIG

        if what in list_shipped() or (Path(what) / CONFIG).is_file():
            report.result(_of_checkpoint(describe(what)))
        else:
            report.result(_of_slide(parts.open(Path(what), report)))


def _of_checkpoint(summary: "CheckpointSummary") -> dict[str, Any]:
    return {
        "checkpoint": summary.name,
        "path": str(summary.path),
        "preset": summary.preset,
        "megabytes": round(summary.megabytes, 1),
        "channels": list(summary.channels),
        "genes": len(summary.panel),
        "cell_types": list(summary.cell_types),
        "held_out": summary.held_out,
        "provenance": summary.provenance,
    }


def _of_slide(slide: "Slide") -> dict[str, Any]:
    from napari_spatia.data import keys

    height, width = slide.image.shape_px
    y0, x0, y1, x1 = slide.image.extent_um
    return {
        "slide": str(slide.path),
        "coordinate_system": slide.coordinate_system,
        "image": slide.image_name,
        "width_height_px": [width, height],
        "width_height_um": [round(x1 - x0, 2), round(y1 - y0, 2)],
        "levels": len(slide.image.levels),
        "um_per_px": slide.image.um_per_px,
        "channels": list(slide.channels),
        "labels": slide.labels_name,
        "table": slide.table_name,
        "cells": slide.num_cells,
        "genes": len(slide.panel),
        "columns": list(slide.obs.columns),
        "predicted": keys.OBS_CELL_TYPE in slide.obs.columns,
    }
