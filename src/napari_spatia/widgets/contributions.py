"""What the manifest names: docks, reader, writer, sample data and the export command."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from napari import current_viewer
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_spatia.data.export import export_slide
from napari_spatia.data.io import open_slide
from napari_spatia.data.picture import slide_limits
from napari_spatia.errors import SlideError
from napari_spatia.session.opened import BRIGHTEST_PERCENT, with_annotations
from napari_spatia.session.session import Session
from napari_spatia.viewer.layers import COLOURS, SESSION, UNITS, cells_spec, channel_specs
from napari_spatia.viewer.view_picture import view_picture
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.arrange import EXPORT, show_docks
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.compare_dock import CompareDock
from napari_spatia.widgets.elements_dock import ElementsDock
from napari_spatia.widgets.embedding_dock import EmbeddingDock
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.export_dock import ExportDock
from napari_spatia.widgets.host import rest_of, slides_for
from napari_spatia.widgets.screens_dock import ScreensDock
from napari_spatia.widgets.slide_pages import SlideChooser, SlidePages
from napari_spatia.widgets.transcripts_dock import TranscriptsDock

NO_LAYERS: list[tuple[Any, ...]] = [(None,)]
"""napari's way of saying: read, and the layers are added elsewhere."""
OPENING = "opening…"
DATA_VARIABLE = "NAPARI_SPATIA_DATA"
SAMPLE_CELLS, SAMPLE_SEED = 2000, 11


class Explorer(SlidePages):
    """The Explorer dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        slides, rest = slides_for(napari_viewer), rest_of(napari_viewer)

        def page(session: Session) -> ExplorerDock:
            return ExplorerDock(session, rest(session), slides.open)

        super().__init__(slides, page, SlideChooser(slides))


class Cell(SlidePages):
    """The Cell dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        rest = rest_of(napari_viewer)
        super().__init__(slides_for(napari_viewer), lambda session: CellDock(session, rest(session)))


class CellsMap(SlidePages):
    """The Cells map dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        rest = rest_of(napari_viewer)
        super().__init__(slides_for(napari_viewer), lambda session: EmbeddingDock(session, rest(session)))


class Compare(SlidePages):
    """The Compare dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(slides_for(napari_viewer), CompareDock)


class Annotate(SlidePages):
    """The Annotate dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(slides_for(napari_viewer), AnnotateDock)


class Transcripts(SlidePages):
    """The Transcripts dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(slides_for(napari_viewer), TranscriptsDock)


class Screens(SlidePages):
    """The Screens dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(slides_for(napari_viewer), ScreensDock)


class Elements(SlidePages):
    """The Elements dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(slides_for(napari_viewer), ElementsDock)


class Export(SlidePages):
    """The Export dock of a viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        take_picture = partial(view_picture, napari_viewer)
        super().__init__(slides_for(napari_viewer), partial(ExportDock, take_picture=take_picture))


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[tuple[Any, ...]]] | None:
    """The reader of a SpatialData folder; None for anything else."""
    first = Path(path[0] if isinstance(path, list) else path)
    is_slide = first.is_dir() and (first / "tables").is_dir() and (first / "images").is_dir()
    return read_slide if is_slide else None


def read_slide(path: str | list[str]) -> list[tuple[Any, ...]]:
    """Open a slide in the current viewer, beside others that are open there; without a viewer, return its layers."""
    first = path[0] if isinstance(path, list) else path
    viewer = current_viewer()
    if viewer is None:
        slide = open_slide(first)
        specs = (*channel_specs(slide, slide_limits(slide.image, high=BRIGHTEST_PERCENT)), cells_spec(slide))
        return [spec.as_tuple() for spec in specs]
    _open(viewer, first)
    return NO_LAYERS


def _open(viewer: Viewer, path: str | Path) -> None:
    slides_for(viewer).open(path)
    QTimer.singleShot(0, lambda: show_docks(viewer))


def _opening(viewer: Viewer) -> list[tuple[Any, ...]]:
    """What a sample returns while its slide opens.

    napari takes a sample without layers for a failure; the slide's layers come from the session, so this one leaves.
    """
    QTimer.singleShot(0, lambda: viewer.layers.remove(viewer.layers[OPENING]))
    return [(np.empty((0, 2)), {"name": OPENING, "units": UNITS}, "points")]


def _viewer() -> Viewer:
    viewer = current_viewer()
    if viewer is None:
        raise SlideError("Sample slides open in a napari window; there is none.")
    return viewer


def simulated_tissue() -> list[tuple[Any, ...]]:
    """A tissue drawn by known rules; made once, then kept in the person's cache folder."""
    viewer = _viewer()
    slides_for(viewer).open_simulated(
        platformdirs.user_cache_path("napari-spatia") / f"tissue-{SAMPLE_CELLS}-{SAMPLE_SEED}.zarr",
        num_cells=SAMPLE_CELLS,
        seed=SAMPLE_SEED,
    )
    QTimer.singleShot(0, lambda: show_docks(viewer))
    return _opening(viewer)


def pancreas_region() -> list[tuple[Any, ...]]:
    """A region of the human pancreas (10x Xenium), where its files are on this machine."""
    place = Path(os.environ.get(DATA_VARIABLE, "data")) / "pancreas" / "roi_B.zarr"
    if not place.is_dir():
        raise SlideError(
            f"The pancreas sample is not on this machine: no folder '{place}'. "
            f"Set {DATA_VARIABLE} to the folder that holds pancreas/roi_B.zarr, or take the simulated tissue."
        )
    viewer = _viewer()
    _open(viewer, place)
    return _opening(viewer)


def write_cells(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save the cells of the overlay, with predictions and annotation, in the format that the path ends in."""
    session = attributes["metadata"].get(SESSION)
    if session is None:
        raise SlideError(f"Layer '{attributes['name']}' holds no cells; select '{COLOURS}' to save cells.")
    place = Path(path)
    slide, colors = with_annotations(session.slide, session.state.annotations), session.class_colours()
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        written = export_slide(slide, Path(folder), [place.suffix[1:]], session.state.prediction, colors=colors)
        written[0].replace(place)
    return [str(place)]


def show_export(napari_viewer: Viewer | None = None) -> None:
    """Open the Export dock."""
    show_docks(napari_viewer or _viewer(), (EXPORT,))
