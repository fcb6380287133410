"""The legend as a picture, beside a picture of the view: pure functions from what is shown to pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_spatia.data.colors import Rgb
from napari_spatia.data.picture import INK, PAPER, Picture
from napari_spatia.data.picture import letters as letters_of
from napari_spatia.session.colour import Lookup, colormap_lut

LETTERS_OF_HEIGHT = 48
"""Letters are this part of a picture's height, within the sizes that can be read."""
LETTER_PX = (13, 32)
LONGEST_NAME = 36
"""Letters of a name; a longer one is cut off with a mark that says so."""
BAR_LETTERS = 12
"""Length of a colour bar, in heights of a letter."""

Draw = Callable[[ImageDraw.ImageDraw, int, int, int], None]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a legend: its size, and how it is drawn at (x, y) with the legend's inner width."""

    width_px: int
    height_px: int
    draw: Draw


def with_legend(picture: Picture, lookup: Lookup, note: str = "") -> Picture:
    """``picture`` `(H, W, 3)` with the legend at its right; ``note`` is a line at the legend's end.

    Categories that are painted have a square, a name and a number of cells; numbers a colour bar with its two ends;
    blended genes a colour bar each. What does not fit the height is counted in a last line.
    """
    return np.hstack([picture, legend_panel(lookup, picture.shape[0], note)])


def legend_panel(lookup: Lookup, height_px: int, note: str = "") -> Picture:
    """`(height_px, any width, 3)` the legend alone, as `with_legend` puts it."""
    size = int(np.clip(height_px // LETTERS_OF_HEIGHT, *LETTER_PX))
    letters, gap = letters_of(size), size
    title, rows, end = [_text(lookup.title, letters)], _rows(lookup, letters), [_text(note, letters)] if note else []
    room = height_px - 2 * gap - sum(line.height_px for line in (*title, *end))
    lines = [*title, *_fitting(rows, room, letters), *end]
    width = max(line.width_px for line in lines)
    canvas = Image.new("RGB", (width + 2 * gap, height_px), PAPER)
    draw, y = ImageDraw.Draw(canvas), gap
    for line in lines:
        line.draw(draw, gap, y, width)
        y += line.height_px
    return np.asarray(canvas)


def _rows(lookup: Lookup, letters: ImageFont.FreeTypeFont) -> list[_Line]:
    if lookup.shown_range is not None:
        return [_bar(colormap_lut(lookup.colormap), lookup.shown_range, letters)]
    lines = []
    for row in lookup.legend:
        if row.shown and row.ends is not None:
            ramp = (np.linspace(0, 1, 256)[:, None] * np.array(row.colour)).astype(np.uint8)
            lines += [_text(row.name, letters), _bar(ramp, row.ends, letters)]
        elif row.shown:
            lines.append(_category(row.name, row.colour, f"{row.count:,}", letters))
    return lines


def _fitting(rows: list[_Line], room_px: int, letters: ImageFont.FreeTypeFont) -> list[_Line]:
    """As many of the rows as there is room for, and a line that counts the others."""
    if sum(row.height_px for row in rows) <= room_px:
        return rows
    kept = max(0, int(np.searchsorted(np.cumsum([row.height_px for row in rows]), room_px - _step(letters), "right")))
    return [*rows[:kept], _text(f"and {len(rows) - kept} more", letters)]


def _step(letters: ImageFont.FreeTypeFont) -> int:
    """From one line of text to the next."""
    return round(letters.size * 1.6)


def _text(text: str, letters: ImageFont.FreeTypeFont) -> _Line:
    text = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"

    def draw(canvas: ImageDraw.ImageDraw, x: int, y: int, width: int) -> None:
        canvas.text((x, y), text, fill=INK, font=letters)

    return _Line(round(letters.getlength(text)), _step(letters), draw)


def _category(name: str, colour: Rgb, count: str, letters: ImageFont.FreeTypeFont) -> _Line:
    square, label = round(letters.size), _text(name, letters)
    indent, count_px = round(square * 1.5), round(letters.getlength(count))

    def draw(canvas: ImageDraw.ImageDraw, x: int, y: int, width: int) -> None:
        canvas.rectangle((x, y + 1, x + square - 1, y + square), fill=colour)
        label.draw(canvas, x + indent, y, width)
        canvas.text((x + width, y), count, fill=INK, font=letters, anchor="ra")

    return _Line(indent + label.width_px + 2 * square + count_px, _step(letters), draw)


def _bar(lut: NDArray[np.uint8], ends: tuple[float, float], letters: ImageFont.FreeTypeFont) -> _Line:
    """A colour bar over the legend's whole width, its ends below it."""
    thick = round(letters.size)

    def draw(canvas: ImageDraw.ImageDraw, x: int, y: int, width: int) -> None:
        colours = lut[np.linspace(0, len(lut) - 1, width).round().astype(int)]
        for place, colour in enumerate(colours.tolist()):
            canvas.line((x + place, y, x + place, y + thick), fill=tuple(colour))
        canvas.text((x, y + thick + 4), f"{ends[0]:.3g}", fill=INK, font=letters)
        canvas.text((x + width, y + thick + 4), f"{ends[1]:.3g}", fill=INK, font=letters, anchor="ra")

    return _Line(BAR_LETTERS * thick, thick + 4 + round(_step(letters) * 1.2), draw)
