"""The errors a person sees: what happened, what was expected, what was found, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class SpatiaError(Exception):
    """A clear message about the input; the command line prints it and exits with 1."""


class SlideError(SpatiaError):
    """A path, store or element that cannot be used as a slide."""


class PanelError(SpatiaError):
    """A gene that is not in the panel, or two panels that do not fit."""


class CellError(SpatiaError):
    """A cell id that is not on the slide."""


class CheckpointError(SpatiaError):
    """A checkpoint that is missing, damaged, or made for other data."""


class Cancelled(Exception):
    """A person stopped a job. Raised by a progress callback, passed through by every job."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with up to three known names near ``name``, empty where none is; begins with a space."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {', '.join(near)}?" if near else ""
