"""What a command tells: progress and notes on stderr, its result on stdout, errors as a message and an exit code."""

import json
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

from napari_spatia.errors import Cancelled, SpatiaError

EXIT_ERROR, EXIT_STOPPED = 1, 130
MOST_NUMBERS = 24


class Report:
    """One command's voice. ``progress`` is the callback that jobs take."""

    def __init__(self, as_json: bool) -> None:
        self.stop_asked = False
        self._as_json = as_json
        self._bar: Any = None
        self._task: Any = None
        self._started_s = time.monotonic()
        self._doing, self._next_line_s = "", 0.0

    def progress(self, fraction: float, doing: str) -> None:
        if self.stop_asked:  # and whoever was running then took the interrupt for an error of its own
            raise Cancelled
        if sys.stderr.isatty():
            self._show_bar(fraction, doing)
        elif doing != self._doing:
            self._print_line(fraction, doing)

    def _print_line(self, fraction: float, doing: str) -> None:
        """At most a line a second at first, one a minute in a job of an hour: a log stays readable."""
        now = time.monotonic()
        if now >= self._next_line_s:
            self._doing, self._next_line_s = doing, now + min(max(1.0, (now - self._started_s) / 20), 60.0)
            print(f"{fraction:4.0%} {doing}", file=sys.stderr, flush=True)

    def _show_bar(self, fraction: float, doing: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(doing, total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=fraction, description=doing)

    def end_progress(self) -> None:
        """Take the bar off the terminal, so that other programs and the result can print."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def begin(self, text: str) -> None:
        """Work that shows nothing for some seconds has begun."""
        self.end_progress()
        print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Something that a person should know and that is no error."""
        self.end_progress()
        print(f"note: {text}", file=sys.stderr, flush=True)

    def result(self, values: Mapping[str, Any], text: str | None = None) -> None:
        """The command's result: one JSON object with --json, otherwise ``text`` or a line a value."""
        self.end_progress()
        if self._as_json:
            print(json.dumps(values, default=str), flush=True)
        else:
            print(text if text is not None else as_lines(values), flush=True)


def as_lines(values: Mapping[str, Any], indent: str = "") -> str:
    """``name: value`` lines; a nested mapping is indented below its name, and each of a list has a line there.

    What is empty has no line, and of many numbers only how many they are is told.
    """
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", as_lines(value, indent + "  ")] if value else []
        elif isinstance(value, list | tuple):
            lines += _list_lines(name, value, indent) if value else []
        else:
            lines.append(f"{indent}{name}: {value}")
    return "\n".join(lines)


def _list_lines(name: str, values: Sequence[Any], indent: str) -> list[str]:
    if all(isinstance(value, Mapping) for value in values):
        each = [", ".join(f"{key} {said}" for key, said in value.items() if said != "") for value in values]
        return [f"{indent}{name}:", *(f"{indent}  {line}" for line in each)]
    if len(values) > MOST_NUMBERS and all(isinstance(value, int | float) for value in values):
        return [f"{indent}{name}: {len(values)} numbers (--json lists them)"]
    return [f"{indent}{name}: {', '.join(map(str, values))}"]


@contextmanager
def reporting(as_json: bool = False) -> Iterator[Report]:
    """Run a command's body. A clear error ends it with exit code 1, Ctrl-C and SIGTERM with 130, no traceback."""
    report = Report(as_json)
    with _stopped_by_signals(report), _warnings_as_notes(report):
        try:
            yield report
        except (SpatiaError, OSError) as error:
            report.end_progress()
            print(f"Error: {error}", file=sys.stderr)
            raise typer.Exit(EXIT_ERROR) from error
        except (KeyboardInterrupt, Cancelled) as stop:
            report.end_progress()
            print("Stopped; nothing was left half-written.", file=sys.stderr)
            raise typer.Exit(EXIT_STOPPED) from stop
        finally:
            report.end_progress()


@contextmanager
def _warnings_as_notes(report: Report) -> Iterator[None]:
    """Warnings of this package are notes; those of the libraries below say nothing about the person's input."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module=r"napari_spatia\b")
        warnings.showwarning = lambda message, *_where: report.note(str(message))
        yield


@contextmanager
def _stopped_by_signals(report: Report) -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that staged files and child processes are cleaned up; neither is lost.

    What is ignored stays so: Ctrl-C is not meant for a command that a shell put into the background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        report.stop_asked = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
