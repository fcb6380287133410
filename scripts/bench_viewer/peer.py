"""What the two peers of the viewer benchmark share: the window, the times, the watchdog, the JSON line.

It runs in a peer's own environment (napari, qtpy, numpy, psutil) and imports nothing of napari-spatia. The steps and
their names are those of ``python -m napari_spatia.widgets.bench_viewer``; a time runs from the request to the end of
the first frame that is drawn after the outcome is on the layers.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication, QWidget

WINDOW_PX = (1920, 1100)
ZOOMS_UM = (2000.0, 400.0, 100.0)
IMAGE, LABELS, TABLE, CATEGORY, COORDINATE_SYSTEM = "morphology", "cell_labels", "table", "cell_type", "global"
TICK_MS, MB = 10, 1 << 20


class GaveUp(Exception):
    """A step took longer than it may."""


class Peer:
    """A viewer under test: how its user opens a slide and colours its cells.

    Each verb asks by the peer's own widgets and returns when it has been asked for; what it asks for is on the layers
    once ``shown`` says so, at once where the peer works in the GUI thread.
    """

    package = ""
    viewer: napari.Viewer

    def prepare(self, viewer: napari.Viewer) -> None:
        """Show the docks that need no slide; not timed."""
        self.viewer = viewer

    def open_image(self, store: Path) -> None:
        """Read the store and ask for its image."""
        raise NotImplementedError

    def open_cells(self) -> None:
        """Ask for the cell labels."""
        raise NotImplementedError

    def colour_by_gene(self, gene: str) -> None:
        """Colour the cells by a gene of the table."""
        raise NotImplementedError

    def colour_by_category(self, column: str) -> None:
        """Colour the cells by a categorical column of the table."""
        raise NotImplementedError

    def shown(self, element: str) -> bool:
        """Whether the layer of an element is there."""
        return any(layer.name.startswith(element) for layer in self.viewer.layers)

    def more_steps(self) -> dict[str, Callable[[str], None]]:
        """Ways of the peer's own to show a gene that was shown before, by the name of the step."""
        return {}

    @property
    def table(self) -> Any:
        """The table of the slide, as the peer holds it."""
        raise NotImplementedError


class Watchdog:
    """Longest time for which the GUI thread did not answer, in ms."""

    EVERY_MS = 5

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.look)

    def __enter__(self) -> "Watchdog":
        self._last = time.perf_counter()
        self._timer.start(self.EVERY_MS)
        return self

    def __exit__(self, *_: Any) -> None:
        self._timer.stop()
        self.look()  # a block that lasted to the end

    def look(self) -> None:
        """Take note of the time since the last look."""
        now = time.perf_counter()
        self.longest_ms = max(self.longest_ms, (now - self._last) * 1e3 - self.EVERY_MS)
        self._last = now


class Limit:
    """Ends the process by ``leave`` when the GUI thread stays in one call for longer than it may."""

    def __init__(self, seconds: float, leave: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, leave)
        self._timer.daemon = True

    def __enter__(self) -> "Limit":
        self._timer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._timer.cancel()


class PeerBenchmark:
    """One window of a peer and the times of what is done in it."""

    def __init__(self, peer: Peer, asked: argparse.Namespace) -> None:
        self.peer, self.slide = peer, asked.slide
        self.repeats, self.moves, self.limit_s = asked.repeats, asked.moves, asked.limit_s
        self.rng = np.random.default_rng(asked.seed)
        self.viewer = napari.Viewer(title=peer.package)
        self.viewer.window.resize(*WINDOW_PX)
        self._tick = QTimer()
        self._tick.start(TICK_MS)
        peer.prepare(self.viewer)
        self._settle(1.0)
        window = self.viewer.window._qt_window  # napari has no public way to the canvas
        self.canvas = next(w for w in window.findChildren(QWidget) if type(w).__name__ == "CanvasBackendDesktop")
        self.frames, self._asked_for = 0, 0
        self.viewer.layers.events.inserted.connect(self._ask, position="last")
        self.canvas._vispy_canvas.events.draw.connect(self._count, position="last")
        self.bare_mb = _resident_mb()
        self.steps: dict[str, dict[str, Any]] = {}
        self.num_cells = 0
        self.stopped_at: str | None = None

    def _count(self, event: Any) -> None:
        self.frames += 1

    def _ask(self, event: Any = None) -> None:
        self._asked_for = self.frames + 1

    def run(self) -> None:
        """All steps; those after one that hung are not reached."""
        self.open()
        self.recolour()
        self.look_around()

    def open(self) -> None:
        """From the request to the slide's pixels, and to its cells coloured by a gene."""
        with Watchdog() as watchdog:
            began = time.perf_counter()
            with self._limit("open to pixels"):
                self.peer.open_image(self.slide)
                self._until(lambda: self.peer.shown(IMAGE) and self.frames >= self._asked_for)
                pixels_ms = 1000 * (time.perf_counter() - began)
            watchdog.look()
            self._note("open to pixels", [pixels_ms], watchdog)
            with self._limit("open to cells coloured by a gene"):
                self.peer.open_cells()
                self._until(lambda: self.peer.shown(LABELS))
                self._then_a_frame(partial(self.peer.colour_by_gene, self.peer.table.var_names[0]))
                coloured_ms = 1000 * (time.perf_counter() - began)
        self._note("open to cells coloured by a gene", [coloured_ms], watchdog)
        self.num_cells = int(self.peer.table.n_obs)
        self._settle(2.0)

    def recolour(self) -> None:
        """By genes that were not looked at yet, by the same again, and by a category."""
        names = list(self.peer.table.var_names)
        genes = [names[idx] for idx in self.rng.choice(np.arange(1, len(names)), self.repeats, replace=False)]
        seen = self._time(
            "recolour by a gene, first touch", [partial(self.peer.colour_by_gene, gene) for gene in genes]
        )
        genes = genes[:seen]
        self._time("recolour by a gene, warm", [partial(self.peer.colour_by_gene, gene) for gene in genes])
        if seen > 1:  # the only gene would be on screen already, and nothing be drawn
            for step, show in self.peer.more_steps().items():
                self.peer.colour_by_gene(genes[-1])
                self._settle(0.3)
                self._time(step, [partial(show, gene) for gene in genes])
        by_category = partial(self.peer.colour_by_category, CATEGORY)
        by_gene = partial(self.peer.colour_by_gene, genes[0])
        self._time("recolour by a category", [by_category, by_gene] * self.repeats, every=2)

    def look_around(self) -> None:
        """Pans and zooms by the camera, with the image and one labels layer on."""
        labels = [layer for layer in self.viewer.layers if layer.name.startswith(LABELS)]
        for layer in labels:
            layer.visible = layer is labels[-1]
        corners = np.asarray(labels[-1].extent.world)[:, -2:]
        whole_um = float(corners[1, 1] - corners[0, 1])
        camera, size = self.viewer.scene.camera, (self.canvas.width(), self.canvas.height())
        for width_um in (whole_um, *(width for width in ZOOMS_UM if width < whole_um - 1)):
            camera.zoom = size[0] / width_um
            camera.center = (0.0, *(float(value) for value in corners.mean(axis=0)))
            self._settle(0.3)
            moves = [partial(self._pan, width_um, corners), self._zoom] * (self.moves // 2)
            self._time(f"pan or zoom, {round(whole_um) if width_um == whole_um else width_um:,.0f} µm wide", moves)

    def _pan(self, width_um: float, corners: np.ndarray) -> None:
        camera = self.viewer.scene.camera
        step = self.rng.uniform(-0.1, 0.1, 2) * width_um
        y, x = np.clip(np.asarray(camera.center[-2:]) + step, *corners)
        camera.center = (0.0, float(y), float(x))

    def _zoom(self) -> None:
        self.viewer.scene.camera.zoom *= float(self.rng.uniform(0.9, 1.1))

    # -- what is timed --------------------------------------------------------------------------------------------

    def _time(self, step: str, calls: Sequence[Callable[[], None]], every: int = 1) -> int:
        """Time each call and note every ``every``-th, until the step has taken its time; how many calls were made."""
        times: list[float] = []
        gave_up = False
        step_began = time.perf_counter()
        with Watchdog() as watchdog:
            for call in calls:
                if gave_up := time.perf_counter() - step_began > self.limit_s:
                    break
                with self._limit(step):
                    began = time.perf_counter()
                    self._then_a_frame(call)
                    times.append(1000 * (time.perf_counter() - began))
                self._settle(0.05)
        self._note(step, times[::every], watchdog)
        if gave_up:
            self.steps[step]["gave_up"] = f"after {self.limit_s:g} s"
        return len(times)

    def _then_a_frame(self, ask: Callable[[], None]) -> None:
        """Ask for what the peer does before it returns, and wait for the end of the next frame."""
        ask()
        self._ask()
        self._until(lambda: self.frames >= self._asked_for)

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + self.limit_s
        while not done():
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.monotonic() > end:
                raise GaveUp(f"after {self.limit_s:g} s")

    def _settle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

    def _limit(self, step: str) -> Limit:
        self.stopped_at = step
        return Limit(1.5 * self.limit_s, self._leave)

    def _leave(self) -> None:
        """Say what was found so far and end; the GUI thread does not answer."""
        self.gave_up()
        print(json.dumps(self.found()), flush=True)
        os._exit(0)

    def gave_up(self) -> None:
        """Note that the step that is being timed did not end."""
        if self.stopped_at is not None:
            self.steps[self.stopped_at] = {"gave_up": f"after {self.limit_s:g} s"}

    def _note(self, step: str, times_ms: Sequence[float], watchdog: Watchdog) -> None:
        self.stopped_at = None
        self.steps[step] = {
            "p50_ms": round(statistics.median(times_ms), 1),
            "p95_ms": round(float(np.percentile(times_ms, 95)), 1),
            "max_ms": round(max(times_ms), 1),
            "times": len(times_ms),
            "longest_gui_block_ms": round(watchdog.longest_ms, 1),
        }

    def found(self) -> dict[str, Any]:
        """What was measured; ``stopped_at`` names a step that did not end, after which none was tried."""
        found: dict[str, Any] = {
            "viewer": self.peer.package,
            "version": version(self.peer.package),
            "napari": napari.__version__,
            "python": platform.python_version(),
            "slide": self.slide.name,
            "cells": self.num_cells,
            "canvas_px": [self.canvas.width(), self.canvas.height()],
            "cpus": os.cpu_count(),
            "steps": self.steps,
            "bare_mb": round(self.bare_mb),
            "over_bare_mb": round(_resident_mb() - self.bare_mb),
        }
        return found if self.stopped_at is None else {**found, "stopped_at": self.stopped_at}


def _resident_mb() -> float:
    return psutil.Process().memory_info().rss / MB


def main(peer: Peer) -> int:
    """Measure, print one JSON line, and leave."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--repeats", type=int, default=5, help="times that the cells are recoloured in each way")
    parser.add_argument("--moves", type=int, default=30, help="pans and zooms at each width")
    parser.add_argument("--limit-s", type=float, default=300.0, help="seconds after which a step gives up")
    parser.add_argument("--seed", type=int, default=0)
    bench = PeerBenchmark(peer, parser.parse_args())
    try:
        bench.run()
    except GaveUp:
        bench.gave_up()
    print(json.dumps(bench.found()), flush=True)
    # Neither peer stops its threads when its window closes; nothing is left to save.
    os._exit(0)
