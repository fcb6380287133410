"""Outlines of cells and nuclei as polygons, for drawing those of a few cells at once.

The polygons of a store lie in one compressed file that can only be read whole. Read once, part by part, they are kept
in the cache folder as plain arrays, which are mapped and not read: those of any cells then come at once. They are found
again by the shapes' file (path, time, size), the placement and the cells; changed ones are read anew.
Letters: N cells, K points.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyarrow import parquet

from napari_spatia.data.elements import SlideStore, damage_named, open_store
from napari_spatia.data.ngff import Placement
from napari_spatia.data.outlines import rows_of_cells, shapes_placement
from napari_spatia.data.rasterize import cache_folder
from napari_spatia.data.shapes import shapes_file
from napari_spatia.data.slide import Slide
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, part, silent

_VERSION = 1
_POLYGONS_AT_ONCE = 1_000
"""Polygons are made while nothing else of the program runs: so many take some 20 ms."""
_FEWEST = 0.5
"""An element that names a smaller share of the slide's cells, or lies around fewer of their centres, is of others."""
_SAMPLED_CELLS = 500


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Outlines of one shapes element: ``yx`` `(K, 2)` float32 µm are closed rings with a NaN after each.

    Those of cell i are ``length[i]`` points from ``start[i]``, both `(N,)` int64; a cell may have none.
    """

    name: str
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    yx: NDArray[np.float32]

    def read(self, cells: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """The outlines `(k, 2)` of some cells (rows), and which cell each of their points belongs to `(k,)`."""
        length = np.asarray(self.length[cells])
        points = np.repeat(self.start[cells] - np.cumsum(length) + length, length) + np.arange(length.sum())
        return np.asarray(self.yx[points]), np.repeat(cells, length)


def open_boundaries(slide: Slide, progress: Progress = silent) -> tuple[Boundaries, ...]:
    """The outlines of all shapes elements that hold the slide's cells: of cells, of nuclei; none without any."""
    store = open_store(slide.path)
    names = store.names("shapes")
    found = []
    with damage_named(slide.path, "the shapes"):
        for number, name in enumerate(names):
            placement = shapes_placement(store, name, slide)
            if placement is not None:
                told = part(progress, number / len(names), (number + 1) / len(names))
                found.append(_open_element(store, name, slide, placement, told))
    return tuple(boundaries for boundaries in found if boundaries.length.any())


def _open_element(store: SlideStore, name: str, slide: Slide, placement: Placement, progress: Progress) -> Boundaries:
    """One element from the cache, or read now; no cell has points where it does not hold the slide's cells."""
    folder = cache_folder() / "boundaries" / _key(store, name, slide, placement)
    if not folder.is_dir():
        with staged_folder(folder) as staged:
            _read_element(store, name, slide, placement, staged, progress)
    start, length = (np.load(folder / f"{array}.npy", mmap_mode="r") for array in ("start", "length"))
    return Boundaries(name, start, length, _points(folder))


def _points(folder: Path) -> NDArray[np.float32]:
    """`(K, 2)` of a folder of the cache; an empty file cannot be mapped."""
    file = folder / "yx.float32"
    flat = np.memmap(file, np.float32, "r") if file.stat().st_size else np.zeros(0, np.float32)
    return flat.reshape(-1, 2)


def _key(store: SlideStore, name: str, slide: Slide, placement: Placement) -> str:
    file = shapes_file(store, name)
    stat = file.stat()
    cells = hashlib.sha256(slide.instance_id.tobytes() + slide.cell_id.tobytes())
    facts = (_VERSION, str(file.resolve()), stat.st_mtime_ns, stat.st_size, placement, cells.hexdigest())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _read_element(
    store: SlideStore, name: str, slide: Slide, placement: Placement, folder: Path, progress: Progress
) -> None:
    """Write ``start``, ``length`` and ``yx`` of `Boundaries`; no points of circles, or of what is not the cells."""
    doing = f"reading polygons '{name}'"
    progress(0.0, doing)
    start = length = np.zeros(slide.num_cells, np.int64)
    file = parquet.ParquetFile(shapes_file(store, name))
    rows = np.full(slide.num_cells, -1)
    if "radius" not in file.schema_arrow.names:
        rows = rows_of_cells(pd.read_parquet(shapes_file(store, name), columns=[]).index, store, slide)
    cells = np.flatnonzero(rows >= 0)
    with (folder / "yx.float32").open("wb") as out:
        if len(cells) >= _FEWEST * slide.num_cells:
            of_row = _write_points(file, placement, out, lambda done: progress(done, doing))
            end = np.cumsum(of_row)
            start, length = (np.where(rows >= 0, values[rows], 0) for values in (end - of_row, of_row))
    if not _lie_around(Boundaries(name, start, length, _points(folder)), cells, slide.centers_um):
        start = length = np.zeros(slide.num_cells, np.int64)
    np.save(folder / "start.npy", start)
    np.save(folder / "length.npy", length)


def _write_points(
    file: parquet.ParquetFile, placement: Placement, out: BinaryIO, done: Callable[[float], None]
) -> NDArray[np.int64]:
    """Write the rings of all polygons of a file; how many points each polygon has, its NaN counted `(rows,)`."""
    of_row = []
    for batch in file.iter_batches(_POLYGONS_AT_ONCE, columns=["geometry"]):
        polygons = shapely.from_wkb(batch.column(0).to_numpy(zero_copy_only=False))
        parts, of_polygon = shapely.get_parts(polygons, return_index=True)
        rings, of_part = shapely.get_rings(parts, return_index=True)
        xy, of_ring = shapely.get_coordinates(rings, return_index=True)
        yx = np.full((len(xy) + len(rings), 2), np.nan, np.float32)
        yx[np.arange(len(xy)) + of_ring] = placement.apply(xy[:, ::-1])
        yx.tofile(out)
        points = shapely.get_num_coordinates(rings) + 1
        of_row.append(np.bincount(of_polygon[of_part], points, minlength=len(polygons)).astype(np.int64))
        done(len(of_row) * _POLYGONS_AT_ONCE / max(file.metadata.num_rows, 1))
    return np.concatenate(of_row)


def _lie_around(boundaries: Boundaries, cells: NDArray[np.intp], centers_um: NDArray[np.float64]) -> bool:
    """Whether most cells of a sample have their centre within the bounds of their outline."""
    sample = cells[np.linspace(0, len(cells) - 1, min(len(cells), _SAMPLED_CELLS)).astype(int)]
    yx, of_cell = boundaries.read(sample)
    yx, of_cell = yx[np.isfinite(yx[:, 0])], of_cell[np.isfinite(yx[:, 0])]
    if not len(yx):
        return False
    first = np.flatnonzero(np.diff(of_cell, prepend=-1))
    low, high = np.minimum.reduceat(yx, first), np.maximum.reduceat(yx, first)
    centers = centers_um[of_cell[first]]
    return bool(((centers >= low) & (centers <= high)).all(axis=1).mean() >= _FEWEST)
