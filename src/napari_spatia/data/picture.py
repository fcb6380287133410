"""Stains to pictures: one composite, one difference, one panel row for the command line, the docks and the docs.

C channels, H × W pixels. Images are `(C, H, W)` float32 in slide units; pictures are `(H, W, 3)` uint8 RGB.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import dask
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from napari_spatia.data.morphology import NUCLEAR_STAINS
from napari_spatia.data.slide import Raster
from napari_spatia.files import staged_file

FloatImage = NDArray[np.float32]
Picture = NDArray[np.uint8]
Limits = NDArray[np.float32]
"""`(C, 2)` slide units that are shown as black and as full colour."""
Place = tuple[slice, slice]
"""Rows and columns of a picture."""

TIFF_ENDINGS = (".tif", ".tiff")
IMAGE_DESCRIPTION = 270
"""The tag of a TIFF that tells what it shows."""
COUNTERFACTUAL = "COUNTERFACTUAL"
"""The word that every generated, edited picture carries."""

_NAMED_COLOURS: tuple[tuple[tuple[str, ...], tuple[float, float, float]], ...] = (
    (NUCLEAR_STAINS, (0.20, 0.42, 1.00)),
    (("boundary", "membrane", "cadherin", "atp1a1", "cd45"), (0.15, 0.85, 0.35)),
    (("18s", "rna", "cytoplasm"), (0.90, 0.15, 0.75)),
    (("asma", "vimentin", "actin", "stroma"), (1.00, 0.55, 0.05)),
)
_OTHER_COLOURS = ((0.1, 0.8, 0.9), (0.95, 0.9, 0.2), (0.6, 0.4, 1.0), (0.9, 0.9, 0.9))
_MORE, _LESS = np.array([1.0, 0.45, 0.1]), np.array([0.15, 0.6, 1.0])
_LIMITS_MAX_PX = 1024
_LARGEST_STEP, _WINDOW_PX = 4, 256
_GAP_PX, INK, PAPER = 8, (235, 235, 235), (24, 24, 28)


def channel_colours(channels: Sequence[str]) -> NDArray[np.float32]:
    """`(C, 3)` RGB in [0, 1]: a stain that is known by name keeps its colour on every slide."""
    spare = iter(_OTHER_COLOURS * (len(channels) // len(_OTHER_COLOURS) + 1))
    return np.array([_named_colour(name) or next(spare) for name in channels], dtype=np.float32).reshape(-1, 3)


def _named_colour(channel: str) -> tuple[float, float, float] | None:
    for words, colour in _NAMED_COLOURS:
        if any(word in channel.lower() for word in words):
            return colour
    return None


def display_limits(image: FloatImage, low: float = 1.0, high: float = 99.7) -> Limits:
    """Percentiles of each channel of `(..., C, H, W)`; a flat channel gets a range of one unit."""
    channels = np.moveaxis(np.asarray(image, dtype=np.float32), -3, 0).reshape(image.shape[-3], -1)
    bottom, top = np.percentile(channels, (low, high), axis=1)
    return np.stack([bottom, np.where(top > bottom, top, bottom + 1.0)], axis=1).astype(np.float32)


def slide_limits(image: Raster, high: float = 99.7) -> Limits:
    """Display limits of a whole slide, read in a moment, the same for all cells.

    From a coarse level of its pyramid, or where it has none from small windows spread over the slide.
    """
    fits = [max(level.shape[-2:]) <= _LIMITS_MAX_PX for level in image.levels]
    at = fits.index(True) if any(fits) else -1
    level = image.levels[at]
    step = max(1, max(level.shape[-2:]) // _LIMITS_MAX_PX)
    if step <= _LARGEST_STEP:
        return display_limits(np.asarray(image.sources[at][:, ::step, ::step], dtype=np.float32), high=high)
    corners = [np.linspace(0, length - min(_WINDOW_PX, length), 5).astype(int)[1:-1] for length in level.shape[-2:]]
    windows = [level[:, y : y + _WINDOW_PX, x : x + _WINDOW_PX] for y in corners[0] for x in corners[1]]
    return display_limits(np.concatenate(dask.compute(*windows), axis=1, dtype=np.float32), high=high)


def limits_by_channel(
    channels: Sequence[str],
    image: FloatImage,
    slide_channels: Sequence[str],
    of_slide: Limits,
    channel_map: Mapping[str, str] | None = None,
) -> Limits:
    """A slide's display limits in the order of ``channels``; for one that it lacks, those of ``image`` `(C, H, W)`."""
    limits = display_limits(image)
    for row, channel in enumerate(channels):
        name = (channel_map or {}).get(channel, channel)
        if name in slide_channels:
            limits[row] = of_slide[slide_channels.index(name)]
    return limits


def colours_by_channel(
    channels: Sequence[str],
    slide_channels: Sequence[str],
    of_slide: NDArray[np.float32],
    channel_map: Mapping[str, str] | None = None,
) -> NDArray[np.float32]:
    """A slide's colours `(C, 3)` in the order of ``channels``; one that it lacks has the colour of its name."""
    colours = channel_colours(channels)
    for row, channel in enumerate(channels):
        name = (channel_map or {}).get(channel, channel)
        if name in slide_channels:
            colours[row] = of_slide[slide_channels.index(name)]
    return colours


def normalised(image: FloatImage, limits: Limits) -> FloatImage:
    """`(C, H, W)` with the limits at 0 and 1, not clipped."""
    low, high = limits[:, 0, None, None], limits[:, 1, None, None]
    return ((image - low) / (high - low)).astype(np.float32)


def composite(
    image: FloatImage,
    channels: Sequence[str],
    limits: Limits | None = None,
    colours: NDArray[np.float32] | None = None,
) -> Picture:
    """Additive ``colours`` `(C, 3)` of all stains, by default those of their names. Pictures that are compared must be
    given the same ``limits``.
    """
    shown = np.clip(normalised(image, display_limits(image) if limits is None else limits), 0.0, 1.0)
    rgb = np.einsum("chw,cr->hwr", shown, channel_colours(channels) if colours is None else colours)
    # Where stains add up past full colour, dim instead of clipping: the hue still tells which stains they are.
    return _to_picture(rgb / np.maximum(rgb.max(axis=-1, keepdims=True), 1.0))


def difference(before: FloatImage, after: FloatImage, limits: Limits, full_scale: float = 0.5) -> Picture:
    """What an edit changed: orange where a stain got brighter, blue where one got darker, black where all are equal.

    Each pixel shows the stain that changed most; full colour is a change of ``full_scale`` of its displayed range.
    """
    changes = normalised(after, limits) - normalised(before, limits)
    strongest = np.abs(changes).argmax(axis=0)
    change = np.take_along_axis(changes, strongest[None], axis=0)[0] / full_scale
    return _to_picture(np.clip(change, 0, 1)[..., None] * _MORE + np.clip(-change, 0, 1)[..., None] * _LESS)


def _to_picture(rgb: NDArray[np.floating]) -> Picture:
    return (np.clip(rgb, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def enlarge(picture: Picture, factor: int) -> Picture:
    """Each pixel as a square of ``factor`` pixels: no detail is made up."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def at_side(picture: Picture, side_px: int) -> Picture:
    """A square picture ``side_px`` wide and high: each of its pixels is a square, as even as whole pixels allow."""
    place = np.arange(side_px) * picture.shape[0] // side_px
    return picture[place[:, None], place]


def with_scale_bar(picture: Picture, um_per_px: float, length_um: float = 5.0) -> Picture:
    """A white bar of ``length_um`` and its length, at the lower left. ``um_per_px`` is that of ``picture`` itself."""
    place, cover = _scale_bar(*picture.shape[:2], round(length_um / um_per_px), f"{length_um:g} µm")
    marked = picture.copy()
    marked[place] = np.rint(marked[place] + (255.0 - marked[place]) * cover).astype(np.uint8)
    return marked


def with_counterfactual_mark(picture: Picture) -> Picture:
    """The word COUNTERFACTUAL over the top edge."""
    place, mark = _counterfactual_mark(*picture.shape[:2])
    marked = picture.copy()
    marked[place] = mark
    return marked


@lru_cache(maxsize=64)  # letters are dear, and a cell is drawn at each move of a slider
def _scale_bar(height: int, width: int, bar_px: int, words: str) -> tuple[Place, NDArray[np.float64]]:
    """Where a scale bar of a picture lies, and `(h, w, 1)` how much of each pixel there it covers."""
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    margin, bottom = max(3, height // 32), height - max(3, height // 32)
    thickness = max(2, height // 80)
    draw.rectangle((margin, bottom - thickness, margin + bar_px, bottom), fill=255)
    draw.text((margin, bottom - thickness - 2), words, fill=255, font=letters(height // 16), anchor="lb")
    box = canvas.getbbox()
    assert box is not None, "a bar is drawn"
    left, top, right, under = box
    place = slice(top, under), slice(left, right)
    return place, np.asarray(canvas)[place][..., None] / 255.0


@lru_cache(maxsize=64)
def _counterfactual_mark(height: int, width: int) -> tuple[Place, Picture]:
    """Where the mark of a picture lies, and its pixels."""
    canvas = Image.new("RGB", (width, height))
    draw, font = ImageDraw.Draw(canvas), letters(height // 18)
    at = width - 4, 3
    left, top, right, under = (round(edge) for edge in draw.textbbox(at, COUNTERFACTUAL, font=font, anchor="ra"))
    draw.text(at, COUNTERFACTUAL, fill=(255, 205, 60), font=font, anchor="ra")
    place = slice(max(0, top - 2), under + 3), slice(max(0, left - 3), right + 4)
    return place, np.asarray(canvas)[place]


@dataclass(frozen=True, slots=True)
class TitledPicture:
    """One picture of a panel row and the line of text above it."""

    title: str
    picture: Picture


def panel_row(pictures: Sequence[TitledPicture], columns: int | None = None) -> Picture:
    """Titled pictures of one size beside each other, in rows of ``columns`` (all in one row when None)."""
    columns = min(columns or len(pictures), len(pictures))
    height, width = pictures[0].picture.shape[:2]
    font = letters(max(11, height // 18))
    title_px = font.getbbox("Ag")[3] + _GAP_PX
    num_rows = -(-len(pictures) // columns)
    size = (columns * (width + _GAP_PX) + _GAP_PX, num_rows * (height + title_px + _GAP_PX) + _GAP_PX)
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, item in enumerate(pictures):
        row, column = divmod(number, columns)
        x, y = _GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + title_px + _GAP_PX)
        draw.text((x, y), item.title, fill=INK, font=font)
        canvas.paste(Image.fromarray(item.picture), (x, y + title_px))
    return np.asarray(canvas)


@cache
def letters(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it: the same letters on every machine, µ among them."""
    file = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    with as_file(file) as path:
        return ImageFont.truetype(str(path), max(9, size_px))


def save_picture(picture: Picture, path: Path, notes: Mapping[str, str] | None = None) -> Path:
    """Write a TIFF where the path ends like one, else a PNG, whole or not at all.

    ``notes`` are a PNG's text records, and as JSON a TIFF's description.
    """
    notes = dict(notes or {})
    with staged_file(path) as staged:
        if path.suffix.lower() in TIFF_ENDINGS:
            info = {IMAGE_DESCRIPTION: json.dumps(notes)}
            Image.fromarray(picture).save(staged, format="TIFF", compression="tiff_deflate", tiffinfo=info)
        else:
            records = PngImagePlugin.PngInfo()
            for key, value in notes.items():
                records.add_itxt(key, value)
            Image.fromarray(picture).save(staged, format="PNG", pnginfo=records)
    return path
