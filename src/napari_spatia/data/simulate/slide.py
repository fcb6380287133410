"""Simulates a slide from nothing but a number of cells and a seed, and writes it as a SpatialData store."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.catalogue import CHANNELS, PANEL
from napari_spatia.data.simulate.drawing import Scene, draw_window
from napari_spatia.data.simulate.expression import draw_counts, draw_states, expected_counts
from napari_spatia.data.simulate.layout import map_tissue
from napari_spatia.data.simulate.noise import Field
from napari_spatia.data.simulate.outlines import Outlines, draw_plan, make_outlines, values_of
from napari_spatia.data.simulate.placement import Placement, place_cells
from napari_spatia.data.simulate.rules import RULE_GENES
from napari_spatia.errors import SlideError
from napari_spatia.progress import Progress, part, silent

DEFAULT_UM_PER_PX = 0.32
_TILE_PX = 512
_FEWEST_CELLS = 50
_MOST_ATTEMPTS, _NEXT_SEED = 8, 1_000_003


@dataclass(frozen=True, slots=True)
class SimulatedCells:
    """`N` cells before they are drawn: where they are, what they express, and the plan of each (`PLAN_COLUMNS`)."""

    placement: Placement
    states: Field
    counts: NDArray[np.float32]
    plan: Field
    scene: Scene

    @property
    def outlines(self) -> Outlines:
        return make_outlines(self.plan, values_of(self.counts[:, PANEL.indices(RULE_GENES)]))


@dataclass(frozen=True, slots=True)
class DrawnSlide:
    """``image`` `(C, Y, X)` uint16; ``labels`` `(Y, X)` int32, cell index + 1; ``nucleus_area_um2`` `(N,)`."""

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    nucleus_area_um2: Field


def simulate_slide(
    out_path: str | Path,
    *,
    num_cells: int = 2000,
    seed: int = 0,
    um_per_px: float = DEFAULT_UM_PER_PX,
    transcripts: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a simulated slide; the same arguments give the same slide.

    Parameters
    ----------
    out_path
        A SpatialData zarr that does not exist yet. It appears whole or not at all.
    num_cells
        Exact number of cells, at least 50; the slide is as large as they need.
    seed
        Any integer ≥ 0: another seed, another tissue with the same genes and the same rules. Where its tissue would
        hide a cell whole, another seed that follows from it is taken; the store names the one that was used.
    um_per_px
        Pixel edge, 0.1 to 1 µm.
    transcripts
        Also write a points element: each count at a random place inside its cell.
    overwrite
        Replace what is at ``out_path``.

    Returns
    -------
    Path
        ``out_path``. `load_simulation` opens the truth behind it.
    """
    from napari_spatia.data.simulate.write import write_slide

    out_path = Path(out_path)
    _check(out_path, num_cells, seed, um_per_px, overwrite)
    cells, drawn = _draw_all_cells(num_cells, seed, um_per_px, part(progress, 0.0, 0.7))
    write_slide(out_path, cells, drawn, transcripts, part(progress, 0.7, 1.0))
    progress(1.0, "slide written")
    return out_path


def _draw_all_cells(
    num_cells: int, seed: int, um_per_px: float, progress: Progress
) -> tuple[SimulatedCells, DrawnSlide]:
    """A slide on which every cell has a pixel: where neighbours cover one whole, another tissue is laid out."""
    for attempt in range(_MOST_ATTEMPTS):
        cells = simulate_cells(num_cells, seed + attempt * _NEXT_SEED, um_per_px, part(progress, 0.0, 0.15))
        drawn = draw_slide(cells, part(progress, 0.15, 1.0))
        if np.isin(np.arange(1, num_cells + 1), drawn.labels).all():
            return cells, drawn
    raise SlideError(
        f"No tissue of {num_cells} cells in {_MOST_ATTEMPTS} shows every cell (seed {seed}). Choose another seed."
    )


def _check(out_path: Path, num_cells: int, seed: int, um_per_px: float, overwrite: bool) -> None:
    if out_path.exists() and not overwrite:
        raise SlideError(f"'{out_path}' exists already. Name a new path, or remove it first.")
    if num_cells < _FEWEST_CELLS:
        raise SlideError(f"A simulated slide needs at least {_FEWEST_CELLS} cells; {num_cells} were asked for.")
    if seed < 0:
        raise SlideError(f"A seed is an integer ≥ 0; found {seed}.")
    if not 0.1 <= um_per_px <= 1.0:
        raise SlideError(f"Pixels of a simulated slide are 0.1 to 1 µm wide; found {um_per_px} µm.")


def simulate_cells(num_cells: int, seed: int, um_per_px: float, progress: Progress = silent) -> SimulatedCells:
    """Lay out the tissue, place the cells and draw their counts."""
    progress(0.0, "laying out the tissue")
    tissue = map_tissue(num_cells, seed)
    placement = place_cells(tissue, num_cells, seed, part(progress, 0.3, 0.9))
    states = draw_states(placement, seed)
    counts = draw_counts(expected_counts(placement, states, seed), seed)
    side = int(np.ceil(tissue.side_um / um_per_px))
    scene = Scene(np.rint(tissue.matrix * 255).astype(np.uint8), um_per_px, seed, (side, side))
    return SimulatedCells(placement, states, counts, draw_plan(placement, um_per_px, seed), scene)


def draw_slide(cells: SimulatedCells, progress: Progress = silent) -> DrawnSlide:
    """Draw every pixel, tile by tile."""
    scene, outlines = cells.scene, cells.outlines
    height, width = scene.shape_px
    image = np.zeros((len(CHANNELS), height, width), np.uint16)
    labels = np.zeros((height, width), np.int32)
    nucleus_px = np.zeros(len(cells.plan), np.int64)
    corners = [(y, x) for y in range(0, height, _TILE_PX) for x in range(0, width, _TILE_PX)]
    for number, (y, x) in enumerate(corners):
        progress(number / len(corners), "drawing cells")
        rows, columns = slice(y, min(y + _TILE_PX, height)), slice(x, min(x + _TILE_PX, width))
        tile = draw_window(scene, outlines, (y, x), (rows.stop - y, columns.stop - x))
        image[:, rows, columns] = tile.image
        labels[rows, columns] = tile.owner + 1
        nucleus_px += np.bincount(tile.owner[tile.nucleus], minlength=len(nucleus_px))
    return DrawnSlide(image, labels, nucleus_px.astype(np.float64) * scene.um_per_px**2)
