"""One element of a slide's store as it is shown beside the slide's own: pixels or points, registered to µm.

Rasters stay lazy. Shapes are drawn once into a cached pyramid of labels, whatever their number. Points that are too
many to be seen singly become the density of all of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_spatia.data import ngff
from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.data.density import bin_places
from napari_spatia.data.element_list import num_points
from napari_spatia.data.elements import SlideStore, damage_named, lazy, open_store, stored_levels
from napari_spatia.data.picture import slide_limits
from napari_spatia.data.pyramid import Levels, make_pyramid, needs_pyramid
from napari_spatia.data.rasterize import rasterize_shapes
from napari_spatia.data.registered import affine_um, placement_um
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.data.transcripts import points_file
from napari_spatia.errors import SlideError
from napari_spatia.progress import Progress, silent

MOST_POINTS = 20_000
"""More points than this are shown as a density: the window takes 0.1 s to take over this many."""
DENSITY_BINS = 2048
"""Bins along the longer side of the slide."""
MOST_CHANNELS = 12
"""Each channel is a layer: of more channels the first are shown."""
KEPT_BYTES = 1 << 26
"""Decoded chunks of one shown element that stay in memory."""
RGB_NAMES = ({"r", "g", "b"}, {"red", "green", "blue"}, {"0", "1", "2"}, {"channel_0", "channel_1", "channel_2"})
BRIGHTEST_PERCENT = 99.9


@dataclass(frozen=True, slots=True)
class ElementPixels:
    """An image or labels beside the slide's own.

    ``channels`` holds the pyramid of each channel, finest first (one for labels and for ``is_rgb``, whose pixels are
    `(Y, X, 3)`); ``limits`` `(C, 2)` are the values shown as black and as full colour. ``to_um`` `(3, 3)` leads from
    (y, x, 1) in pixels, their corners at whole numbers, to the slide's µm.
    """

    kind: str
    channels: tuple[tuple[Any, ...], ...] = field(repr=False)
    channel_names: tuple[str, ...]
    to_um: NDArray[np.float64]
    limits: NDArray[np.float32] | None = None
    is_rgb: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ElementPoints:
    """Points `(n, 2)` float32 (y, x) in µm."""

    yx: NDArray[np.float32] = field(repr=False)
    note: str = ""


ElementPicture = ElementPixels | ElementPoints


def read_element(
    slide: Slide, kind: str, name: str, progress: Progress = silent, pyramids: Path | None = None
) -> ElementPicture:
    """One image, labels, shapes or points element of the slide's store. Raises `SlideError` where it has no picture.

    A large raster without coarser levels gets them in the folder ``pyramids``, where one is named.
    """
    store = open_store(slide.path)
    if name not in store.names(kind):
        raise SlideError(
            f"Slide '{slide.name}' has no {kind}/{name}. It has: {', '.join(store.names(kind)) or 'none'}."
        )
    progress(0.0, f"reading {name}")
    with damage_named(slide.path, f"{kind}/{name}"):
        if kind == "images":
            return _read_image(store, slide, name, progress, pyramids)
        if kind == "labels":
            levels = _read_levels(store, kind, name, progress, pyramids)
            return ElementPixels("labels", (_kept(levels),), (name,), affine_um(store, slide, kind, name))
        if kind == "shapes":
            return _draw_shapes(store, slide, name, progress)
        if kind == "points":
            return _read_points(store, slide, name, progress)
    raise SlideError(f"{kind}/{name} has no place on the slide. Colour the cells by its columns instead.")


def _kept(
    levels: Iterable[Any], kept: KeptChunks | None = None, channel: int | None = None
) -> tuple[ChunkedPixels, ...]:
    kept = kept or KeptChunks(KEPT_BYTES)
    return tuple(ChunkedPixels(level, kept, channel) for level in levels)


def _read_levels(store: SlideStore, kind: str, name: str, progress: Progress, pyramids: Path | None) -> Levels:
    levels = stored_levels(store, kind, name)
    if pyramids is None or not needs_pyramid(levels):
        return levels
    return (*levels, *make_pyramid(store.path, kind, name, levels[0], pyramids, progress))


def _read_image(store: SlideStore, slide: Slide, name: str, progress: Progress, pyramids: Path | None) -> ElementPixels:
    levels = _read_levels(store, "images", name, progress, pyramids)
    names = ngff.channel_names(store.attrs("images", name), levels[0].shape[0])
    to_um = affine_um(store, slide, "images", name)
    if levels[0].dtype == np.uint8 and {channel.lower() for channel in names} in RGB_NAMES:
        pixels = tuple(da.moveaxis(lazy(level), 0, -1) for level in levels)
        return ElementPixels("images", (pixels,), (name,), to_um, is_rgb=True)
    kept, shown = KeptChunks(KEPT_BYTES), range(min(len(names), MOST_CHANNELS))
    hidden = len(names) - len(shown)
    return ElementPixels(
        "images",
        tuple(_kept(levels, kept, idx) for idx in shown),
        tuple(names[idx] for idx in shown),
        to_um,
        slide_limits(Raster(tuple(lazy(level) for level in levels), 1.0), high=BRIGHTEST_PERCENT)[: len(shown)],
        note=f"{name} has {len(names)} channels; the first {len(shown)} are shown." if hidden else "",
    )


def _draw_shapes(store: SlideStore, slide: Slide, name: str, progress: Progress) -> ElementPixels:
    drawn = rasterize_shapes(store, name, placement_um(store, slide, "shapes", name), slide.image, progress=progress)
    return ElementPixels("shapes", (_kept(drawn.sources),), (name,), _of_grid(drawn.um_per_px, drawn.origin_um))


def _of_grid(um_per_px: float, origin_um: tuple[float, float]) -> NDArray[np.float64]:
    return np.array([[um_per_px, 0, origin_um[0]], [0, um_per_px, origin_um[1]], [0, 0, 1.0]])


def _read_points(store: SlideStore, slide: Slide, name: str, progress: Progress) -> ElementPicture:
    """The points themselves, or where they are many how many lie in each bin of the slide."""
    to_um, num = affine_um(store, slide, "points", name), num_points(store, name)
    parts = _parts(store, name, to_um, progress)
    if num <= MOST_POINTS:
        return ElementPoints(np.concatenate([np.zeros((0, 2), np.float32), *parts]))
    window = y0, x0, y1, x1 = slide.image.extent_um
    step = max(y1 - y0, x1 - x0) / DENSITY_BINS
    density = bin_places(np.zeros((0, 2), np.float32), window, step)
    for places in parts:
        density += bin_places(places, window, step)
    bright = float(np.percentile(density[density > 0], BRIGHTEST_PERCENT)) if density.any() else 1.0
    return ElementPixels(
        "points",
        ((density,),),
        (name,),
        _of_grid(step, (y0, x0)),
        np.array([[0.0, bright]], np.float32),
        note=f"{num:,} points of {name} are shown as a density, in bins of {step:.3g} µm.",
    )


def _parts(
    store: SlideStore, name: str, to_um: NDArray[np.float64], progress: Progress
) -> Iterator[NDArray[np.float32]]:
    """`(k, 2)` places (y, x) in µm, one partition of the points at a time."""
    import dask
    import dask.dataframe as dd

    frame = dd.read_parquet(points_file(store, name), columns=["x", "y"])
    for number in range(frame.npartitions):
        progress(number / frame.npartitions, f"reading {name}")
        with dask.config.set(scheduler="synchronous"):
            part = frame.partitions[number].compute()
        yx = part[["y", "x"]].to_numpy(np.float64)
        yield (yx @ to_um[:2, :2].T + to_um[:2, 2]).astype(np.float32)
