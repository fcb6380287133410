"""From a slider's move to the new picture on screen, through the real dock of the real window.

Sliders are dragged through random places, 30 moves a second whether or not their pictures are there (`Driver`). While a
slider moves, pictures are drawn in few passes; when it is let go the time until the picture in all its passes is on
screen is measured too, and the memory that all moves leave. The last picture is drawn again by ``napari-spatia
perturb`` from the window's recipe, and compared bit for bit. Beside the times stand those of the same edits without a
window, and of the products of one pass at the machine's rate (`benchmark.timing`, right after).

``python -m napari_spatia.widgets.bench_live [SLIDE] [--checkpoint NAME] [--moves 200]`` prints one JSON line.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.errors import SpatiaError
from napari_spatia.widgets.driving import MB, MOVE_EVERY_S, Driver, Watchdog, median_and_p95, resident_mb
from napari_spatia.widgets.launch import start

CELLS_TRIED, DRAG_MOVES = 10, 10
HAND_S = 0.3
"""A hand's way from one slider to the next."""
SIMULATED_CELLS, SIMULATED_SEED = 600, 4207
DEFAULT_CHECKPOINT = "sim-small"


def measure(slide: Path, checkpoint: str, num_moves: int, seed: int) -> dict[str, Any]:
    """Random moves of random sliders on `CELLS_TRIED` cells; times in ms.

    ``memory_growth_mb`` is what all that follows the first cell's moves leaves in memory, how much of that came while
    sliders moved and while the other cells were selected, and how much is pixels of the slide that were read for them.
    """
    rng = np.random.default_rng(seed)
    driver = Driver(start(slide, checkpoint, {}))
    driver.ready()
    session = driver.session
    times: list[float] = []
    rests: list[float] = []
    passes: set[int] = set()
    blocked = 0.0
    selected_mb: list[float] = []
    moved_mb: list[float] = []
    pixels_mb: list[float] = []
    for cell_idx in rng.choice(session.slide.num_cells, CELLS_TRIED, replace=False):
        session.select_cell(str(session.slide.cell_id[cell_idx]))
        driver.picture_rests()
        driver.settle(0.2)
        selected_mb.append(resident_mb())
        wanted = -(-num_moves // CELLS_TRIED)
        with Watchdog() as watchdog:
            done = 0
            while done < wanted:  # a place where a slider already is moves nothing
                rows = list(driver.cell_dock.sliders.rows.values())
                row = rows[int(rng.integers(len(rows)))]
                moved = driver.drag_slider(row.slider, rng.uniform(-4, 4, min(DRAG_MOVES, wanted - done)).tolist())
                let_go = time.perf_counter()
                shown = session.state.counterfactual
                passes |= {shown.nfe} if shown is not None else set()
                driver.picture_rests()
                rests.append(1000 * (time.perf_counter() - let_go))
                driver.settle(HAND_S)
                times += moved
                done += len(moved)
        blocked = max(blocked, watchdog.longest_ms)
        moved_mb.append(resident_mb())
        assert session.state.pixels is not None, "a slide is open"
        pixels_mb.append(session.state.pixels.kept.num_bytes / MB)
    grown = moved_mb[-1] - moved_mb[0]
    by_moves = sum(moved_mb[1:]) - sum(selected_mb[1:])
    p50, p95 = median_and_p95(times)
    shown = session.state.counterfactual
    is_replayed = replayed(driver)
    driver.close()
    return {
        "measure": "slider move to new picture on screen",
        "moves_a_second": round(1 / MOVE_EVERY_S),
        "slide": slide.name,
        "checkpoint": checkpoint,
        "device": session.state.device,
        "nfe": sorted(passes),
        "nfe_at_rest": None if shown is None else shown.nfe,
        "moves": len(times),
        "p50_ms": p50,
        "p95_ms": p95,
        "max_ms": round(max(times), 1),
        "let_go_to_rest_ms": dict(zip(("p50", "p95"), median_and_p95(rests), strict=True)),
        "longest_gui_block_ms": round(blocked, 1),
        "memory_growth_mb": {
            "all": round(grown, 1),
            "moves": round(by_moves, 1),
            "cells": round(grown - by_moves, 1),
            "slide_pixels": round(pixels_mb[-1] - pixels_mb[0], 1),
        },
        "perturb_draws_the_last_picture": is_replayed,
        "cpus": os.cpu_count(),
    }


def replayed(driver: Driver) -> bool:
    """Whether ``napari-spatia perturb`` draws the picture that is on screen, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.json"
        driver.session.keep_recipe(recipe)
        driver.until(recipe.exists, "writing the recipe")
        said = answer_of("napari_spatia", "perturb", "--recipe", str(recipe), "--out", folder, "--json")
    return bool(said["identical_to_recipe"])


def without_window(slide: Path, checkpoint: str) -> dict[str, Any]:
    """What the machine can do, and what an edit takes there with nothing else to do; times in ms."""
    asked = ("--checkpoint", checkpoint, "--precision", "auto", "--cells", str(CELLS_TRIED))
    said = answer_of("napari_spatia.benchmark.timing", str(slide), *asked)
    return {
        "precision": said["precision"],
        "float32_matmul_gflops": round(said["matmul_gflops"], 1),
        "gflop_per_preview": round(said["preview_gflop"], 2),
        "edit_without_window_ms": {name: round(ms, 1) for name, ms in said["edit"].items()},
    }


def answer_of(*command: str) -> dict[str, Any]:
    """The JSON in the last line of a module's output. Raises `SpatiaError` with its message when it fails."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    if done.returncode:
        raise SpatiaError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    """Measure, print one JSON line, and leave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?", help="a slide; a simulated tissue by default")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slide = asked.slide
        if slide is None:
            slide = Path(folder) / "tissue.zarr"
            simulate_slide(slide, num_cells=SIMULATED_CELLS, seed=SIMULATED_SEED)
        try:
            found = measure(slide, asked.checkpoint, asked.moves, asked.seed)
            found |= without_window(slide, asked.checkpoint)
        except SpatiaError as error:
            print(error, file=sys.stderr)
            return 1
    QApplication.processEvents()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
