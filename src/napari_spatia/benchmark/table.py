r"""The score table of the shipped models: runs the benchmarks, keeps each one's JSON, and writes the table.

    python -m napari_spatia.benchmark.table --real PANCREAS --real-checkpoint pancreas-small \
        --simulated SIMULATED --simulated-checkpoint sim-small --out docs/benchmark

A benchmark whose JSON lies in OUT already, made from the same weights, is read and not run again (--rerun does);
without a slide, what lies there is read as it is. The first checkpoint of a slide is the one that is shipped and has a
table of its own, with the benchmarks' intervals. Several checkpoints are seeds: a second table has their mean, and
their range as interval. Below stand what passes and merging cost (`sampling`, fewer cells), and where they lie in OUT
`few_steps.json`, the output of that benchmark, `guidance.json`, its output with several strengths of guidance, and
`ablations*.json`, the output of `ablations`, one file or several that have other seeds or rows.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_spatia.benchmark import sampling
from napari_spatia.benchmark.report import report_errors
from napari_spatia.benchmark.scores import FIVE, SPACES, Found, markdown
from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.inference.registry import find_checkpoint
from napari_spatia.model.checkpoint import load_checkpoint

FRECHET_CELLS = "5000"
FEW_CELLS = "600"
"""Cells that are drawn in every number of passes and at every ratio: 64 passes of `FRECHET_CELLS` take hours."""
AUTO = ("--precision", "auto")
PASSES_GUIDED = "4 passes"


@dataclass(frozen=True, slots=True)
class Run:
    """A benchmark module, the slide it needs ("real" or "simulated"), and its arguments.

    ``named`` tells two runs of one benchmark apart; else a run is named after its benchmark.
    """

    benchmark: str
    slide: str
    arguments: tuple[str, ...] = ()
    named: str | None = None

    @property
    def name(self) -> str:
        return self.named or self.benchmark


RUNS = (
    Run("condition_use", "real", ("--holdout", "--cells", "400", *AUTO)),
    Run(
        "sampling", "real",
        (
            "--holdout", "--cells", FRECHET_CELLS, "--passes", "4", "--merge-ratios", "0", "--training-cells", "6000",
            *AUTO, "--times", "3", "--cvae", "--cvae-steps", "1500",
        ),
    ),
    Run("sampling", "real", ("--holdout", "--cells", FEW_CELLS, *AUTO, "--times", "8"), named="passes"),
    Run(
        "sampling", "real",
        ("--holdout", "--cells", FEW_CELLS, "--passes", "1", "4", "--merge-ratios", "0", *AUTO, "--times", "8"),
        named="one_pass",
    ),
    Run("edit_check", "simulated", ("--cells", "40", *AUTO)),
    Run("niche_check", "simulated", ("--cells", "40", *AUTO)),
    Run(
        "natural_experiment", "real",
        ("--holdout", "--genes", "100", "--cells-per-gene", "24", "--samples", "1", *AUTO),
    ),
    Run("encoder_scores", "real", ("--part", "test", "--cells", FRECHET_CELLS)),
    Run("timing", "real", ("--cells", "40", *AUTO)),
)  # fmt: skip


def page(files: dict[str, list[Found]], others: dict[str, Found]) -> str:
    """Everything that is written; see the top of this file. ``others`` are found by name of `OTHERS`."""
    several = {name: found for name, found in files.items() if len(found) > 1}
    sections = [INTRODUCTION, _commands(files), markdown({name: found[:1] for name, found in files.items()})]
    if several:
        sections += [SEEDS, markdown(several, with_unmeasured=False)]
    if rows := files.get("passes"):
        sections += [PASSES.format(**rows[0]), sampling.markdown_table(rows[0])]
    if rows := files.get("one_pass"):
        sections += [ONE_PASS, sampling.markdown_table(rows[0])]
    for name, (heading, columns) in OTHERS.items():
        if (found := others.get(name)) is not None:
            shown = {row: values for row, values in found["rows"].items() if row != "real"}
            floor = {} if "real" not in found["rows"] else found["rows"]["real"]["frechet"]
            told = {"floor": FLOOR.format(**floor) if floor else ""} | found
            sections += [heading.format(**told), _rows(shown, columns)]
    return "\n".join(sections)


INTRODUCTION = """# Scores of the shipped models

Held-out cells of the test part of [the split](pancreas_split.json), and simulated tissue. "not measured" has not been
run for these weights. Written by `python -m napari_spatia.benchmark.table` from the JSON files beside it, each of which
names the command that made it:
"""
SEEDS = """## Training seeds

The shipped model and two that were trained from other seeds, each in one run of `train` of 45 minutes of a core, where
the shipped one was trained longer and in parts (its card says how); the value is their mean, the interval their range.
"""
PASSES = """## Passes and merging

One picture a cell of `{checkpoint}`, {cells} test cells against {compared_with} others; times are of one picture on one
thread. `real` is the floor: real cells against other real ones.
"""
ONE_PASS = """## One pass, by the small decoder

What a moving slider is drawn with. `1 passes` is the small decoder here; above, where the sampler was measured before
there was a small one, it is the large one.
"""
FLOOR = "Real cells are at {morphology:.3g} (morphology) and {texture:.3g} (texture) of others."
ABLATIONS = """## Ablations

Short trainings of the encoders ({image_steps} steps of the image encoder alone and {steps} of all, preset {preset}),
each without one thing, on the validation part: the mean over seeds {seeds}, and their range where there are several.
What a row is worth is its difference from `full`, if that is more than seeds differ by. `modality_dropout` lacks the
expected picture's objective too, which needs it; `image` cannot tell from the image, nor `genes` what is expected of
expression.

    {command}
"""
FEW_STEPS = """## Few-step objectives

Each goes on for the same minutes from the same decoder, `before` (with --fresh-minutes one that was trained for these,
by flow matching alone); {cells} cells of the validation part; Fréchet distances. {floor}

    {command}
"""
GUIDANCE = """## Guidance

Each goes on from `{checkpoint}` for the same minutes, with the velocity's dependence on the condition overstated by the
share in its name, which costs no pass; {cells} cells of the validation part, one picture each in 4 passes.
{floor}

    {command}
"""
ABLATION_COLUMNS: dict[str, tuple[str, ...]] = {
    "type": ("type",),
    "type, genes": ("type_genes",),
    "type, image": ("type_image",),
    "hidden genes": ("hidden_genes",),
    "R² of the expected picture": ("picture_r2",),
}
FEW_STEPS_COLUMNS: dict[str, tuple[str, ...]] = {
    f"{space}, {passes} passes": (f"{passes} passes", "frechet", space) for passes in (1, 2, 4, 8) for space in SPACES
} | {"steps": ("steps",)}
GUIDANCE_COLUMNS: dict[str, tuple[str, ...]] = (
    {f"Fréchet, {space}": (PASSES_GUIDED, "frechet", space) for space in SPACES}
    | {f"R² {name}": (PASSES_GUIDED, "condition_use", name, "value") for name in FIVE}
    | {"steps": ("steps",)}
)
"""Head of each column, and where its value stands in a row."""
OTHERS = {
    "ablations": (ABLATIONS, ABLATION_COLUMNS),
    "few_steps": (FEW_STEPS, FEW_STEPS_COLUMNS),
    "guidance": (GUIDANCE, GUIDANCE_COLUMNS),
}
"""Benchmarks whose rows are shown as they are, where their file lies there: its name, heading and columns."""


def _commands(files: dict[str, list[Found]]) -> str:
    lines = {found["command"]: None for several in files.values() for found in several[:1]}
    return "".join(f"    {line}\n" for line in lines)


def _rows(rows: dict[str, Found | list[Found]], columns: dict[str, tuple[str, ...]]) -> str:
    """A table with a column for each path into a row; empty where a row has no such value. A row of several seeds shows
    their mean and range.
    """
    lines = ["| row | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        seeds = row if isinstance(row, list) else [row]
        cells = [_cell([_at(seed, path) for seed in seeds]) for path in columns.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _at(row: Found, path: tuple[str, ...]) -> float | None:
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = f"{sum(known) / len(known):.3g}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.3g} – {max(known):.3g})"


def obtain(run: Run, slide: Path, checkpoint: str, out: Path, rerun: bool) -> Found:
    """What a benchmark found for a checkpoint: read from ``out``, or run in a process of its own and kept there."""
    folder = find_checkpoint(checkpoint)
    file = out / f"{folder.name}_{run.name}.json"
    if file.is_file() and not rerun:
        found: Found = json.loads(file.read_text())
        if found.get("sha256") == load_checkpoint(folder)[2]:
            return found
    command = ["-m", f"napari_spatia.benchmark.{run.benchmark}"]
    print(f"running {run.name} of {folder.name}", file=sys.stderr, flush=True)
    ran = subprocess.run(
        [sys.executable, *command, str(slide), "--checkpoint", checkpoint, *run.arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SpatiaError(
            f"The benchmark '{run.benchmark}' of '{checkpoint}' on '{slide}' ended with status {ran.returncode}; its "
            "message stands above. Mend that, or leave it out with --only."
        )
    # Names, not paths: the file is published.
    said = " ".join(["python", *command, slide.name, "--checkpoint", folder.name, *run.arguments])
    found = {"command": said} | json.loads(ran.stdout)
    with staged_file(file) as staged:
        staged.write_text(json.dumps(found, indent=1) + "\n")
    return found


def _read(file: Path) -> Found | None:
    return json.loads(file.read_text()) if file.is_file() else None


def _read_other(name: str, out: Path) -> Found | None:
    """What one of `OTHERS` found; rows of several files that make seeds of one run are joined.

    Raises `SpatiaError` for files of runs that were asked for otherwise than by seeds and rows.
    """
    files = [found for file in sorted(out.glob(f"{name}*.json")) if (found := _read(file)) is not None]
    if len(files) < 2:
        return files[0] if files else None
    asked = [{key: v for key, v in found.items() if key not in ("command", "rows", "seeds")} for found in files]
    if any(one != asked[0] for one in asked):
        raise SpatiaError(f"The files {name}*.json in '{out}' are of different runs. Remove those of the older one.")
    rows: dict[str, list[Found]] = {}
    for found in files:
        for row, several in found["rows"].items():
            rows.setdefault(row, []).extend(several)
    seeds = sorted({seed for found in files for seed in found["seeds"]})
    return asked[0] | {"command": "\n    ".join(f["command"] for f in files), "seeds": seeds, "rows": rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing and writes ``table.md``."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.table", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for slide in ("real", "simulated"):
        parser.add_argument(f"--{slide}", type=Path, metavar="SLIDE", help=f"the {slide} slide")
        parser.add_argument(f"--{slide}-checkpoint", nargs="+", default=[], metavar="C", help="one, or several seeds")
    names = [run.name for run in RUNS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="leave the others unmeasured")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/benchmark"), help="folder of table.md and the JSON files"
    )
    parser.add_argument("--rerun", action="store_true", help="run again what was measured before")
    options = parser.parse_args(arguments)
    with report_errors():
        files: dict[str, list[Found]] = {}
        options.out.mkdir(parents=True, exist_ok=True)
        for run in RUNS:
            slide, checkpoints = getattr(options, run.slide), getattr(options, f"{run.slide}_checkpoint")
            if run.name not in options.only:
                continue
            if slide is None:
                found = [_read(options.out / f"{c}_{run.name}.json") for c in checkpoints]
            else:
                found = [obtain(run, slide, c, options.out, options.rerun) for c in checkpoints]
            if there := [one for one in found if one is not None]:
                files[run.name] = there
        others = {name: kept for name in OTHERS if (kept := _read_other(name, options.out)) is not None}
        table = page(files, others)
        with staged_file(options.out / "table.md") as staged:
            staged.write_text(table)
        print(table)


if __name__ == "__main__":
    main()
