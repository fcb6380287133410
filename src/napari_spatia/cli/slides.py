"""How commands name a slide and the parts of it, and open it."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_spatia.cli.report import Report

if TYPE_CHECKING:
    from napari_spatia.data.slide import Slide

_WHICH = "Which part of the slide (chosen by itself where there is one choice)"


def _part(flag: str, metavar: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, rich_help_panel=_WHICH, show_default=False)


@dataclass(frozen=True, slots=True)
class SlideParts:
    """The elements of a SpatialData store that make up the slide; None leaves the choice to the reader."""

    image: Annotated[str | None, _part("--image", "NAME", "Image element.")] = None
    labels: Annotated[str | None, _part("--labels", "NAME", "Labels element.")] = None
    table: Annotated[str | None, _part("--table", "NAME", "Table element.")] = None
    coordinate_system: Annotated[str | None, _part("--coordinate-system", "NAME", "Coordinate system.")] = None
    um_per_px: Annotated[float | None, _part("--um-per-px", "UM", "Pixel size, where the slide has none.")] = None

    def open(self, path: Path, report: Report) -> "Slide":
        """The slide at ``path``; raises `SlideError` where it cannot be used."""
        from napari_spatia.data.io import open_slide

        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        return open_slide(path, **chosen, progress=report.progress)

    def as_arguments(self) -> list[str]:
        """The same choices as command line arguments, for the window's own process."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in chosen.items() if value is not None)
        return [argument for pair in pairs for argument in pair]


def with_slide_parts(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `SlideParts`; it gets them as one argument, ``parts``."""
    signature = inspect.signature(command)
    options = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in fields(SlideParts)
    ]
    own = [parameter for name, parameter in signature.parameters.items() if name != "parts"]
    names = {option.name for option in options}

    @functools.wraps(command)
    def run(**values: Any) -> None:
        parts = SlideParts(**{name: values.pop(name) for name in names})
        command(**values, parts=parts)

    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = signature.replace(parameters=[*keyword_only, *options])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *options]}
    return run
