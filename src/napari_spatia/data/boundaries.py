"""Outlines of cells and nuclei as polygons, for drawing those of a few cells at once.

The polygons of a store lie in one compressed file that can only be read whole. Read once, they are kept in the cache
folder as plain arrays by cell, which are mapped and not read: those of any cells then come at once. They are found
again by the shapes' file (path, time, size), the placement and the cells; changed ones are read anew.
Letters: N cells, K points.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_spatia.data.elements import SlideStore, damage_named, open_store
from napari_spatia.data.ngff import Placement
from napari_spatia.data.outlines import lie_around, rows_of_cells, shapes_placement
from napari_spatia.data.rasterize import cache_folder
from napari_spatia.data.shapes import outlines, read_shapes, shapes_file
from napari_spatia.data.slide import Slide
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, silent

_VERSION = 1
_FEWEST = 0.5
"""An element in which a smaller share of the slide's cells is named holds something else."""


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Outlines of one shapes element: ``yx`` `(K, 2)` float32 µm are closed rings with a NaN after each.

    Those of cell i are ``yx[first[i]:first[i + 1]]``, ``first`` `(N + 1,)` int64; a cell may have none.
    """

    name: str
    first: NDArray[np.int64]
    yx: NDArray[np.float32]

    def read(self, cells: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """The outlines `(k, 2)` of some cells (rows), and which cell each of their points belongs to `(k,)`."""
        lengths = self.first[cells + 1] - self.first[cells]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        points = np.repeat(self.first[cells] - (ends - lengths), lengths) + np.arange(total)
        return np.asarray(self.yx[points]), np.repeat(cells, lengths)


def open_boundaries(slide: Slide, progress: Progress = silent) -> tuple[Boundaries, ...]:
    """The outlines of all shapes elements that hold the slide's cells: of cells, of nuclei; none without any."""
    store = open_store(slide.path)
    names = store.names("shapes")
    found = []
    with damage_named(slide.path, "the shapes"):
        for number, name in enumerate(names):
            progress(number / len(names), f"reading polygons '{name}'")
            placement = shapes_placement(store, name, slide)
            if placement is not None:
                found.append(_open_element(store, name, slide, placement))
    return tuple(boundaries for boundaries in found if len(boundaries.yx))


def _open_element(store: SlideStore, name: str, slide: Slide, placement: Placement) -> Boundaries:
    """One element from the cache, or read now; without points where it does not hold the slide's cells."""
    folder = cache_folder() / "boundaries" / _key(store, name, slide, placement)
    if not folder.is_dir():
        first, yx = _read_element(store, name, slide, placement)
        with staged_folder(folder) as staged:
            np.save(staged / "first.npy", first)
            np.save(staged / "yx.npy", yx)
    first, yx = (np.load(folder / f"{array}.npy", mmap_mode="r") for array in ("first", "yx"))
    return Boundaries(name, first, yx)


def _key(store: SlideStore, name: str, slide: Slide, placement: Placement) -> str:
    file: Path = shapes_file(store, name)
    stat = file.stat()
    cells = hashlib.sha256(slide.instance_id.tobytes())
    cells.update("\n".join(slide.cell_id.tolist()).encode())
    facts = (_VERSION, str(file.resolve()), stat.st_mtime_ns, stat.st_size, placement, cells.hexdigest())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _read_element(
    store: SlideStore, name: str, slide: Slide, placement: Placement
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """``first`` and ``yx`` of `Boundaries`; no points where the element is of circles, or of something else."""
    nothing = np.zeros(slide.num_cells + 1, np.int64), np.zeros((0, 2), np.float32)
    frame = read_shapes(store, name)
    if "radius" in frame:
        return nothing
    rows = rows_of_cells(frame, store, slide)
    cells = np.flatnonzero(rows >= 0)
    if len(cells) < _FEWEST * slide.num_cells:
        return nothing
    polygons = outlines(frame.iloc[rows[cells]], placement)
    if not lie_around(polygons, slide.centers_um[cells]):
        return nothing
    parts, of_polygon = shapely.get_parts(polygons, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    yx = np.full((len(xy) + len(rings), 2), np.nan, np.float32)
    yx[np.arange(len(xy)) + of_ring] = xy[:, ::-1]
    points = shapely.get_num_coordinates(rings) + 1
    of_cell = np.bincount(cells[of_polygon[of_part]], points, minlength=slide.num_cells)
    return np.concatenate([[0], np.cumsum(of_cell)]).astype(np.int64), yx
