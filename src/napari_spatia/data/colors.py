"""Colours of categories, on screen and in exported files."""

from functools import cache

Rgb = tuple[int, int, int]
LEAST_COLOUR = 80
"""Between the strongest and the weakest of red, green and blue."""


def palette_color(idx: int) -> Rgb:
    """The ``idx``-th colour of a list in which each is as far as it can be from those before; after the last it begins
    anew.
    """
    colours = _palette()
    return colours[idx % len(colours)]


@cache
def _palette() -> tuple[Rgb, ...]:
    """glasbey_light (Glasbey et al. 2007), none too dark for a dark canvas, without what is nearly grey: so look cells
    without a value.
    """
    from colorcet import glasbey_light  # not before a category is coloured

    return tuple(rgb for rgb in map(from_hex, glasbey_light) if max(rgb) - min(rgb) >= LEAST_COLOUR)


def from_hex(text: str) -> Rgb:
    """The colour of ``#rrggbb``, with or without an alpha after it."""
    digits = text.removeprefix("#")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
