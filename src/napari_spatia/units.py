"""Lengths and their only conversions. Code that mixes µm and pixels goes through here."""

from typing import NewType

Micron = NewType("Micron", float)
Pixel = NewType("Pixel", float)
MicronPerPixel = NewType("MicronPerPixel", float)


def um_to_px(length_um: float, um_per_px: float) -> Pixel:
    """Length in pixels of a length in µm, for a pixel edge of ``um_per_px`` > 0 µm."""
    return Pixel(length_um / um_per_px)


def px_to_um(length_px: float, um_per_px: float) -> Micron:
    """Length in µm of a length in pixels, for a pixel edge of ``um_per_px`` > 0 µm."""
    return Micron(length_px * um_per_px)
