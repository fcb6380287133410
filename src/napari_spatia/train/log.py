"""The log of a run: one JSON object a line, and a picture of the curves."""

import json
from pathlib import Path
from typing import Any


class Log:
    """Appends to ``log.jsonl``; a resumed run drops what came after its state, then appends."""

    def __init__(self, path: Path, keep: int = 0):
        self.path = path
        kept = path.read_text().splitlines()[:keep] if path.exists() else []
        path.write_text("".join(line + "\n" for line in kept))
        self.num_lines = len(kept)

    def add(self, **entry: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self.num_lines += 1

    def draw_curves(self, picture: Path) -> None:
        """Losses and validation scores against the step, one row a stage, as PNG."""
        from matplotlib.figure import Figure

        entries = [json.loads(line) for line in self.path.read_text().splitlines()]
        stages = list(dict.fromkeys(entry["stage"] for entry in entries))
        figure = Figure(figsize=(10, 3.2 * max(1, len(stages))), layout="constrained")
        axes = figure.subplots(max(1, len(stages)), 2, squeeze=False)
        for row, stage in zip(axes, stages, strict=True):
            for axis, kind in zip(row, ("loss", "held_out"), strict=True):
                for name in sorted({n for e in entries if e["stage"] == stage for n in e.get(kind, {})}):
                    points = [
                        (e["step"], e[kind][name]) for e in entries if e["stage"] == stage and name in e.get(kind, {})
                    ]
                    axis.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
                axis.set(title=f"{stage}: {kind.replace('_', '-')}", xlabel="step")
                axis.grid(alpha=0.3)
                if axis.lines:
                    axis.legend(fontsize=7)
        figure.savefig(picture, dpi=120)
