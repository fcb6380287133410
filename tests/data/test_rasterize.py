"""Shapes drawn as labels: every pixel whose centre is inside, holes left out, once."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data import rasterize
from napari_spatia.data.elements import open_store
from napari_spatia.data.io import open_slide
from napari_spatia.data.ngff import Placement
from napari_spatia.data.rasterize import fill, rasterize_shapes
from napari_spatia.errors import Cancelled


def pixels_inside(polygon: shapely.Geometry, shape: tuple[int, int], corner: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return shapely.contains_xy(polygon, x + corner[1] + 0.5, y + corner[0] + 0.5)


@settings(max_examples=60, deadline=None)
@given(
    angles=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=9),
    radii=st.lists(st.floats(2.0, 14.0), min_size=9, max_size=9),
    center=st.tuples(st.floats(-3.0, 33.0), st.floats(-3.0, 33.0)),
    corner=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    hole=st.booleans(),
)
def test_fill_takes_the_pixels_whose_centers_are_inside(
    angles: list[float], radii: list[float], center: tuple[float, float], corner: tuple[int, int], hole: bool
) -> None:
    turn = np.cumsum(angles) / sum(angles) * 2 * np.pi
    ring = np.column_stack([np.cos(turn), np.sin(turn)]) * np.array(radii[: len(turn)])[:, None] + center[::-1]
    polygon = shapely.make_valid(shapely.Polygon(ring))
    if hole:
        polygon = polygon.difference(shapely.Point(*center[::-1]).buffer(1.7))
    if polygon.geom_type not in ("Polygon", "MultiPolygon"):
        return
    tile = np.zeros((24, 27), np.int32)
    fill(tile, np.array([polygon]), np.array([5]), corner)
    expected = pixels_inside(polygon, tile.shape, corner)
    near = shapely.distance(
        polygon.boundary,
        shapely.points(*(np.argwhere((tile == 5) != expected)[:, ::-1] + np.array(corner)[::-1] + 0.5).T),
    )
    assert (near < 1e-6).all() or not expected.any()  # equal but for centres on the line itself; a speck gets one pixel
    assert set(np.unique(tile)) <= {0, 5}


def test_every_part_of_a_shape_is_drawn() -> None:
    tile = np.zeros((6, 9), np.int32)
    fill(tile, np.array([shapely.union(shapely.box(0, 0, 3, 2), shapely.box(5, 3, 8, 5))]), np.array([7]), (0, 0))
    assert (tile[:2, :3] == 7).all() and (tile[3:5, 5:8] == 7).all() and (tile == 7).sum() == 12


def test_later_shapes_lie_over_earlier_and_specks_get_a_pixel() -> None:
    tile = np.zeros((10, 10), np.int64)
    big, upper, speck = shapely.box(0, 0, 6, 6), shapely.box(4, 4, 9, 9), shapely.box(0.6, 8.6, 0.8, 8.8)
    fill(tile, np.array([big, upper, speck]), np.array([1, 2**40, 3]), (0, 0))
    assert tile[5, 5] == 2**40 and tile[3, 3] == 1 and tile[8, 0] == 3
    assert [(tile == value).sum() for value in (1, 2**40, 3)] == [32, 25, 1]


def test_tiles_join_without_a_seam(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(with_labels=False, region="cell_boundaries")
    whole = np.asarray(open_slide(path).labels.levels[0])
    monkeypatch.setattr(rasterize, "TILE_PX", 32)
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(path.parent / "other cache"))
    levels = open_slide(path).labels.levels
    np.testing.assert_array_equal(np.asarray(levels[0]), whole)
    assert [level.shape for level in levels] == [(144, 168), (72, 84), (36, 42), (18, 21)]
    np.testing.assert_array_equal(np.asarray(levels[1]), whole[::2, ::2])


def test_drawn_labels_are_those_of_the_store(build: Callable[..., Path]) -> None:
    path = build()
    slide, store = open_slide(path), open_store(path)
    drawn = rasterize_shapes(store, "cell_boundaries", Placement(), slide.image)
    given_labels = np.asarray(slide.labels.levels[0])
    assert (np.asarray(drawn.levels[0]) == given_labels).mean() > 0.98


def test_the_cache_is_used_and_forgets_changed_shapes(build: Callable[..., Path], cache_folder: Path) -> None:
    path = build(with_labels=False, region="cell_boundaries")
    told: list[float] = []
    open_slide(path, progress=lambda fraction, doing: told.append(fraction))
    assert told[0] == 0.0 and told[-1] == 1.0 and told == sorted(told)
    told.clear()
    open_slide(path, progress=lambda fraction, doing: told.append(fraction))
    assert not told
    os.utime(path / "shapes/cell_boundaries/shapes.parquet", (1, 1))
    open_slide(path, progress=lambda fraction, doing: told.append(fraction))
    assert told and len(list((cache_folder / "labels").iterdir())) == 2


def test_cancelling_leaves_no_half_drawn_labels(build: Callable[..., Path], cache_folder: Path) -> None:
    path = build(with_labels=False, region="cell_boundaries")

    def cancel(fraction: float, doing: str) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        open_slide(path, progress=cancel)
    assert list((cache_folder / "labels").iterdir()) == []
    assert open_slide(path).num_cells == 42
