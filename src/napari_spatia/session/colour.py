"""Colours of cells and their legend: pure functions from values to what is shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.colors import Rgb, palette_color
from napari_spatia.session.values import Values

MISSING: Rgb = (128, 128, 128)
"""A cell without a value: grey, half transparent."""

_COLORMAPS: dict[str, tuple[Rgb, ...]] = {
    "viridis": (
        (68, 1, 84), (72, 24, 106), (71, 45, 123), (66, 64, 134), (59, 82, 139), (51, 99, 141), (44, 114, 142),
        (38, 129, 142), (33, 144, 140), (31, 159, 136), (40, 174, 128), (62, 188, 116), (93, 201, 99), (130, 211, 76),
        (171, 220, 50), (213, 226, 26), (253, 231, 37),
    ),
    "magma": (
        (0, 0, 4), (10, 8, 34), (29, 17, 70), (54, 16, 106), (80, 18, 124), (105, 28, 129), (130, 38, 129),
        (156, 46, 127), (182, 55, 121), (207, 65, 112), (230, 81, 99), (245, 105, 92), (251, 135, 97), (254, 165, 113),
        (254, 195, 135), (253, 224, 162), (252, 253, 191),
    ),
}  # fmt: skip
COLORMAP = "viridis"


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One category: its name, colour, number of cells, and whether it is painted."""

    name: str
    colour: Rgb
    count: int
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the overlay and the legend show. ``rgba`` `(N, 4)` uint8, one row a cell.

    Categories have ``legend`` rows; numbers have ``limits`` (all values) and ``shown_range`` (the ends of the colours).
    """

    key: str
    title: str
    rgba: NDArray[np.uint8] = field(repr=False)
    legend: tuple[LegendRow, ...] = ()
    limits: tuple[float, float] | None = None
    shown_range: tuple[float, float] | None = None


def to_hex(colour: Rgb) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def extend_palette(known: Mapping[str, Rgb], names: Sequence[str]) -> dict[str, Rgb]:
    """``known`` and a colour for each new name: a name keeps its colour as long as the slide is open."""
    palette = dict(known)
    for name in names:
        if name not in palette:
            palette[name] = palette_color(len(palette))
    return palette


def colormap_lut(name: str = COLORMAP) -> NDArray[np.uint8]:
    """`(256, 3)` uint8 of a perceptually ordered colour map."""
    anchors = np.array(_COLORMAPS[name], dtype=np.float64)
    place = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def lookup_categories(values: Values, palette: Mapping[str, Rgb], hidden: Collection[str] = ()) -> Lookup:
    """Each cell in the colour of its category; legend rows from the most to the least frequent."""
    assert values.categories is not None, "values are numbers"
    num = len(values.categories)
    colours = np.zeros((num + 1, 4), dtype=np.uint8)
    for code, name in enumerate(values.categories):
        colours[code] = (*palette[name], 0 if name in hidden else 255)
    colours[num] = (*MISSING, 90)
    codes = values.data.astype(np.intp)
    counts = np.bincount(codes[codes >= 0], minlength=num)
    rows = [
        LegendRow(name, palette[name], int(counts[code]), name not in hidden)
        for code, name in enumerate(values.categories)
    ]
    rows.sort(key=lambda row: (-row.count, row.name))
    return Lookup(values.key, values.title, rgba=colours[codes], legend=tuple(rows))


def lookup_numbers(values: Values, shown_range: tuple[float, float] | None = None, colormap: str = COLORMAP) -> Lookup:
    """Each cell in the colour of its number; without ``shown_range`` the colours end at the 1st and 99th percentile."""
    numbers = values.data
    known = np.isfinite(numbers)
    limits = number_limits(numbers[known])
    low, high = shown_range or default_range(numbers[known], limits)
    step = 255.0 / max(high - low, 1e-12)
    place = np.clip((np.where(known, numbers, low) - low) * step, 0, 255).astype(np.uint8)
    rgba = np.empty((len(numbers), 4), dtype=np.uint8)
    rgba[:, :3] = colormap_lut(colormap)[place]
    rgba[:, 3] = 255
    rgba[~known] = (*MISSING, 90)
    return Lookup(values.key, values.title, rgba=rgba, limits=limits, shown_range=(low, high))


def number_limits(numbers: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest of ``numbers``, never equal."""
    if not len(numbers):
        return 0.0, 1.0
    low, high = float(numbers.min()), float(numbers.max())
    return (low, high) if high > low else (low, low + 1.0)


def default_range(numbers: NDArray[Any], limits: tuple[float, float]) -> tuple[float, float]:
    """1st to 99th percentile, or the limits where these coincide (a rare gene)."""
    if not len(numbers):
        return limits
    low, high = (float(value) for value in np.percentile(numbers, (1, 99)))
    return (low, high) if high > low else limits


def paint(
    values: Values, known: Mapping[str, Rgb], shown_range: tuple[float, float] | None, hidden: Collection[str]
) -> Lookup:
    """Colours and legend of any values; ``known`` are the colours that names already have."""
    if values.categories is None:
        return lookup_numbers(values, shown_range)
    return lookup_categories(values, extend_palette(known, values.categories), hidden)
