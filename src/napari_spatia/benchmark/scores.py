"""Every score that is asked for: where a benchmark's file has it, what it must reach, and the table of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_spatia.errors import SpatiaError

Found = dict[str, Any]
"""What one benchmark printed."""
FIVE = ("rna_18S", "boundary", "aSMA_vimentin", "log_area", "DAPI")
FEW, MANY = "4 passes, 0% merged", "64 passes, 0% merged"
SPACES = ("morphology", "texture")


@dataclass(frozen=True, slots=True)
class Value:
    """A score and its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the table.

    ``benchmark`` is the name of a run (`benchmark.table.RUNS`). ``read`` and ``bound`` take what it found: the score's
    path or value, and the bound that it must reach. ``baseline`` names other values of the same file. A KeyError of
    theirs means that the file lacks the score. ``settings`` are rows of a sampling benchmark that not every run has.
    """

    label: str
    benchmark: str
    read: Callable[[Found], Value]
    bound: Callable[[Found], float]
    reach: str
    at_least: bool = True
    baseline: Callable[[Found], dict[str, float]] = lambda found: {}
    excludes_zero: bool = False
    settings: tuple[str, ...] = ()

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
                f"Fréchet ({space}), 4 passes ÷ 64 passes", "passes", _ratio(space, FEW, MANY), _fixed(1.1),
                "≤ 1.10", at_least=False, settings=(MANY,),
            ),
            *(
                Score(
                    f"Fréchet ({space}), 4 passes ÷ real floor, {cells} cells", run, _ratio(space, FEW, "real"),
                    _fixed(2.0), "≤ 2", at_least=False, baseline=_null_rows(space),
                )
                for run, cells in (("passes", "some hundred"), ("sampling", "5,000"))
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
        *(
            Score(
                f"niche edit (simulated), stains around the cell, neighbours replaced: {what}", "niche_check",
                _niche("model", measure), _niche_baseline(measure), "≥ class mean",
                baseline=_named("class mean", _niche_baseline(measure)),
            )
            for what, measure in (("correlation", "correlation"), ("right sign", "sign_accuracy"))
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
        *(
            Score(
                f"live: {label}, p95 in ms", "timing", _p95(name), _fixed(most), f"≤ {most:g}", at_least=False,
                baseline=lambda found: {"400-pass midpoint": found["midpoint_ms"]},
            )
            for label, name, most in LIVE_ROWS
        ),
        Score(
            "live: times fewer passes than the 400-pass midpoint", "timing",
            lambda found: Value(found["fewer_passes"]), _fixed(80.0), "≥ 80",
        ),
        Score(
            "screen of all panel genes, one cell, in s", "timing",
            lambda found: Value(found["screen_s"]), _fixed(15.0), "≤ 15", at_least=False,
        ),
    ]  # fmt: skip
    return rows


LIVE_ROWS = (
    ("a click to the preview", "click", 400.0),
    ("an edit, preview", "edit", 50.0),
    ("a click to the refined picture", "refined_click", 400.0),
    ("an edit, refined", "refined_edit", 50.0),
)

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
        "40 hidden genes from all that is left, as `predict` reads it (mean Pearson)",
        ("hidden_genes", "both", "mean_pearson"), ("ridge on counts",), 0.38, "≥ 0.38", True,
    ),
    (
        "40 hidden genes from genes and surroundings (mean Pearson)", ("hidden_genes", "genes", "mean_pearson"),
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


def markdown(files: dict[str, list[Found]], with_unmeasured: bool = True) -> str:
    """The table of scores; ``files`` has for each benchmark what was found with each checkpoint."""
    lines = ["| score | baseline | reach | value | interval | |", "|---|---|---|---|---|---|"]
    for score in scores():
        found = files.get(score.benchmark, [])
        if not with_unmeasured and any(name not in f["rows"] for f in found for name in score.settings):
            continue  # seeds are not drawn in every number of passes
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


def _interval(values: Sequence[Value]) -> tuple[float | None, float | None]:
    if len(values) == 1:
        return values[0].low, values[0].high
    return min(v.value for v in values), max(v.value for v in values)


def _r2(statistic: str, row: str) -> Callable[[Found], Value]:
    return lambda found: Value(**found["r2"]["cell"][statistic][row])


def _niche(row: str, measure: str) -> Callable[[Found], Value]:
    return lambda found: Value(**found["replaced"]["around"]["together"][row][measure])


def _niche_baseline(measure: str) -> Callable[[Found], float]:
    return lambda found: _niche("class_mean", measure)(found).value


def _five(found: Found, row: str) -> float:
    return mean([_r2(name, row)(found).value for name in FIVE])


def _ratio(space: str, above: str, below: str) -> Callable[[Found], Value]:
    return lambda found: Value(found["rows"][above]["frechet"][space] / found["rows"][below]["frechet"][space])


def _ridge(statistic: str) -> Callable[[Found], float]:
    return lambda found: _r2(statistic, "ridge")(found).value


def _fixed(bound: float) -> Callable[[Found], float]:
    return lambda found: bound


def _p95(name: str) -> Callable[[Found], Value]:
    return lambda found: Value(found[name]["p95_ms"])


def _named(name: str, read: Callable[[Found], float]) -> Callable[[Found], dict[str, float]]:
    return lambda found: {name: read(found)}


def _null_rows(space: str) -> Callable[[Found], dict[str, float]]:
    def read(found: Found) -> dict[str, float]:
        names = [name for name in ("cvae", "nearest", "class_mean") if name in found["rows"]]
        return {name.replace("_", " "): _ratio(space, name, "real")(found).value for name in names}

    return read


def _natural_baselines(found: Found) -> dict[str, float]:
    scores = found["scores"]["all"]
    baselines = {name: scores[name]["value"] for name in ("shuffled", "ridge", "elsewhere") if name in scores}
    return baselines | {"highest possible": scores["reliability"]["highest_score"]}


def _encoder(*path: str) -> Callable[[Found], Value]:
    def read(found: Found) -> Value:
        for key in path:
            found = found[key]
        return Value(**found)

    return read


def _encoder_baselines(task: str, measure: str, rows: Sequence[str]) -> Callable[[Found], dict[str, float]]:
    return lambda found: {row: found[task][row][measure]["value"] for row in rows}
