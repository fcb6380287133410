"""How a benchmark run as a module talks: progress and errors on stderr, one JSON object on stdout."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress

SECONDS_BETWEEN_LINES = 5.0


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
