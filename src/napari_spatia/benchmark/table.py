r"""The score table of the shipped models: runs the benchmarks, keeps each one's JSON, and writes the table.

    python -m napari_spatia.benchmark.table --real PANCREAS --real-checkpoint pancreas-small \
        --simulated SIMULATED --simulated-checkpoint sim-small --out docs/benchmark

A benchmark whose JSON lies in OUT already, made from the same weights, is read and not run again (--rerun does);
without a slide, what lies there is read as it is. The first checkpoint of a slide is the one that is shipped and has a
table of its own, with the benchmarks' intervals. Several checkpoints are seeds: a second table has their mean, and
their range as interval. Below stand what passes and merging cost (`sampling`), and `ablations.json` and
`few_steps.json`, the output of the benchmarks of these names, where they lie in OUT.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_spatia.benchmark import sampling
from napari_spatia.benchmark.report import report_errors
from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.inference.registry import find_checkpoint
from napari_spatia.model.checkpoint import load_checkpoint

Found = dict[str, Any]
"""What one benchmark printed."""
FIVE = ("rna_18S", "boundary", "aSMA_vimentin", "log_area", "DAPI")
FEW, MANY = "4 passes, 0% merged", "64 passes, 0% merged"
SPACES = ("morphology", "texture")
FRECHET_CELLS = "5000"


@dataclass(frozen=True, slots=True)
class Run:
    """A benchmark module, the slide it needs ("real" or "simulated"), and its arguments."""

    benchmark: str
    slide: str
    arguments: tuple[str, ...] = ()


RUNS = (
    Run("condition_use", "real", ("--holdout", "--cells", "1000", "--precision", "auto")),
    Run("sampling", "real", ("--holdout", "--cells", FRECHET_CELLS, "--cvae", "--precision", "auto")),
    Run("edit_check", "simulated", ("--precision", "auto")),
    Run("natural_experiment", "real", ("--holdout", "--precision", "auto")),
    Run("encoder_scores", "real", ("--part", "test", "--cells", FRECHET_CELLS)),
    Run("timing", "real", ("--precision", "auto")),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A score and its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the table.

    ``read`` and ``least_or_most`` take what the benchmark found: the score's path or value, and the bound that it must
    reach. ``baseline`` names other values of the same file. A KeyError of theirs means that the file lacks the score.
    """

    label: str
    benchmark: str
    read: Callable[[Found], Value]
    bound: Callable[[Found], float]
    reach: str
    at_least: bool = True
    baseline: Callable[[Found], dict[str, float]] = lambda found: {}
    excludes_zero: bool = False

    def is_met(self, values: Sequence[Value], files: Sequence[Found]) -> bool:
        """Whether the mean over checkpoints reaches the mean bound, and every interval excludes 0 where it must."""
        value, bound = mean([v.value for v in values]), mean([self.bound(found) for found in files])
        sure = not self.excludes_zero or all(v.low is not None and v.low > 0 for v in values)
        return sure and (value >= bound if self.at_least else value <= bound)


def scores() -> list[Score]:
    """Every row, in the table's order."""
    rows = [
        Score(
            f"image R² from expression: {name}", "condition_use", _r2(name, "generated"), _ridge(name), "≥ ridge",
            baseline=_named("ridge", _ridge(name)),
        )
        for name in FIVE
    ]  # fmt: skip
    rows += [
        Score(
            "image R², mean of the five", "condition_use", lambda found: Value(_five(found, "generated")),
            lambda found: _five(found, "ridge") + 0.05, "≥ ridge + 0.05",
            baseline=_named("ridge", lambda found: _five(found, "ridge")),
        ),
        Score(
            "image R², shuffled, highest of the five", "condition_use",
            lambda found: Value(max(_r2(name, "shuffled")(found).value for name in FIVE)), _fixed(0.02),
            "≤ 0.02", at_least=False,
        ),
    ]  # fmt: skip
    for space in SPACES:
        rows += [
            Score(
                f"Fréchet ({space}), 4 passes ÷ 64 passes", "sampling", _ratio(space, FEW, MANY), _fixed(1.1),
                "≤ 1.10", at_least=False,
            ),
            Score(
                f"Fréchet ({space}), 4 passes ÷ real floor", "sampling", _ratio(space, FEW, "real"),
                _fixed(2.0), "≤ 2", at_least=False, baseline=_null_rows(space),
            ),
        ]  # fmt: skip
    rows += [
        Score(
            "zero edit, lowest PSNR in dB (simulated)", "edit_check",
            lambda found: Value(found["zero_edit_psnr_db"]["lowest"]), _fixed(30.0), "≥ 30",
        ),
        Score(
            "zero edit, lowest PSNR in dB (real)", "timing",
            lambda found: Value(found["zero_edit_psnr_db"]["lowest"]), _fixed(30.0), "≥ 30",
        ),
        Score(
            "zero edit, share bit-identical twice (real)", "timing",
            lambda found: Value(found["zero_edit_bit_identical"]), _fixed(1.0), "1",
        ),
        Score(
            "simulator counterfactual, correlation over features and genes", "edit_check",
            lambda found: Value(**found["together"]["model"]["correlation"]), _fixed(0.8), "≥ 0.8",
            baseline=lambda found: {"copy": 0.0, "class mean": found["together"]["class_mean"]["correlation"]["value"]},
        ),
        Score(
            "simulator counterfactual, the same over single cells too", "edit_check",
            lambda found: Value(**found["together"]["model"]["correlation_over_cells"]), _fixed(0.8), "≥ 0.8",
        ),
        Score(
            "simulator counterfactual, right sign", "edit_check",
            lambda found: Value(**found["together"]["model"]["sign_accuracy"]), _fixed(0.95), "≥ 0.95",
            baseline=lambda found: {"class mean": found["together"]["class_mean"]["sign_accuracy"]["value"]},
        ),
        Score(
            "natural experiment, correlation over genes", "natural_experiment",
            lambda found: Value(**found["scores"]["all"]["model"]), _fixed(0.6), "≥ 0.6, interval above 0",
            baseline=_natural_baselines, excludes_zero=True,
        ),
        *(
            Score(
                label, "encoder_scores", _encoder(task, row, measure), _fixed(bound), reach, at_least,
                _encoder_baselines(task, measure, baselines),
            )
            for label, (task, row, measure), baselines, bound, reach, at_least in ENCODER_ROWS
        ),
        Score(
            "live: a click, p95 in ms", "timing", lambda found: Value(found["click"]["p95_ms"]), _fixed(400.0),
            "≤ 400", at_least=False, baseline=lambda found: {"400-pass midpoint": found["midpoint_ms"]},
        ),
        Score(
            "live: an edit, p95 in ms", "timing", lambda found: Value(found["edit"]["p95_ms"]), _fixed(50.0),
            "≤ 50", at_least=False, baseline=lambda found: {"400-pass midpoint": found["midpoint_ms"]},
        ),
        Score(
            "live: times fewer passes than the 400-pass midpoint", "timing",
            lambda found: Value(found["fewer_passes"]), _fixed(80.0), "≥ 80",
        ),
    ]  # fmt: skip
    return rows


ENCODER_ROWS: tuple[tuple[str, tuple[str, str, str], tuple[str, ...], float, str, bool], ...] = (
    (
        "type, image and genes (balanced accuracy)", ("types", "both", "balanced_accuracy"),
        ("logistic on counts", "balanced logistic on counts"), 0.86, "≥ 0.86", True,
    ),
    (
        "type, image alone (balanced accuracy)", ("types", "image", "balanced_accuracy"),
        ("logistic on ten image statistics", "balanced logistic on ten image statistics"), 0.45, "≥ 0.45", True,
    ),
    (
        "40 hidden genes (mean Pearson)", ("hidden_genes", "genes", "mean_pearson"),
        ("ridge on counts",), 0.38, "≥ 0.38", True,
    ),
    (
        "genes from the image with its surroundings (mean Pearson)", ("genes", "image in its niche", "mean_pearson"),
        ("ridge on ten image statistics",), 0.33, "≥ 0.33", True,
    ),
    ("ECE of type probabilities", ("types", "both", "ece"), ("logistic on counts",), 0.03, "≤ 0.03", False),
)  # fmt: skip
"""Label, where in the file of `encoder_scores`, its rows of baselines, bound, its words, and whether more is better."""


def mean(values: Sequence[float]) -> float:
    """The mean of a few numbers."""
    return sum(values) / len(values)


def page(files: dict[str, list[Found]], ablations: Found | None = None, few_steps: Found | None = None) -> str:
    """Everything that is written; see the top of this file."""
    several = {name: found for name, found in files.items() if len(found) > 1}
    sections = [INTRODUCTION, _commands(files), markdown({name: found[:1] for name, found in files.items()})]
    if several:
        sections += [SEEDS, markdown(several, with_unmeasured=False)]
    if rows := files.get("sampling"):
        sections += [PASSES.format(**rows[0]), sampling.markdown_table(rows[0])]
    if ablations is not None:
        sections += [ABLATIONS.format(**ablations), _rows(_flat(ablations["rows"]), ABLATION_COLUMNS)]
    if few_steps is not None:
        sections += [FEW_STEPS.format(**few_steps), _rows(few_steps["rows"], FEW_STEPS_COLUMNS)]
    return "\n".join(sections)


INTRODUCTION = """# Scores of the shipped models

Held-out cells of the test part of [the split](pancreas_split.json), and simulated tissue. "not measured" has not been
run for these weights. Written by `python -m napari_spatia.benchmark.table` from the JSON files beside it, each of which
names the command that made it:
"""
SEEDS = """## Training seeds

The shipped model and others that were trained from other seeds; the value is their mean, the interval their range.
"""
PASSES = """## Passes and merging

One picture a cell of `{checkpoint}`, {cells} test cells against {compared_with} others; times are of one picture on one
thread. `real` is the floor: real cells against other real ones.
"""
ABLATIONS = """## Ablations

Short trainings of the encoders ({steps} steps, preset {preset}), each without one thing, on the validation part; `full`
is the whole model with several seeds, whose differences are what a row must exceed to say anything.

    {command}
"""
FEW_STEPS = """## Few-step objectives

Each goes on from the same decoder for the same minutes; {cells} cells of the validation part; Fréchet distances.

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
"""Head of each column, and where its value stands in a row."""


def _commands(files: dict[str, list[Found]]) -> str:
    lines = {found["command"]: None for several in files.values() for found in several[:1]}
    return "".join(f"    {line}\n" for line in lines)


def _flat(rows: dict[str, Any]) -> dict[str, Found]:
    """Rows by name, those of several seeds one by one."""
    flat: dict[str, Found] = {}
    for name, row in rows.items():
        flat |= {f"{name} {number}": one for number, one in enumerate(row)} if isinstance(row, list) else {name: row}
    return flat


def _rows(rows: dict[str, Found], columns: dict[str, tuple[str, ...]]) -> str:
    """A table with a column for each path into a row; empty where a row has no such value."""
    lines = ["| row | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        cells = []
        for path in columns.values():
            value: Any = row
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            cells.append("" if value is None else f"{value:.3g}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def markdown(files: dict[str, list[Found]], with_unmeasured: bool = True) -> str:
    """The table of scores; ``files`` has for each benchmark what was found with each checkpoint."""
    lines = ["| score | baseline | reach | value | interval | |", "|---|---|---|---|---|---|"]
    for score in scores():
        found = files.get(score.benchmark, [])
        try:
            values = [score.read(f) for f in found]
            beside = [score.baseline(f) for f in found]
            verdict = score.is_met(values, found) if found else None
        except KeyError as missing:
            raise SpatiaError(
                f"The file of '{score.benchmark}' has no {missing}, which the row '{score.label}' reads. "
                "It is of another version: run it again with --rerun."
            ) from missing
        if verdict is None:
            if with_unmeasured:
                lines.append(f"| {score.label} | | {score.reach} | not measured | | |")
            continue
        low, high = _interval(values)
        baseline = ", ".join(f"{name} {mean([b[name] for b in beside]):.3g}" for name in beside[0])
        interval = "" if low is None or high is None else f"{low:.3g} – {high:.3g}"
        value = f"{mean([v.value for v in values]):.3g}"
        cells = [score.label, baseline, score.reach, value, interval, "met" if verdict else "**missed**"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def obtain(run: Run, slide: Path, checkpoint: str, out: Path, rerun: bool) -> Found:
    """What a benchmark found for a checkpoint: read from ``out``, or run in a process of its own and kept there."""
    folder = find_checkpoint(checkpoint)
    file = out / f"{folder.name}_{run.benchmark}.json"
    if file.is_file() and not rerun:
        found: Found = json.loads(file.read_text())
        if found.get("sha256") == load_checkpoint(folder)[2]:
            return found
    command = ["-m", f"napari_spatia.benchmark.{run.benchmark}"]
    print(f"running {run.benchmark} of {folder.name}", file=sys.stderr, flush=True)
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


def _interval(values: Sequence[Value]) -> tuple[float | None, float | None]:
    if len(values) == 1:
        return values[0].low, values[0].high
    return min(v.value for v in values), max(v.value for v in values)


def _r2(statistic: str, row: str) -> Callable[[Found], Value]:
    return lambda found: Value(**found["r2"]["cell"][statistic][row])


def _five(found: Found, row: str) -> float:
    return mean([_r2(name, row)(found).value for name in FIVE])


def _ratio(space: str, above: str, below: str) -> Callable[[Found], Value]:
    return lambda found: Value(found["rows"][above]["frechet"][space] / found["rows"][below]["frechet"][space])


def _ridge(statistic: str) -> Callable[[Found], float]:
    return lambda found: _r2(statistic, "ridge")(found).value


def _fixed(bound: float) -> Callable[[Found], float]:
    return lambda found: bound


def _named(name: str, read: Callable[[Found], float]) -> Callable[[Found], dict[str, float]]:
    return lambda found: {name: read(found)}


def _null_rows(space: str) -> Callable[[Found], dict[str, float]]:
    def read(found: Found) -> dict[str, float]:
        names = [name for name in ("cvae", "nearest", "class_mean") if name in found["rows"]]
        return {name.replace("_", " "): _ratio(space, name, "real")(found).value for name in names}

    return read


def _natural_baselines(found: Found) -> dict[str, float]:
    scores = found["scores"]["all"]
    baselines = {name: scores[name]["value"] for name in ("shuffled", "ridge") if name in scores}
    return baselines | {"highest possible": scores["reliability"]["highest_score"]}


def _encoder(*path: str) -> Callable[[Found], Value]:
    def read(found: Found) -> Value:
        for key in path:
            found = found[key]
        return Value(**found)

    return read


def _encoder_baselines(task: str, measure: str, rows: Sequence[str]) -> Callable[[Found], dict[str, float]]:
    return lambda found: {row: found[task][row][measure]["value"] for row in rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing and writes ``table.md``."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.table", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for slide in ("real", "simulated"):
        parser.add_argument(f"--{slide}", type=Path, metavar="SLIDE", help=f"the {slide} slide")
        parser.add_argument(f"--{slide}-checkpoint", nargs="+", default=[], metavar="C", help="one, or several seeds")
    names = [run.benchmark for run in RUNS]
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
            if run.benchmark not in options.only:
                continue
            if slide is None:
                found = [_read(options.out / f"{c}_{run.benchmark}.json") for c in checkpoints]
            else:
                found = [obtain(run, slide, c, options.out, options.rerun) for c in checkpoints]
            if there := [one for one in found if one is not None]:
                files[run.benchmark] = there
        table = page(files, *(_read(options.out / f"{name}.json") for name in ("ablations", "few_steps")))
        with staged_file(options.out / "table.md") as staged:
            staged.write_text(table)
        print(table)


if __name__ == "__main__":
    main()
