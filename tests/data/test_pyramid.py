import os
import shutil

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_spatia.data import pyramid
from napari_spatia.data.pyramid import find_pyramid, halve_until_small, make_pyramid, needs_pyramid
from napari_spatia.errors import Cancelled, SlideError

TILE = 8


@pytest.fixture
def stored(tmp_path):
    """Make an element of a store from an array; returns the store and the lazy array."""

    def make(pixels, kind="images", name="large"):
        group = zarr.open_group(tmp_path / "slide.zarr" / kind / name, mode="w")
        chunks = (1,) * (pixels.ndim - 2) + (7, 5)
        group.create_array("0", shape=pixels.shape, chunks=chunks, dtype=pixels.dtype)[:] = pixels
        return tmp_path / "slide.zarr", da.from_zarr(group["0"])

    return make


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(pyramid, "TILE_PX", TILE)
    monkeypatch.setattr(halve_until_small, "__defaults__", (*halve_until_small.__defaults__[:-1], TILE))


def test_only_a_large_raster_of_one_size_needs_a_pyramid():
    large, small = np.zeros((1, 4097)), np.zeros((4096, 4096))
    assert needs_pyramid([large]) and not needs_pyramid([small]) and not needs_pyramid([large, small])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_image_is_halved_by_the_mean_of_its_pixels(stored, tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 37, 51)).astype(dtype)
    store, lazy = stored(pixels)
    levels = make_pyramid(store, "images", "large", lazy, tmp_path / "cache")
    assert [level.shape for level in levels] == [(2, 18, 25), (2, 9, 12), (2, 4, 6)]
    expected = pixels
    for level in levels:
        height, width = level.shape[-2:]
        cut = expected[:, : 2 * height, : 2 * width].astype(float).reshape(2, height, 2, width, 2)
        mean = cut.mean(axis=(2, 4))
        expected = np.asarray(level)
        assert expected.dtype == dtype and np.abs(expected - mean).max() <= (0 if dtype == np.float32 else 0.5) + 1e-4


def test_labels_are_halved_without_new_values(stored, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 9, (40, 33)).astype(np.int64) * 10**10
    store, lazy = stored(pixels, "labels")
    first, second, *_ = make_pyramid(store, "labels", "large", lazy, tmp_path / "cache")
    assert np.array_equal(np.asarray(first), pixels[:40:2, :32:2]) and np.array_equal(
        np.asarray(second), pixels[::4, :32:4]
    )


def test_a_pyramid_is_found_again_until_its_element_changes(stored, tmp_path):
    pixels = np.arange(40 * 40, dtype=np.uint16).reshape(1, 40, 40)
    store, lazy = stored(pixels)
    folder = tmp_path / "cache"
    assert find_pyramid(store, "images", "large", folder) == ()
    make_pyramid(store, "images", "large", lazy, folder)
    (made,) = folder.iterdir()
    asked = []
    make_pyramid(store, "images", "large", lazy, folder, lambda fraction, doing: asked.append(fraction))
    assert not asked and len(find_pyramid(store, "images", "large", folder)) == 3
    chunk = next(file for file in (store / "images" / "large").rglob("*") if file.is_file() and "c" in file.parts)
    os.utime(chunk, ns=(1, 1))
    assert find_pyramid(store, "images", "large", folder) == ()
    zarr.open_group(store / "images" / "large")["0"][:] = 7
    (level, *_) = make_pyramid(store, "images", "large", lazy, folder)
    assert (np.asarray(level) == 7).all() and not made.exists() and len(list(folder.iterdir())) == 1


def test_pyramids_of_other_elements_and_slides_stay(stored, tmp_path):
    folder = tmp_path / "cache"
    for name in ("he", "he-2"):
        store, lazy = stored(np.zeros((1, 40, 40), np.uint8), name=name)
        make_pyramid(store, "images", name, lazy, folder)
    other = shutil.copytree(store, tmp_path / "other.zarr")
    make_pyramid(other, "images", "he", lazy, folder)
    assert len(list(folder.iterdir())) == 3


def test_a_stopped_pyramid_leaves_nothing(stored, tmp_path):
    store, lazy = stored(np.zeros((1, 64, 64), np.uint8))
    told = []

    def stop(fraction, doing):
        told.append(fraction)
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_pyramid(store, "images", "large", lazy, tmp_path / "cache", stop)
    assert told == sorted(told) and list((tmp_path / "cache").iterdir()) == []


def test_memory_holds_one_tile(stored, tmp_path, monkeypatch):
    store, lazy = stored(np.ones((3, 80, 96), np.uint8))
    sizes = []
    halved = pyramid._halved
    monkeypatch.setattr(
        pyramid, "_halved", lambda pixels, labels: (sizes.append(pixels.size), halved(pixels, labels))[1]
    )
    make_pyramid(store, "images", "large", lazy, tmp_path / "cache")
    assert max(sizes) == (2 * TILE) ** 2 and len(sizes) > 90


def test_a_full_disk_is_said_before_anything_is_written(stored, tmp_path, monkeypatch):
    store, lazy = stored(np.zeros((1, 64, 64), np.uint8))
    usage = type(pyramid.shutil.disk_usage(tmp_path))
    monkeypatch.setattr(pyramid.shutil, "disk_usage", lambda place: usage(10, 10, 0))
    with pytest.raises(SlideError, match="No room for a pyramid of images/large"):
        make_pyramid(store, "images", "large", lazy, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
