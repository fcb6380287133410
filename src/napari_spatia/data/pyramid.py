"""Coarser levels of a raster that its store has in one size only: made once, kept in a folder outside the store.

An image is halved by the mean of two by two pixels, labels by every second one. Levels are read and written tile by
tile, so that memory holds one tile whatever the size of the raster. A pyramid is found again by its element's files
(names, times, sizes): a changed element gets a new one, and its old one goes.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_spatia.data.slide import Raster, Slide
from napari_spatia.errors import SlideError
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, silent

Levels = tuple[zarr.Array, ...]
"""Coarser levels, the finest of them first, `(C, Y, X)` or `(Y, X)`; nothing is read yet."""
LARGE_PX = 4096
"""A raster with a longer side than this is not shown well without coarser levels."""
TILE_PX = 1024
_LARGEST_TILE_PX = 4096
_VERSION = 1


def needs_pyramid(levels: Sequence[Any]) -> bool:
    """Whether a raster is large and has its finest level only."""
    return len(levels) == 1 and max(levels[0].shape[-2:]) > LARGE_PX


def find_pyramid(store: Path, kind: str, name: str, folder: Path) -> Levels:
    """The coarser levels of an element that were made for its files as they are now; none where there are none."""
    made = _place(store, kind, name, folder)
    if not made.is_dir():
        return ()
    group = zarr.open_group(made, mode="r")
    levels = (group[str(level + 1)] for level in range(len(list(group.array_keys()))))
    return tuple(level for level in levels if isinstance(level, zarr.Array))


def make_pyramid(store: Path, kind: str, name: str, finest: Any, folder: Path, progress: Progress = silent) -> Levels:
    """Make the coarser levels of an image or labels, or find them; they appear in ``folder`` whole or not at all.

    Raises `SlideError` when the disk has no room for them.
    """
    found = find_pyramid(store, kind, name, folder)
    if found:
        return found
    made = _place(store, kind, name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = finest.nbytes // 3, shutil.disk_usage(folder).free
    if needed > free:
        raise SlideError(
            f"No room for a pyramid of {kind}/{name}: up to {needed / 1e9:.1f} GB are needed in '{folder}', "
            f"{free / 1e9:.1f} GB are free. The slide can be used without; free some room and open it again."
        )
    with staged_folder(made) as staged:
        halve_until_small(zarr.open_group(staged, mode="w", zarr_format=3), finest, kind == "labels", progress)
    for old in folder.iterdir():
        if old != made and old.name.rpartition("-")[0] == made.name.rpartition("-")[0]:
            shutil.rmtree(old, ignore_errors=True)
    return find_pyramid(store, kind, name, folder)


def stored_pyramid(store: Path, kind: str, name: str, raster: Raster, folder: Path) -> Levels:
    """The coarser levels of an image or labels that an earlier session made; none where it needs or has none."""
    return find_pyramid(store, kind, name, folder) if _is_lacking(store, kind, name, raster.levels) else ()


def missing_pyramids(slide: Slide, image: Sequence[Any], labels: Sequence[Any]) -> dict[str, tuple[str, Raster]]:
    """By kind, the image and the labels that are large and are shown (``image``, ``labels``) in one size only."""
    rasters = {
        "images": (slide.image_name, slide.image, image),
        "labels": (slide.labels_name, slide.labels, labels),
    }
    return {
        kind: (name, raster)
        for kind, (name, raster, shown) in rasters.items()
        if _is_lacking(slide.path, kind, name, shown)
    }


def _is_lacking(store: Path, kind: str, name: str, shown: Sequence[Any]) -> bool:
    """Whether an element needs a pyramid and can have one: labels that were drawn from shapes are not in the store."""
    return needs_pyramid(shown) and (store / kind / name).is_dir()


def halve_until_small(
    group: zarr.Group, finest: Any, is_labels: bool, progress: Progress = silent, tile_px: int = TILE_PX
) -> None:
    """Write levels 1, 2, … of ``finest`` `(…, Y, X)` into a group, until one fits a tile."""
    level, source = 0, finest
    while max(source.shape[-2:]) > tile_px:
        level += 1
        height, width = (length // 2 for length in source.shape[-2:])
        half = new_level(group, level, (*source.shape[:-2], height, width), source.dtype, tile_px)
        done_before, share = 1 - 0.25 ** (level - 1), 0.75 * 0.25 ** (level - 1)
        for done, place in _tiles(half.shape, _written_px(source, tile_px)):
            progress(done_before + share * done, "halving the labels" if is_labels else "halving the image")
            *outer, rows, columns = place
            part = (*outer, _doubled(rows), _doubled(columns))
            half[place] = _halved(np.asarray(source[part]), is_labels)
        source = half
    progress(1.0, "halved")


def new_level(group: zarr.Group, level: int, shape: tuple[int, ...], dtype: Any, tile_px: int = TILE_PX) -> zarr.Array:
    """An empty level, one tile of one channel a chunk."""
    chunks = (*(1,) * (len(shape) - 2), *(min(tile_px, length) for length in shape[-2:]))
    return group.create_array(str(level), shape=shape, chunks=chunks, dtype=dtype, fill_value=0)


def _halved(pixels: NDArray[Any], is_labels: bool) -> NDArray[Any]:
    if is_labels:
        return pixels[..., ::2, ::2]
    quarters = [pixels[..., y::2, x::2] for y in (0, 1) for x in (0, 1)]
    if pixels.dtype.kind == "f":
        return np.mean(quarters, axis=0, dtype=pixels.dtype)
    return ((np.sum(quarters, axis=0, dtype=np.int64) + 2) // 4).astype(pixels.dtype)


def _written_px(source: Any, tile_px: int) -> int:
    """Edge of a written tile: a source of large chunks is read in larger parts, so that each is read about once."""
    chunk = max(int(np.max(edges)) for edges in source.chunks[-2:])
    tiles = -(-chunk // (2 * tile_px))
    return min(max(tiles, 1) * tile_px, _LARGEST_TILE_PX)


def _tiles(shape: tuple[int, ...], tile_px: int) -> Iterator[tuple[float, tuple[Any, ...]]]:
    """Fraction done before it, and place, of each tile of each channel."""
    corners = [
        (*outer, slice(y, min(y + tile_px, shape[-2])), slice(x, min(x + tile_px, shape[-1])))
        for outer in np.ndindex(*shape[:-2])
        for y in range(0, shape[-2], tile_px)
        for x in range(0, shape[-1], tile_px)
    ]
    for number, corner in enumerate(corners):
        yield number / len(corners), corner


def _doubled(part: slice) -> slice:
    return slice(2 * part.start, 2 * part.stop)


def _place(store: Path, kind: str, name: str, folder: Path) -> Path:
    """Where the pyramid of an element lies, for the element's files as they are now."""
    element = store / kind / name
    stats = sorted((str(file.relative_to(element)), file.stat()) for file in element.rglob("*") if file.is_file())
    facts = (_VERSION, [(path, stat.st_mtime_ns, stat.st_size) for path, stat in stats])
    return folder / f"{kind}-{name}-{_digest(str(store.resolve()))}-{_digest(repr(facts))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
