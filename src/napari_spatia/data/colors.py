"""Colours of categories in exported files."""

import colorsys

Rgb = tuple[int, int, int]


def palette_color(idx: int) -> Rgb:
    """The ``idx``-th colour: steps of the golden angle in hue, three lightnesses in turn, so that neighbours differ."""
    red, green, blue = colorsys.hls_to_rgb((0.02 + idx * 0.381966) % 1.0, (0.55, 0.42, 0.66)[idx % 3], 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)


def from_hex(text: str) -> Rgb:
    """The colour of ``#rrggbb``, with or without an alpha after it."""
    digits = text.removeprefix("#")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
