"""Colours of categories, on screen and in exported files."""

Rgb = tuple[int, int, int]


def palette_color(idx: int) -> Rgb:
    """The ``idx``-th colour of a list of 256 in which each is as far as it can be from those before, none too dark for
    a dark canvas (glasbey_light; Glasbey et al. 2007); then it begins anew.
    """
    from colorcet import glasbey_light  # not before a category is coloured

    return from_hex(glasbey_light[idx % len(glasbey_light)])


def from_hex(text: str) -> Rgb:
    """The colour of ``#rrggbb``, with or without an alpha after it."""
    digits = text.removeprefix("#")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
