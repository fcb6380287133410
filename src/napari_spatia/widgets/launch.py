"""napari with a slide and the docks: ``python -m napari_spatia.widgets.launch [SLIDE] [--checkpoint NAME]``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from qtpy.QtGui import QGuiApplication

from napari_spatia.widgets.arrange import show_docks
from napari_spatia.widgets.host import hosts_for

WINDOW_PX = (1600, 980)
SLIDE_PARTS = ("image", "labels", "table", "coordinate_system", "um_per_px")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The launcher's arguments; those after the checkpoint are the keywords of `open_slide`."""
    parser = argparse.ArgumentParser(prog="napari-spatia open", description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--checkpoint")
    for name in SLIDE_PARTS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float if name == "um_per_px" else str)
    return parser.parse_args(arguments)


def start(
    slide: Path | None, checkpoint: str | None, parts: dict[str, Any], sidecar: Path | None = None
) -> "napari.viewer.Viewer":
    """A napari window with the docks; the slide and the checkpoint are loaded behind it."""
    viewer = napari.Viewer(title="napari-spatia")
    slides = hosts_for(viewer, sidecar=sidecar).slides
    viewer.window.resize(*_on_screen(WINDOW_PX))
    show_docks(viewer)
    if slide is not None:
        slides.open(slide, **parts)
    if checkpoint is not None:
        slides.front.load_checkpoint(checkpoint)
    return viewer


def _on_screen(size_px: tuple[int, int]) -> tuple[int, int]:
    """As much of a size as there is room for on the screen, beside the desktop's own bars."""
    screen = QGuiApplication.primaryScreen()
    if screen is None:
        return size_px
    room = screen.availableSize()
    return min(size_px[0], room.width()), min(size_px[1], room.height())


def main(arguments: Sequence[str] | None = None) -> None:
    """Open the window and leave it to the person."""
    asked = parse(arguments)
    parts = {name: getattr(asked, name) for name in SLIDE_PARTS if getattr(asked, name) is not None}
    start(asked.slide, asked.checkpoint, parts)
    napari.run()


if __name__ == "__main__":
    main()
