"""Pictures of many cells, drawn from expression, niche and tissue alone, into one file."""

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_spatia.errors import CellError
from napari_spatia.files import staged_file
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.predictor import BoundSlide

CELLS_AT_ONCE = 512


def generate_to_npz(
    bound: "BoundSlide",
    out: str | Path,
    cells: Sequence[str] | None = None,
    samples: int = 1,
    nfe: int = 4,
    merge_ratio: float = 0.0,
    shuffle: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> Path:
    """Draws ``samples`` pictures of each of n cells (ids; None: every cell) into a ``.npz`` file.

    The file has ``cell_id`` `(n,)`, ``images`` `(n, samples, C, H, W)` float32 in the slide's intensity units,
    ``masks`` `(n, samples, H, W)` bool, ``channels`` `(C,)` and ``um_per_px``. Pictures go to disk as they are drawn,
    so memory does not grow with n; the file appears whole or not at all. A cell's pictures depend on (seed, cell id)
    only. ``shuffle`` gives each cell another cell's expression, the null row of a comparison. Raises `CellError` for
    an id that is not on the slide.
    """
    cell_idx = cell_rows(bound.slide.cell_id, cells)
    info, out = bound.predictor.info, Path(out)
    shape = (len(cell_idx), samples, len(info.channels), info.crop_px, info.crop_px)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as folder:
        staging = Path(folder)
        np.save(staging / "cell_id.npy", bound.slide.cell_id[cell_idx])
        np.save(staging / "channels.npy", np.array(info.channels))
        np.save(staging / "um_per_px.npy", np.float64(info.um_per_px))
        images = np.lib.format.open_memmap(staging / "images.npy", mode="w+", dtype=np.float32, shape=shape)
        masks = np.lib.format.open_memmap(staging / "masks.npy", mode="w+", dtype=bool, shape=shape[:2] + shape[3:])
        drawn_from = bound.shuffled(seed) if shuffle else bound
        for start in range(0, len(cell_idx), CELLS_AT_ONCE):
            stop = min(start + CELLS_AT_ONCE, len(cell_idx))
            span = part(progress, 0.95 * start / len(cell_idx), 0.95 * stop / len(cell_idx))
            drawn, mask = drawn_from.generate(
                cell_idx[start:stop],
                samples=samples,
                seed=seed,
                nfe=nfe,
                merge_ratio=merge_ratio,
                progress=span,
            )
            images[start:stop], masks[start:stop] = drawn, mask >= 0.5
        images.flush()
        masks.flush()
        del images, masks  # unmapped, so that the folder can be removed on Windows too
        progress(0.95, "packing pictures")
        _pack(staging, out)
    progress(1.0, "drawn")
    return out


def cell_rows(cell_id: np.ndarray, cells: Sequence[str] | None) -> np.ndarray:
    """`(n,)` rows of the named cells, in the order named; all rows for None. Raises `CellError` for an unknown id."""
    if cells is None:
        return np.arange(len(cell_id))
    row_of = {str(cell): row for row, cell in enumerate(cell_id)}
    unknown = [cell for cell in cells if cell not in row_of]
    if unknown or not len(cells):
        found = f"{len(unknown)} cells are not on the slide, such as '{unknown[0]}'" if unknown else "No cell was named"
        raise CellError(f"{found}. Expected ids of the table's index, such as '{cell_id[0]}' ({len(cell_id)} cells).")
    return np.array([row_of[cell] for cell in cells], np.intp)


def _pack(staging: Path, out: Path) -> None:
    """Puts the folder's ``.npy`` files into one uncompressed zip, which is what ``.npz`` is."""
    with staged_file(out) as packed, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for file in sorted(staging.glob("*.npy")):
            archive.write(file, file.name)
