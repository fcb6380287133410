"""Opening, colouring and looking around a large slide, through the real window; one JSON line.

    python -m napari_spatia.widgets.bench_viewer SLIDE [--repeats 30]

Each time runs from the request to the end of the first frame that shows its outcome; that of a pan or zoom also to the
frame that shows all in its own level, where other pixels stood in for those that were still read.
``longest_gui_block_ms`` is the longest time for which the window did not answer in that step. ``make bench-viewer``
makes slides of several sizes (`benchmark.grid_slide`), runs this on each and the peers on one
(``scripts/bench_viewer``).
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.widgets.driving import Driver, Watchdog, median_and_p95, resident_mb
from napari_spatia.widgets.launch import start

WINDOW_PX = (1920, 1100)
ZOOMS_UM = (2000.0, 400.0, 100.0)
"""Widths of slide on screen at which panning, hovering and clicking are timed, besides the whole slide."""


class ViewerBenchmark:
    """One window and the times of what is done in it."""

    def __init__(self, sidecar: Path, repeats: int, seed: int = 0) -> None:
        self.driver = Driver(start(None, None, {}, sidecar))
        self.driver.viewer.window.resize(*WINDOW_PX)
        self.driver.settle(1.0)
        self.repeats, self.rng = repeats, np.random.default_rng(seed)
        self.frames, self._asked_for = 0, 0
        events = self.driver.session.state.events
        for event in (events.opening, events.slide, events.lookup, events.chosen):
            event.connect(self._ask)  # after the view, so its layers have changed
        self.driver.viewer.layers.events.inserted.connect(self._follow)
        self.driver.vispy_canvas.events.draw.connect(self._count, position="last")
        self.bare_mb = resident_mb()
        self.found: dict[str, dict[str, Any]] = {}

    def _count(self, event: Any) -> None:
        self.frames += 1

    def _follow(self, event: Any) -> None:
        self._ask()
        event.value.events.set_data.connect(self._ask)

    def _ask(self, *_: Any) -> None:
        self._asked_for = self.frames + 1

    def open(self, path: Path) -> None:
        """From the request to the slide's pixels, and to its cells coloured by a gene."""
        session, state = self.driver.session, self.driver.session.state
        with Watchdog() as watchdog:
            began = time.perf_counter()
            session.open(path)
            self._until_shown(lambda: len(self.driver.viewer.layers) > 0, "opening")
            pixels_ms = 1000 * (time.perf_counter() - began)
            self.driver.until(lambda: state.slide is not None, "reading the cells")
            self._colour("gene:" + session.slide.panel.genes[0])
            coloured_ms = 1000 * (time.perf_counter() - began)
        self._note("open to pixels", [pixels_ms], watchdog)
        self._note("open to cells coloured by a gene", [coloured_ms], watchdog)
        self.driver.settle(2.0)

    def recolour(self) -> None:
        """By genes that were not looked at yet, by the same again, by a category, and with one category hidden."""
        session = self.driver.session
        genes = session.slide.panel.genes
        some = self.rng.choice(np.arange(1, len(genes)), min(self.repeats, len(genes) - 1), replace=False)
        keys = [f"gene:{genes[idx]}" for idx in some]
        for step in ("recolour by a gene, first touch", "recolour by a gene, warm"):
            self._time(step, [partial(self._colour, key) for key in keys])
        column = next(c.key for c in session.colour_choices() if c.key.startswith("obs:") and "type" in c.key)
        keys_in_turn = [column, keys[0]] * self.repeats
        times, watchdog = self._times([partial(self._colour, key) for key in keys_in_turn])
        self._note("recolour by a category", times[::2], watchdog)
        self._colour(column)
        lookup = session.state.lookup
        assert lookup is not None and lookup.legend, "a category is on screen"
        name = lookup.legend[0].name
        turns = [partial(self._show_category, name, bool(turn % 2)) for turn in range(self.repeats)]
        self._time("hide or show one category", turns)

    def look_around(self) -> None:
        """Pans and zooms by the camera with the overlay on."""
        y0, x0, y1, x1 = self.driver.session.slide.image.extent_um
        for width_um in (x1 - x0, *(width for width in ZOOMS_UM if width < x1 - x0)):
            self.driver.look_at((y0 + y1) / 2, (x0 + x1) / 2, width_um)
            moves: list[Callable[[], None]] = [partial(self._pan, width_um), self._zoom] * (self.repeats // 2)
            first: list[float] = []
            all_read, watchdog = self._times([partial(self._after, move, first) for move in moves])
            self._note(f"pan or zoom, {width_um:,.0f} µm wide", first, watchdog)
            self._note(f"pan or zoom, all read, {width_um:,.0f} µm wide", all_read, watchdog)

    def _pan(self, width_um: float) -> None:
        camera = self.driver.viewer.scene.camera
        _, y, x = camera.center
        y0, x0, y1, x1 = self.driver.session.slide.image.extent_um
        step = self.rng.uniform(-0.1, 0.1, 2) * width_um
        camera.center = (0.0, float(np.clip(y + step[0], y0, y1)), float(np.clip(x + step[1], x0, x1)))

    def _zoom(self) -> None:
        self.driver.viewer.scene.camera.zoom *= float(self.rng.uniform(0.9, 1.1))

    def click(self) -> None:
        """Real clicks on cells, from the press to the card on screen."""
        slide = self.driver.session.slide
        for width_um in ZOOMS_UM[1:]:
            times: list[float] = []
            with Watchdog() as watchdog:
                for cell_idx in self.rng.choice(slide.num_cells, self.repeats, replace=False):
                    y_um, x_um = (float(value) for value in slide.centers_um[cell_idx])
                    self.driver.look_at(y_um, x_um, width_um)
                    times.append(self._click(y_um, x_um))
            self._note(f"click to card, {width_um:,.0f} µm wide", times, watchdog)

    def _click(self, y_um: float, x_um: float) -> float:
        state, text = self.driver.session.state, self.driver.cell_dock.card
        wanted = self.driver.session.cell_at(y_um, x_um)
        self.driver.point_at(y_um, x_um)
        began = time.perf_counter()
        self.driver.press_here(y_um, x_um)
        self.driver.until(lambda: state.selected == wanted and str(wanted) in text.text(), "clicking", limit_s=20.0)
        return 1000 * (time.perf_counter() - began)

    def hover(self) -> None:
        """From the mouse at rest on a cell, the labels around it being in memory, to the card."""
        slide = self.driver.session.slide
        for width_um in ZOOMS_UM[1:]:
            cells = self.rng.choice(slide.num_cells, self.repeats, replace=False)
            places = [tuple(float(value) for value in slide.centers_um[cell_idx]) for cell_idx in cells]
            for y_um, x_um in places:
                self.driver.session.cell_at(y_um, x_um)
            self._time(f"hover to card, {width_um:,.0f} µm wide", [partial(self._hover, *place) for place in places])

    def _hover(self, y_um: float, x_um: float) -> None:
        session = self.driver.session
        wanted = session.cell_at(y_um, x_um)
        session.point_at(y_um, x_um)
        self.driver.until(
            lambda: session.state.hovered is not None and session.state.hovered.card.cell_id == wanted, "hovering"
        )

    def lasso(self) -> None:
        """About a tenth of the cells (100,000 of a million) within an outline of 200 corners, there and in the map."""
        session, slide = self.driver.session, self.driver.session.slide
        y0, x0, y1, x1 = slide.image.extent_um
        session.show_plot("obsm:X_umap")
        self.driver.until(lambda: session.state.plot is not None, "reading the map")
        plot = session.state.plot
        assert plot is not None, "a map is shown"
        middle, span = np.array([y0 + y1, x0 + x1]) / 2, min(y1 - y0, x1 - x0)
        on_slide = [middle + _round(span * math.sqrt(0.1 / math.pi))] * self.repeats
        spread = np.linalg.norm(plot.points - plot.points.mean(axis=0), axis=1)
        in_map = [plot.points.mean(axis=0) + _round(float(np.quantile(spread, 0.1)))] * self.repeats
        for where, verb, outlines in (
            ("slide", session.choose_inside, on_slide),
            ("map", session.choose_in_plot, in_map),
        ):
            calls = [partial(self._choose, verb, outline) for outline in outlines]
            self._time(f"lasso a tenth of the cells on the {where}", calls)
        session.choose_none()

    def _choose(self, verb: Callable[[NDArray[np.float64]], None], outline: NDArray[np.float64]) -> None:
        state = self.driver.session.state
        verb(outline)
        self._until_shown(lambda: state.chosen is not None, "choosing")

    # -- what is timed --------------------------------------------------------------------------------------------

    def _colour(self, key: str) -> None:
        session = self.driver.session
        session.colour_by(key)
        self._until_shown(lambda: session.state.lookup is not None and session.state.lookup.key == key, "colouring")

    def _show_category(self, name: str, shown: bool) -> None:
        session = self.driver.session
        session.show_category(name, shown)

        def painted() -> bool:
            rows = () if session.state.lookup is None else session.state.lookup.legend
            return any(row.name == name and row.shown == shown for row in rows)

        self._until_shown(painted, "hiding a category")

    def _after(self, change: Callable[[], None], first: list[float]) -> None:
        """Until all is shown; the time of the first frame goes into ``first``."""
        before, began = self.frames, time.perf_counter()
        change()
        self.driver.until(lambda: self.frames > before, "drawing a frame", limit_s=20.0)
        first.append(1000 * (time.perf_counter() - began))
        self._until_shown(lambda: True, "reading what a frame shows")

    def _until_shown(self, done: Callable[[], bool], doing: str) -> None:
        """Until ``done``, and a frame has been drawn since the slide or its colours changed or pixels were read."""
        driver = self.driver
        driver.until(lambda: done() and not driver.is_reading and self.frames >= self._asked_for, doing, limit_s=600.0)

    def _time(self, step: str, calls: Sequence[Callable[[], None]]) -> None:
        times, watchdog = self._times(calls)
        self._note(step, times, watchdog)

    def _times(self, calls: Sequence[Callable[[], None]]) -> tuple[list[float], Watchdog]:
        times = []
        with Watchdog() as watchdog:
            for call in calls:
                began = time.perf_counter()
                call()
                times.append(1000 * (time.perf_counter() - began))
                self.driver.settle(0.05)
        return times, watchdog

    def _note(self, step: str, times_ms: list[float], watchdog: Watchdog) -> None:
        p50, p95 = median_and_p95(times_ms)
        self.found[step] = {
            "p50_ms": p50,
            "p95_ms": p95,
            "max_ms": round(max(times_ms), 1),
            "times": len(times_ms),
            "longest_gui_block_ms": round(watchdog.longest_ms, 1),
        }


def _round(radius: float) -> NDArray[np.float64]:
    """`(200, 2)` corners around the origin."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    return radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def measure(slide: Path, repeats: int, seed: int = 0) -> dict[str, Any]:
    """All steps on one slide."""
    with tempfile.TemporaryDirectory() as folder:
        bench = ViewerBenchmark(Path(folder), repeats, seed)
        canvas = bench.driver.canvas
        bench.open(slide)
        for step in (bench.recolour, bench.look_around, bench.click, bench.hover, bench.lasso):
            step()
        found = {
            "viewer": "napari-spatia",
            "slide": slide.name,
            "cells": bench.driver.session.slide.num_cells,
            "canvas_px": [canvas.width(), canvas.height()],
            "cpus": os.cpu_count(),
            "steps": bench.found,
            "bare_mb": round(bench.bare_mb),
            "over_bare_mb": round(resident_mb() - bench.bare_mb),
        }
        bench.driver.close()
    return found


def main() -> int:
    """Measure, print one JSON line, and leave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    try:
        print(json.dumps(measure(asked.slide, asked.repeats, asked.seed)))
    except SpatiaError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
