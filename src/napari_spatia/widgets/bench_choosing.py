"""How long it takes to choose and annotate a tenth of a large slide, and to paint all of it as a map.

``python -m napari_spatia.widgets.bench_choosing [--cells 1000000] [--repeats 5]`` prints one JSON line of medians in
ms. Run by hand; no display is needed.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data.panel import Panel
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.session.backend import InferenceBackend
from napari_spatia.session.colour import dim_others
from napari_spatia.session.scatter import Ink, Plot, Window, draw
from napari_spatia.session.session import Session

SIDE_UM = 10_000.0
SHARE = 0.1
CORNERS = 400
NUM_TYPES = 12
MAP_PX = (420, 420)


class NoModel(InferenceBackend):
    """A slide in memory has no stored prediction."""

    def read_prediction(self, slide: Slide) -> None:
        return None


def make_slide(path: Path, num_cells: int) -> Slide:
    """A slide of cells without pixels, anywhere in a square."""
    rng = np.random.default_rng(0)
    cell_id = np.array([f"cell-{idx}" for idx in range(num_cells)])
    types = pd.Categorical([f"type {code}" for code in rng.integers(0, NUM_TYPES, num_cells)])
    blank = da.zeros((64, 64), dtype=np.uint8)
    um_per_px = SIDE_UM / 64
    return Slide(
        path=path, name=path.stem, coordinate_system="global", image_name="image", labels_name="labels",
        table_name="table", image=Raster((blank[None],), um_per_px), channels=("DAPI",),
        labels=Raster((blank,), um_per_px), cell_id=cell_id, instance_id=np.arange(1, num_cells + 1),
        centers_um=rng.uniform(0, SIDE_UM, (num_cells, 2)), counts=csr_matrix((num_cells, 1), dtype=np.float32),
        panel=Panel(("GENE",)), obs=pd.DataFrame({"cell_type": types}, index=cell_id),
    )  # fmt: skip


def wavy(center: float, radius: float) -> NDArray[np.float64]:
    """`(CORNERS, 2)` a closed line as a hand might draw it."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    reach = radius * (1 + 0.1 * np.sin(7 * turn))
    return center + np.stack([reach * np.sin(turn), reach * np.cos(turn)], axis=1)


def measure(num_cells: int, repeats: int, folder: Path) -> dict[str, float]:
    """Medians in ms, and how many cells were chosen each way."""
    session = Session(backend=NoModel(), sidecar=folder)
    session.show(make_slide(folder / "large.zarr", num_cells))
    points = np.random.default_rng(1).normal(size=(num_cells, 2)).astype(np.float32)
    session.state.plot = Plot("obsm:X_large", "X_large", points)
    on_slide, on_map = wavy(SIDE_UM / 2, SIDE_UM * np.sqrt(SHARE / np.pi)), wavy(0.0, np.sqrt(-2 * np.log(1 - SHARE)))
    found: dict[str, float] = {"cells": num_cells}

    def took(name: str, call: Callable[[], object], times: int = repeats) -> None:
        found[f"{name}_ms"] = round(statistics.median(_timed(call) for _ in range(times)), 1)

    took("choose_in_plot", lambda: session.choose_in_plot(on_map))
    found["chosen_in_plot"] = 0 if session.state.chosen is None else len(session.state.chosen)
    took("choose_inside", lambda: session.choose_inside(on_slide))
    found["chosen_inside"] = 0 if session.state.chosen is None else len(session.state.chosen)
    lookup, chosen = session.state.lookup, session.state.chosen
    assert lookup is not None
    index = session.opened.index
    took("overlay_table", lambda: index.table(dim_others(lookup.rgba, chosen)))
    took("ink", lambda: Ink.of(lookup.rgba))
    ink, window = Ink.of(lookup.rgba), Window.around(points, MAP_PX)
    took("map", lambda: draw(points, ink, None, window))
    took("map_with_choice", lambda: draw(points, ink, chosen, window))
    session.add_class("class", (255, 0, 0))
    took("annotate", lambda: session.annotate_chosen("class"), 1)
    took("undo", session.undo_annotation, 1)
    return found


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(asked.cells, asked.repeats, Path(folder))))


if __name__ == "__main__":
    main()
