"""Shapes drawn once, tile by tile, into a pyramid of labels that is kept in a cache folder.

The cache lies outside the slide, in the user's cache folder or in ``$NAPARI_SPATIA_CACHE``, and is found again by the
shapes file (path, time, size), its placement and the image's grid; a changed slide is drawn anew.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import shapely
import zarr
from numpy.typing import NDArray

from napari_spatia.data.elements import SlideStore, lazy
from napari_spatia.data.ngff import Placement
from napari_spatia.data.pyramid import halve_until_small, new_level
from napari_spatia.data.shapes import label_values, outlines, read_shapes, shapes_file
from napari_spatia.data.slide import Raster
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, part, silent

TILE_PX = 1024
_VERSION = 1
_SPECK_PX2 = 16.0
"""A shape of a smaller bounding box may hold no pixel centre; a larger one that draws nothing lies in another tile."""


def cache_folder() -> Path:
    """Where drawn labels are kept."""
    named = os.environ.get("NAPARI_SPATIA_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("napari-spatia", appauthor=False))


def rasterize_shapes(
    store: SlideStore, name: str, placement: Placement, image: Raster, *, progress: Progress = silent
) -> Raster:
    """Labels of one shapes element on the image's grid, from the cache or drawn now.

    A pixel belongs to the shape that holds its centre (the later one where shapes overlap); a shape too small to hold
    any gets the pixel under its centroid. Values are those of `shapes.label_values`.
    """
    to_px = Placement(
        placement.scale / image.um_per_px,
        (
            (placement.shift[0] - image.origin_um[0]) / image.um_per_px,
            (placement.shift[1] - image.origin_um[1]) / image.um_per_px,
        ),
    )
    folder = cache_folder() / "labels" / _key(store, name, to_px, image.shape_px)
    if not folder.is_dir():
        with staged_folder(folder) as staged:
            _draw(store, name, to_px, image.shape_px, staged, progress)
    group = zarr.open_group(folder, mode="r")
    stored = tuple(group[str(level)] for level in range(len(list(group.array_keys()))))
    return Raster(tuple(lazy(level) for level in stored), image.um_per_px, image.origin_um, stored)


def _key(store: SlideStore, name: str, to_px: Placement, shape_px: tuple[int, int]) -> str:
    stat = shapes_file(store, name).stat()
    facts = (_VERSION, str(store.path.resolve()), name, stat.st_mtime_ns, stat.st_size, to_px, shape_px)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _draw(
    store: SlideStore, name: str, to_px: Placement, shape_px: tuple[int, int], folder: Path, progress: Progress
) -> None:
    doing = f"Drawing shapes '{name}' as labels"
    progress(0.0, doing)
    frame = read_shapes(store, name)
    values = label_values(frame.index).to_numpy()
    polygons = outlines(frame, to_px)
    dtype = np.int32 if not len(values) or values.max() <= np.iinfo(np.int32).max else np.int64
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    finest = new_level(group, 0, shape_px, dtype, TILE_PX)
    tree = shapely.STRtree(polygons)
    with_progress = part(progress, 0.0, 0.85)
    for done, (y, x) in _tiles(shape_px):
        with_progress(done, doing)
        height, width = min(TILE_PX, shape_px[0] - y), min(TILE_PX, shape_px[1] - x)
        found = np.sort(tree.query(shapely.box(x, y, x + width, y + height)))
        if len(found):
            tile = np.zeros((height, width), dtype)
            fill(tile, polygons[found], values[found], (y, x))
            finest[y : y + height, x : x + width] = tile
    halve_until_small(group, finest, True, part(progress, 0.85, 1.0), TILE_PX)


def _tiles(shape_px: tuple[int, ...]) -> Iterator[tuple[float, tuple[int, int]]]:
    """Fraction done before it, and corner (y, x), of each tile."""
    corners = [(y, x) for y in range(0, shape_px[0], TILE_PX) for x in range(0, shape_px[1], TILE_PX)]
    for number, corner in enumerate(corners):
        yield number / len(corners), corner


def fill(
    tile: NDArray[np.integer], polygons: NDArray[np.object_], values: NDArray[np.integer], corner: tuple[int, int]
) -> None:
    """Draw polygons, given in pixels (x, y) of the whole image, into the tile whose first pixel is ``corner`` (y, x).

    Every edge is crossed with the pixel rows' centre lines; between the odd and the even crossings of a row lies the
    inside, which leaves holes out and takes all parts of a multipolygon. All polygons of the tile go at once.
    """
    height, width = tile.shape
    parts, polygon_of_part = shapely.get_parts(polygons, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    polygon_of_ring = polygon_of_part[part_of_ring]
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = xy[:, 0] - corner[1], xy[:, 1] - corner[0]
    edge = np.flatnonzero((ring[1:] == ring[:-1]) & (y[1:] != y[:-1]))
    first = np.clip(np.ceil(np.minimum(y[edge], y[edge + 1]) - 0.5), 0, height).astype(np.int64)
    stop = np.clip(np.ceil(np.maximum(y[edge], y[edge + 1]) - 0.5), 0, height).astype(np.int64)
    row = _ranges(first, stop - first)
    edge = np.repeat(edge, stop - first)
    crossed_x = x[edge] + (row + 0.5 - y[edge]) * (x[edge + 1] - x[edge]) / (y[edge + 1] - y[edge])
    col = np.clip(np.ceil(crossed_x - 0.5), 0, width).astype(np.int64)
    order = np.lexsort((crossed_x, row, polygon_of_ring[ring[edge]]))
    start, length = col[order[::2]], col[order[1::2]] - col[order[::2]]
    drawn = polygon_of_ring[ring[edge[order[::2]]]]
    pixels = _ranges(row[order[::2]] * width + start, length)
    tile.reshape(-1)[pixels] = np.repeat(values[drawn], length)
    _fill_specks(tile, polygons, values, corner, np.unique(drawn[length > 0]))


def _ranges(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """The integers start, …, start + length - 1 of each pair, one after the other."""
    before = np.cumsum(length) - length
    return np.arange(int(length.sum())) + np.repeat(start - before, length)


def _fill_specks(
    tile: NDArray[np.integer],
    polygons: NDArray[np.object_],
    values: NDArray[np.integer],
    corner: tuple[int, int],
    drawn: NDArray[np.intp],
) -> None:
    """Give shapes that are too small to hold a pixel's centre the pixel under their centroid."""
    missing = np.setdiff1d(np.arange(len(polygons)), drawn)
    bounds = shapely.bounds(polygons[missing])
    missing = missing[(bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1]) < _SPECK_PX2]
    points = shapely.get_coordinates(shapely.centroid(polygons[missing]))
    yx = np.floor(points[:, ::-1]).astype(np.int64) - np.asarray(corner)
    inside = (yx >= 0).all(axis=1) & (yx < np.asarray(tile.shape)).all(axis=1)
    tile[tuple(yx[inside].T)] = values[missing[inside]]
