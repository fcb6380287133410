"""Pictures of cells for a benchmark, a few at a time, so that memory does not grow with their number.

A source yields (``position``, ``images``, ``masks``): where in the list of cells these n are, `(n, C, H, W)` float32 in
the slide's units, and `(n, H, W)` bool, the cell itself.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.crops import TILE_UM, read_crops, read_masks
from napari_spatia.inference.predictor import BoundSlide
from napari_spatia.progress import Progress, part, silent

CELLS_AT_ONCE = 512
CELLS_READ_AT_ONCE = 4096
Pictures = Iterator[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]]


def real_pictures(bound: BoundSlide, cells: NDArray[np.intp], progress: Progress = silent) -> Pictures:
    """The crops of real cells, on the grid and with the channels of generated ones, tile by tile of the slide."""
    info, slide = bound.predictor.info, bound.slide
    channels = [slide.channels.index(bound.channel_map.get(channel, channel)) for channel in info.channels]
    near = np.lexsort(np.floor(slide.centers_um[cells] / TILE_UM).T)  # cells of one tile are read together
    for position, span in in_chunks(near, CELLS_READ_AT_ONCE, progress):
        rows = cells[position]
        window = (slide.centers_um[rows], info.um_per_px, info.crop_px)
        images = read_crops(slide.image, *window, progress=span)[:, channels]
        yield position, images, read_masks(slide.labels, slide.instance_id[rows], *window)


def generated_pictures(
    bound: BoundSlide,
    cells: NDArray[np.intp],
    *,
    nfe: int,
    merge_ratio: float = 0.0,
    seed: int = 0,
    progress: Progress = silent,
) -> Pictures:
    """One picture of each cell, drawn from its expression, niche and tissue."""
    for position, span in in_chunks(np.arange(len(cells)), CELLS_AT_ONCE, progress):
        rows = cells[position]
        images, masks = bound.generate(rows, nfe=nfe, merge_ratio=merge_ratio, seed=seed, progress=span)
        yield position, images[:, 0], masks[:, 0] >= 0.5


def in_chunks(items: NDArray, size: int, progress: Progress) -> Iterator[tuple[NDArray, Progress]]:
    """``size`` items at a time, each with its part of the progress."""
    for start in range(0, len(items), size):
        some = items[start : start + size]
        yield some, part(progress, start / len(items), (start + len(some)) / len(items))
