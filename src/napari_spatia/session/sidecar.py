"""Files that belong to a slide but must stay out of its store: a folder beside it, or the person's own data folder."""

import hashlib
import os
from pathlib import Path

import platformdirs

from napari_spatia.data.rasterize import cache_folder


def sidecar_folder(slide_path: Path) -> Path:
    """``.<slide>.spatia`` beside the slide, or a folder of the person's own where the slide's folder is read-only.

    The folder is not made here. The same slide always gets the same one as long as its folder's rights stay the same.
    """
    slide_path = slide_path.resolve()
    beside = folder_beside(slide_path)
    if may_write(beside):
        return beside
    digest = hashlib.sha256(str(slide_path).encode()).hexdigest()[:12]
    return platformdirs.user_data_path("napari-spatia") / "slides" / f"{slide_path.stem}-{digest}"


def pyramid_folder(slide_path: Path, sidecar: Path | None = None) -> Path:
    """Where coarser levels of a slide are kept: in its sidecar folder, or in the cache where that is read-only.

    ``sidecar`` is the folder that was asked for instead, if one was.
    """
    if sidecar is not None:
        return sidecar / "pyramids"
    beside = folder_beside(slide_path.resolve())
    return (beside if may_write(beside) else cache_folder()) / "pyramids"


def folder_beside(slide_path: Path) -> Path:
    """``.<slide>.spatia`` beside a slide, whether it is there or not."""
    return slide_path.parent / f".{slide_path.name}.spatia"


def may_write(folder: Path) -> bool:
    """Whether a folder may be written into, or made where it is not there yet."""
    place = folder if folder.exists() else folder.parent
    return os.access(place, os.W_OK) and bool(place.stat().st_mode & 0o222)
