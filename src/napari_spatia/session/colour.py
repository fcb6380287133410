"""Colours of cells and their legend: pure functions from values to what is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.colors import Rgb, palette_color
from napari_spatia.session.values import Values

MISSING: Rgb = (128, 128, 128)
"""A cell without a value: grey, half transparent."""

COLORMAPS = ("viridis", "cividis", "magma", "inferno", "turbo", "gray")
"""Names of matplotlib's; all but turbo grow lighter steadily, and cividis looks alike to colour-blind eyes."""
COLORMAP = COLORMAPS[0]
CELL_STYLES = ("fill", "outline", "both")
"""How a cell is painted: all of it, its edge, or its edge over a faint fill."""
PERCENT = (1.0, 99.0)
"""Percentiles of the values at the ends of the colours, when nobody chose."""
HISTOGRAM_BINS = 64
LARGE_COUNT = 1 << 12
"""Percentiles of whole numbers below this are found by counting."""
OTHERS_ALPHA = 0.25
"""Opacity of the cells that are not chosen while some are."""


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One category, or one gene of a blend: its name, colour, number of cells, and whether it is painted.

    A gene counts the cells that express it, and has the ``ends`` of its colours: black at one, ``colour`` at the other.
    """

    name: str
    colour: Rgb
    count: int
    shown: bool = True
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the overlay and the legend show. ``rgba`` `(N, 4)` uint8, one row a cell.

    Categories and the genes of a blend have ``legend`` rows; numbers have ``limits`` (all values), ``shown_range`` (the
    ends of the colours), a ``colormap`` and a ``histogram`` `(HISTOGRAM_BINS,)` of how many cells lie where between
    the limits. ``category`` `(N,)` int32 is each cell's row of ``legend``, -1 for a cell without one. ``values`` is
    what was painted: one, or those of each gene of a blend.
    """

    key: str
    title: str
    rgba: NDArray[np.uint8] = field(repr=False)
    legend: tuple[LegendRow, ...] = ()
    limits: tuple[float, float] | None = None
    shown_range: tuple[float, float] | None = None
    colormap: str = COLORMAP
    histogram: NDArray[np.int64] | None = field(default=None, repr=False)
    category: NDArray[np.int32] | None = field(default=None, repr=False)
    values: tuple[Values, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Painting:
    """How values become colours: which categories are left out, and the ends and the map of numbers' colours.

    Without ``shown_range`` the colours end at the percentiles ``percent`` of the values. Cells that are not ``passing``
    `(N,)` are not painted and not counted; the ends of the colours are those of all cells.
    """

    hidden: frozenset[str] = frozenset()
    shown_range: tuple[float, float] | None = None
    percent: tuple[float, float] = PERCENT
    colormap: str = COLORMAP
    passing: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)


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


@cache
def colormap_lut(name: str = COLORMAP) -> NDArray[np.uint8]:
    """`(256, 3)` uint8 of one of `COLORMAPS`."""
    from matplotlib import colormaps

    return np.asarray(colormaps[name](np.arange(256), bytes=True)[:, :3])


def lookup_categories(values: Values, palette: Mapping[str, Rgb], how: Painting = Painting()) -> Lookup:
    """Each cell in the colour of its category; legend rows from the most to the least frequent of all cells."""
    names = values.categories
    assert names is not None, "values are numbers"
    num = len(names)
    colours = np.zeros((num + 1, 4), dtype=np.uint8)
    for code, name in enumerate(names):
        colours[code] = (*palette[name], 0 if name in how.hidden else 255)
    colours[num] = (*MISSING, 90)
    codes = values.data.astype(np.intp)
    totals = np.bincount(codes[codes >= 0], minlength=num)
    counts = totals if how.passing is None else np.bincount(codes[(codes >= 0) & how.passing], minlength=num)
    order = sorted(range(num), key=lambda code: (-totals[code], names[code]))
    rows = [
        LegendRow(names[code], palette[names[code]], int(counts[code]), names[code] not in how.hidden) for code in order
    ]
    place = np.full(num + 1, -1, np.int32)
    place[order] = np.arange(num)
    rgba = only_passing(_take(colours, codes), how.passing)
    return Lookup(values.key, values.title, rgba, tuple(rows), category=place[codes], values=(values,))


def lookup_numbers(values: Values, how: Painting = Painting()) -> Lookup:
    """Each cell in the colour of its number; one without a number is grey."""
    numbers, known = values.data, np.isfinite(values.data)
    all_known = bool(known.all())  # then nothing is copied: this runs at each move of a range, over a million cells
    there = numbers if all_known else numbers[known]
    limits = number_limits(there)
    low, high = how.shown_range or percentile_range(there, limits, how.percent)
    place: NDArray[Any] = _steps(numbers if all_known else np.where(known, numbers, low), low, high, 256)
    if not all_known:
        place = np.where(known, place.astype(np.intp), 256)
    rgba = only_passing(_take(_number_colours(how.colormap), place), how.passing)
    counted = there if how.passing is None else numbers[known & how.passing]
    histogram = np.bincount(_steps(counted, *limits, HISTOGRAM_BINS), minlength=HISTOGRAM_BINS)
    return Lookup(values.key, values.title, rgba, (), limits, (low, high), how.colormap, histogram, values=(values,))


def _steps(numbers: NDArray[Any], low: float, high: float, num: int) -> NDArray[np.uint8]:
    """Which of ``num`` (≤ 256) equal steps from ``low`` to ``high`` each number lies in; beyond them the outer ones."""
    place = (numbers - np.float32(low)) * np.float32(num / max(high - low, 1e-12))
    return np.clip(place, 0, num - 1, out=place).astype(np.uint8)


def _number_colours(colormap: str) -> NDArray[np.uint8]:
    """`(257, 4)` uint8: the colour map, and last the colour of a missing number."""
    colours = np.full((257, 4), 255, dtype=np.uint8)
    colours[:256, :3] = colormap_lut(colormap)
    colours[256] = (*MISSING, 90)
    return colours


def _take(colours: NDArray[np.uint8], place: NDArray[np.intp]) -> NDArray[np.uint8]:
    """``colours[place]`` of `(K, 4)`, taken as whole numbers: several times as fast for a million cells."""
    return colours.view(np.uint32).ravel()[place][:, None].view(np.uint8)


def only_passing(rgba: NDArray[np.uint8], passing: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """``rgba`` `(N, 4)` with the cells that do not pass made transparent in place."""
    if passing is not None:
        rgba[~passing, 3] = 0
    return rgba


def number_limits(numbers: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest of ``numbers``, never equal."""
    if not len(numbers):
        return 0.0, 1.0
    low, high = float(numbers.min()), float(numbers.max())
    return (low, high) if high > low else (low, low + 1.0)


def percentile_range(
    numbers: NDArray[Any], limits: tuple[float, float], percent: tuple[float, float] = PERCENT
) -> tuple[float, float]:
    """From one percentile to the other, or the limits where these coincide (a rare gene)."""
    if not len(numbers):
        return limits
    low, high = _percentiles_of_counts(numbers, percent) or (float(q) for q in np.percentile(numbers, percent))
    return (low, high) if high > low else limits


def _percentiles_of_counts(numbers: NDArray[Any], percent: tuple[float, float]) -> tuple[float, float] | None:
    """As `numpy.percentile`, of small whole numbers ≥ 0 (counts) and several times as fast; None for others."""
    if not 0 <= float(numbers.min()) <= float(numbers.max()) < LARGE_COUNT:
        return None
    whole = numbers.astype(np.intp)
    if not np.array_equal(whole, numbers):
        return None
    up_to = np.cumsum(np.bincount(whole))
    rank = np.array(percent) / 100 * (len(numbers) - 1)
    below, above = (np.searchsorted(up_to, edge(rank), "right") for edge in (np.floor, np.ceil))
    low, high = below + (above - below) * (rank - np.floor(rank))
    return float(low), float(high)


def dim_others(rgba: NDArray[np.uint8], chosen: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    """Colours `(N, 4)`, those of cells that are not in ``chosen`` (rows) fainter; None leaves all as they are."""
    if chosen is None:
        return rgba
    faint = rgba.copy()
    faint[:, 3] = (np.arange(256) * OTHERS_ALPHA).astype(np.uint8)[rgba[:, 3]]
    faint[chosen, 3] = rgba[chosen, 3]
    return faint


def count_chosen(lookup: Lookup | None, chosen: NDArray[np.int64] | None) -> tuple[LegendRow, ...]:
    """The categories of the chosen cells with their numbers there, from the most to the least frequent."""
    if lookup is None or lookup.category is None or chosen is None:
        return ()
    category = lookup.category[chosen]
    counts = np.bincount(category[category >= 0], minlength=len(lookup.legend))
    order = np.argsort(-counts, kind="stable")
    return tuple(replace(lookup.legend[place], count=int(counts[place])) for place in order if counts[place])


def paint(values: Values, known: Mapping[str, Rgb], how: Painting = Painting()) -> Lookup:
    """Colours and legend of any values; ``known`` are the colours that names already have."""
    if values.categories is None:
        return lookup_numbers(values, how)
    return lookup_categories(values, extend_palette({**values.colours, **known}, values.categories), how)
