"""Patches to pixels, in the colours that the slide's stains have on screen, with the mark that says counterfactual.

C channels, H × W crop pixels. Pure functions and arrays; `patch_view` makes layers of them.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.measure import find_contours

from napari_spatia.data.picture import COUNTERFACTUAL, letters
from napari_spatia.session.patches import CROP, Patch

ENLARGE = 4
"""Pixels of a cell's layer a crop pixel, in each direction: the mark is finer than the stains."""
LABEL_PX = 24
"""Height of the room for the label above a crop, in pixels of the layer."""
LABEL_SHARE = 0.7
"""Share of a crop's width that the label takes at most."""
DASH_UM, GAP_UM = 0.9, 0.6
MARK = (255, 205, 60)
BEFORE = "BEFORE: ZERO EDIT"
LUT_SIZE = 256
COARSEST_PX = 512
KEPT_WINDOWS = 4

RgbaPicture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StainLook:
    """How one stain looks on screen: intensities in ``limits`` go through ``lut`` `(LUT_SIZE, 3)` float32."""

    limits: tuple[float, float]
    lut: NDArray[np.float32]

    def shown(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(…, 3)` what ``values`` `(…)` add to the picture."""
        low, high = self.limits
        share = np.clip((values - low) * ((LUT_SIZE - 1) / max(high - low, 1e-12)), 0, LUT_SIZE - 1)
        return np.asarray(self.lut[(share + 0.5).astype(np.intp)])


Looks = Mapping[str, StainLook]
"""By channel; one that is not among them is not seen."""


def stained(values: NDArray[np.float32], channels: Sequence[str], looks: Looks) -> NDArray[np.uint8]:
    """`(C, …)` in slide units → `(…, 3)` uint8: the sum of what the stains add, as the slide's own layers do."""
    rgb = np.zeros((*values.shape[1:], 3), np.float32)
    for value, channel in zip(values, channels, strict=True):
        if channel in looks:
            rgb += looks[channel].shown(value)
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def mark_of(before: bool) -> str:
    """The word on a patch."""
    return BEFORE if before else COUNTERFACTUAL


def picture_shape(height_px: int, width_px: int) -> tuple[int, int, int]:
    """Of what `paint_patch` makes of a crop of so many pixels."""
    return LABEL_PX + ENLARGE * height_px, ENLARGE * width_px, 4


def paint_patch(patch: Patch, looks: Looks, extent: str, before: bool) -> RgbaPicture:
    """`picture_shape(H, W)` RGBA: the patch, the drawn cell's outline in dashes, the mark above it."""
    values = patch.before if before else patch.after
    weight = np.ones_like(patch.weight) if extent == CROP else patch.weight
    rgba = np.dstack([stained(values, patch.channels, looks), (weight * 255 + 0.5).astype(np.uint8)])
    whole = np.zeros(picture_shape(*weight.shape), np.uint8)
    whole[LABEL_PX:] = rgba.repeat(ENLARGE, axis=0).repeat(ENLARGE, axis=1)
    canvas = Image.fromarray(whole)
    draw = ImageDraw.Draw(canvas)
    for dash in dashes(patch.mask, patch.um_per_px):
        line = [(float(x), float(y) + LABEL_PX) for y, x in dash * ENLARGE]
        draw.line(line, fill=(0, 0, 0, 255), width=4)
        draw.line(line, fill=(*MARK, 255), width=2)
    rows = np.flatnonzero((weight > 0).any(axis=1))
    top_px = LABEL_PX + (ENLARGE * int(rows[0]) if len(rows) else 0)
    label = _label(mark_of(before), round(LABEL_SHARE * canvas.width))
    canvas.paste(label, ((canvas.width - label.width) // 2, top_px - label.height))
    return np.asarray(canvas)


@lru_cache(4)
def _label(text: str, width_px: int) -> Image.Image:
    """A line of text as wide as it may be."""
    size = LABEL_PX - 4
    while size > 9 and letters(size).getlength(text) + 8 > width_px:
        size -= 1
    font = letters(size)
    height = round(font.getbbox("Ag")[3]) + 4
    label = Image.new("RGBA", (round(font.getlength(text)) + 8, height), (0, 0, 0, 255))
    ImageDraw.Draw(label).text((4, 1), text, fill=(*MARK, 255), font=font)
    return label


def dashes(mask: NDArray[np.float32], um_per_px: float) -> list[NDArray[np.float64]]:
    """Pieces `(K, 2)` (y, x) of the outline of ``mask`` `(H, W)`, in pixels from the corner of pixel (0, 0)."""
    contours = find_contours(np.pad(mask, 1), 0.5)
    if not contours:
        return []
    line = max(contours, key=len) - 0.5  # the padding off, and pixel centres are half a pixel from the corner
    place = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]) * um_per_px
    pieces = []
    for start in np.arange(0, place[-1], DASH_UM + GAP_UM):
        at = np.linspace(start, min(start + DASH_UM, place[-1]), 4)
        pieces.append(np.stack([np.interp(at, place, line[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


@dataclass(frozen=True, slots=True)
class _Stamp:
    """One cell of `Applied`: where it lies on the grid, its weight and which of its pixels are dashes."""

    patch: Patch
    y: int
    x: int
    dashed: NDArray[np.bool_]


class AppliedPatches:
    """Many patches as one picture that is painted where it is looked at; ``looks`` and ``before`` may be replaced.

    Where cells overlap, their pictures are mixed by their weights.
    """

    def __init__(self, patches: Sequence[Patch]) -> None:
        assert patches, "an edit is applied to cells"
        first = np.array([patch.first_px for patch in patches])
        size = np.array([patch.weight.shape for patch in patches])
        self.first_px = first.min(axis=0)
        extent = (first + size).max(axis=0) - self.first_px
        num_levels = 1 + max(0, int(np.ceil(np.log2(extent.max() / COARSEST_PX))))
        coarsest = 2 ** (num_levels - 1)
        self.size_px = -(-extent // coarsest) * coarsest  # all levels cover the same area
        self.um_per_px, self.channels = patches[0].um_per_px, patches[0].channels
        self.stamps = tuple(
            _Stamp(patch, int(place[0]), int(place[1]), _dashed(patch))
            for patch, place in zip(patches, first - self.first_px, strict=True)
        )
        self.looks: Looks = {}
        self.before = False
        self.levels = [AppliedLevel(self, 2**level) for level in range(num_levels)]

    @property
    def corner_um(self) -> tuple[float, float]:
        """(y, x) of the outer corner of pixel (0, 0) in the slide's frame."""
        return float(self.first_px[0] * self.um_per_px), float(self.first_px[1] * self.um_per_px)


@dataclass(frozen=True, slots=True)
class _Window:
    """Weighted sums over the cells in a window: stains `(C, h, w)`, weights `(h, w)`, and share of dashes `(h, w)`."""

    stains: NDArray[np.float32]
    weight: NDArray[np.float32]
    dashed: NDArray[np.float32]


class AppliedLevel:
    """One level of the picture, an array-like `(Y, X, 4)` uint8 RGBA whose pixels exist only when they are read."""

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, whole: AppliedPatches, step: int) -> None:
        self._whole, self._step = whole, step
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width = self._whole.size_px // self._step
        return int(height), int(width), 4

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = tuple(slice(None) if part is Ellipsis else part for part in (*keys, slice(None), slice(None))[:3])
        spans, picked = [], []
        for part, length in zip(keys[:2], self.shape[:2], strict=True):
            one = isinstance(part, slice)
            low, high, step = part.indices(length) if one else (int(part), int(part) + 1, 1)
            spans.append((low, max(low, high)))
            picked.append(slice(None, None, step) if one else 0)
        return self._painted(spans)[(*picked, keys[2])]

    def _painted(self, spans: Sequence[tuple[int, int]]) -> RgbaPicture:
        window, whole = self._window(spans), self._whole
        rgba = np.zeros((*window.weight.shape, 4), np.uint8)
        there = window.weight > 0
        rgba[there, :3] = stained(window.stains[:, there] / window.weight[there], whole.channels, whole.looks)
        rgba[there, 3] = (np.minimum(window.weight[there], 1) * 255 + 0.5).astype(np.uint8)
        dashed = window.dashed > 0
        rgba[dashed, :3] = MARK
        rgba[dashed, 3] = np.maximum(rgba[dashed, 3], (np.minimum(window.dashed[dashed], 1) * 255).astype(np.uint8))
        return rgba

    def _window(self, spans: Sequence[tuple[int, int]]) -> _Window:
        name = f"{spans} {self._whole.before}"
        if name not in self._windows:
            self._windows[name] = self._sum(spans)
        self._windows.move_to_end(name)
        while len(self._windows) > KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return self._windows[name]

    def _sum(self, spans: Sequence[tuple[int, int]]) -> _Window:
        (y0, y1), (x0, x1) = spans
        num_channels, shape = len(self._whole.channels), (y1 - y0, x1 - x0)
        window = _Window(
            np.zeros((num_channels, *shape), np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        )
        for stamp in self._whole.stamps:
            height, width = (-(-(place % self._step + size) // self._step)
                             for place, size in zip((stamp.y, stamp.x), stamp.dashed.shape, strict=True))  # fmt: skip
            top, left = stamp.y // self._step - y0, stamp.x // self._step - x0
            rows, columns = slice(max(top, 0), top + height), slice(max(left, 0), left + width)
            if rows.stop <= 0 or columns.stop <= 0 or top >= shape[0] or left >= shape[1]:
                continue
            sums = self._reduced(stamp)[:, max(-top, 0) : shape[0] - top, max(-left, 0) : shape[1] - left]
            window.stains[:, rows, columns] += sums[:-2]
            window.weight[rows, columns] += sums[-2]
            window.dashed[rows, columns] += sums[-1]
        return window

    def _reduced(self, stamp: _Stamp) -> NDArray[np.float32]:
        """`(C + 2, h, w)` weighted stains, weight and dashes of one cell, as means over this level's pixels."""
        patch, step = stamp.patch, self._step
        image = patch.before if self._whole.before else patch.after
        stack = np.concatenate([image * patch.weight, patch.weight[None], stamp.dashed[None]], dtype=np.float32)
        if step == 1:
            return stack
        around = [(place % step, -(place % step + size) % step)
                  for place, size in zip((stamp.y, stamp.x), patch.weight.shape, strict=True)]  # fmt: skip
        padded = np.pad(stack, [(0, 0), *around])
        height, width = (length // step for length in padded.shape[1:])
        return np.asarray(padded.reshape(-1, height, step, width, step).mean(axis=(2, 4)))


def _dashed(patch: Patch) -> NDArray[np.bool_]:
    """`(H, W)` the pixels under the dashes of a patch's outline."""
    canvas = Image.new("1", (patch.mask.shape[1], patch.mask.shape[0]))
    draw = ImageDraw.Draw(canvas)
    for dash in dashes(patch.mask, patch.um_per_px):
        draw.line([(float(x) - 0.5, float(y) - 0.5) for y, x in dash], fill=1)
    return np.asarray(canvas)
