"""How a benchmark run as a module talks: progress and errors on stderr, one JSON object on stdout."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress

SECONDS_BETWEEN_LINES = 5.0
REFERENCE_CELLS = 20_000
"""Training cells that baselines learn from, unless said otherwise."""


def printed_progress() -> Progress:
    """A line on stderr every few seconds."""
    last = 0.0

    def show(fraction: float, doing: str) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{fraction:4.0%} {doing}", file=sys.stderr, flush=True)

    return show


@contextmanager
def report_errors() -> Iterator[None]:
    """A clear error becomes its message and exit status 1."""
    try:
        yield
    except SpatiaError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error


def benchmark_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of a checkpoint on a slide has."""
    parser = argparse.ArgumentParser(prog=f"python -m napari_spatia.benchmark.{name}", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", metavar="SLIDE")
    parser.add_argument("--checkpoint", required=True, metavar="C", help="a folder or a shipped name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument(
        "--precision",
        default="float32",
        choices=("auto", "float32", "bfloat16"),
        help="of the decoder's products; auto, as in the window: bfloat16 where it is fast",
    )
    return parser


def add_training_cells(parser: argparse.ArgumentParser) -> None:
    """How many cells the baselines learn from."""
    parser.add_argument(
        "--training-cells",
        type=int,
        default=REFERENCE_CELLS,
        metavar="N",
        help="that baselines learn from (20,000)",
    )


def add_which_cells(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """``--region-um`` or ``--holdout``: which cells are scored."""
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument(
        "--region-um", type=float, nargs=4, metavar=("Y0", "X0", "Y1", "X1"), help="score this rectangle"
    )
    which.add_argument("--holdout", action="store_true", help="score what the checkpoint was never trained on")
