"""What a run leaves to look at: its log, one JSON object a line, pictures drawn over time, and a report page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_spatia.data.picture import composite, display_limits
from napari_spatia.files import staged_file
from napari_spatia.train.report import report_html

SAMPLES = "samples"
FRAME = ((1, 1), (1, 1), (0, 0))
"""White pixels around each cell."""


class Log:
    """Appends to ``log.jsonl`` in ``folder``; a resumed run drops what came after its state, then appends.

    ``facts`` are what the report says of the run, in tables by their headings. With ``silent``, as in all but the first
    of several processes, nothing is written.
    """

    def __init__(
        self,
        folder: Path,
        channels: tuple[str, ...],
        facts: dict[str, dict[str, Any]],
        keep: int = 0,
        silent: bool = False,
    ):
        self.folder, self.channels, self.facts, self.silent = folder, channels, facts, silent
        self.path = folder / "log.jsonl"
        kept = self.path.read_text().splitlines()[:keep] if self.path.exists() else []
        self.num_lines = len(kept)
        if not silent:
            (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(line + "\n" for line in kept))

    def add(self, **entry: Any) -> None:
        self.num_lines += 1
        if not self.silent:
            with self.path.open("a") as file:
                file.write(json.dumps(entry) + "\n")

    def show(self, stage: str, step: int, real: NDArray[np.float32], drawn: NDArray[np.float32]) -> None:
        """Keeps a row of cells `(n, C, H, W)` as a picture, and beside it the real ones, in the same colours."""
        if self.silent:
            return
        limits = display_limits(real)
        for name, cells in ((f"{stage}-real", real), (f"{stage}-{step:07d}", drawn)):
            framed = (np.pad(composite(cell, self.channels, limits), FRAME, constant_values=255) for cell in cells)
            row = np.concatenate(list(framed), axis=1)
            Image.fromarray(row).save(self.folder / SAMPLES / f"{name}.png")

    def write_report(self, status: str) -> None:
        """``curves.png`` and ``report.html``, as the run stands."""
        if self.silent:
            return
        entries = [json.loads(line) for line in self.path.read_text().splitlines()]
        draw_curves(entries, self.folder / "curves.png")
        page = report_html(self.folder, status, entries, self.channels, self.facts)
        with staged_file(self.folder / "report.html") as staged:
            staged.write_text(page, encoding="utf-8")


def draw_curves(entries: list[dict[str, Any]], picture: Path) -> None:
    """Losses and validation scores against the step, one row a stage, as PNG."""
    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(entry["stage"] for entry in entries if "step" in entry))
    figure = Figure(figsize=(10, 3.2 * max(1, len(stages))), layout="constrained")
    axes = figure.subplots(max(1, len(stages)), 2, squeeze=False)
    for row, stage in zip(axes, stages, strict=True):
        for axis, kind in zip(row, ("loss", "held_out"), strict=True):
            for name in sorted({n for e in entries if e["stage"] == stage for n in e.get(kind, {})}):
                points = [
                    (e["step"], e[kind][name]) for e in entries if e["stage"] == stage and name in e.get(kind, {})
                ]
                axis.plot(*zip(*points, strict=True), label=name, linewidth=1.2, marker="." if len(points) < 20 else "")
            axis.set(title=f"{stage}: {kind.replace('_', '-')}", xlabel="step")
            axis.grid(alpha=0.3)
            axis.ticklabel_format(useOffset=False)
            if axis.lines:
                axis.legend(fontsize=7)
    figure.savefig(picture, dpi=120)
