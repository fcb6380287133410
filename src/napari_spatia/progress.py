"""How long work tells how far it is, and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with (fraction done in [0, 1], what is being done). To cancel, the callback raises `errors.Cancelled`."""


def silent(fraction: float, doing: str) -> None:
    """A progress callback for callers who do not watch."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """The callback of one stage of a longer job: its 0…1 is the whole job's ``start``…``stop``."""
    return lambda fraction, doing: progress(start + (stop - start) * fraction, doing)
