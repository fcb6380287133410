"""``open``: a slide in napari, with the docks."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from napari_spatia.cli.display import has_display, run_window
from napari_spatia.cli.options import SlidePath
from napari_spatia.cli.report import Report, reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts
from napari_spatia.errors import CheckpointError, SpatiaError

if TYPE_CHECKING:
    from napari_spatia.data.slide import Slide

LAUNCH = "napari_spatia.widgets.launch"


def checkpoint_for(slide: "Slide", wanted: str | None, report: Report) -> str:
    """The named checkpoint, or the shipped one that fits the slide's panel best."""
    from napari_spatia.inference.registry import best_checkpoint, find_checkpoint, list_shipped

    if wanted is not None:
        find_checkpoint(wanted)
        return wanted
    best = best_checkpoint(slide.panel, slide.channels)
    if best is None:
        raise CheckpointError(
            f"No shipped checkpoint ({', '.join(list_shipped()) or 'none is installed'}) fits the {len(slide.panel)} "
            f"genes of slide '{slide.name}'. Train one (napari-spatia train) and name it with --checkpoint."
        )
    report.note(f"checkpoint {best}: of the shipped ones it knows most of this slide's genes")
    return best


@with_slide_parts
def open_window(
    slide: SlidePath,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="NAME|DIR", help="The model; by default the shipped one that fits best."),
    ] = None,
    *,
    parts: SlideParts,
) -> None:
    """Open a slide in napari with the docks.

    Example: `napari-spatia open tissue.zarr`
    """
    with reporting() as report:
        if not has_display():
            raise SpatiaError(
                "There is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set). "
                "Without one, 'napari-spatia demo --headless --slide SLIDE --out DIR' does the whole job."
            )
        report.begin(f"Opening {slide.name} in napari…")
        opened = parts.open(slide, report)
        arguments = [str(slide), "--checkpoint", checkpoint_for(opened, checkpoint, report), *parts.as_arguments()]
        code = run_window(LAUNCH, arguments, os.environ, report)
    raise typer.Exit(code)
