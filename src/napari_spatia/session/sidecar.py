"""Files that belong to a slide but must stay out of its store: a folder beside it, or the person's own data folder."""

import hashlib
import os
from pathlib import Path

import platformdirs


def sidecar_folder(slide_path: Path) -> Path:
    """``.<slide>.spatia`` beside the slide, or a folder of the person's own where the slide's folder is read-only.

    The folder is not made here. The same slide always gets the same one as long as its folder's rights stay the same.
    """
    slide_path = slide_path.resolve()
    beside = slide_path.parent / f".{slide_path.name}.spatia"
    if os.access(beside if beside.exists() else slide_path.parent, os.W_OK):
        return beside
    digest = hashlib.sha256(str(slide_path).encode()).hexdigest()[:12]
    return platformdirs.user_data_path("napari-spatia") / "slides" / f"{slide_path.stem}-{digest}"
