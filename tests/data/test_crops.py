import dask.array as da
import numpy as np
import pytest

from napari_spatia.data.crops import first_grid_px, read_crops, read_masks
from napari_spatia.data.slide import Raster


@pytest.fixture
def image() -> Raster:
    rng = np.random.default_rng(0)
    full = rng.integers(0, 200, (2, 700, 900)).astype(np.uint8)
    half = full.reshape(2, 350, 2, 450, 2).mean((2, 4)).astype(np.uint8)
    return Raster(tuple(da.from_array(level, chunks=(1, 256, 256)) for level in (full, half)), 0.5, (10.0, 20.0))


def test_a_crop_is_the_same_alone_and_in_a_batch(image):
    centers = np.random.default_rng(1).uniform((15, 25), (350, 460), (40, 2))
    together = read_crops(image, centers, 0.7, 32)
    for cell in (0, 17, 39):
        assert np.array_equal(together[cell], read_crops(image, centers[cell : cell + 1], 0.7, 32)[0])


def test_at_the_slides_own_pixel_size_the_pixels_are_copied(image):
    center = np.array([[10 + 100.0, 20 + 150.0]])
    crop = read_crops(image, center, 0.5, 16)[0]
    y, x = first_grid_px(center, 0.5, 16)[0] - np.array([20, 40])  # origin in pixels
    assert np.array_equal(crop, image.levels[0][:, y : y + 16, x : x + 16].compute())


def test_resampling_keeps_the_mean_intensity(image):
    center = np.array([[180.0, 240.0]])
    assert read_crops(image, center, 0.8, 128).mean() == pytest.approx(100, abs=2)
    assert read_crops(image, center, 0.3, 128).mean() == pytest.approx(100, abs=4)


def test_outside_the_slide_is_zero(image):
    crop = read_crops(image, np.array([[10.0, 20.0], [-500.0, -500.0]]), 0.5, 32)
    assert (crop[0, :, :16, :] == 0).all() and (crop[0, :, :, :16] == 0).all() and crop[0, :, 17:, 17:].any()
    assert not crop[1].any()


def test_a_mask_lies_on_its_label_at_any_pixel_size():
    labels = np.zeros((200, 200), np.int64)
    labels[80:120, 90:110] = 3_000_000_000
    raster = Raster((da.from_array(labels, chunks=64),), 0.25, (5.0, 0.0))
    center = np.array([[5 + 25.0, 25.0]])
    mask = read_masks(raster, np.array([3_000_000_000]), center, 0.5, 40)[0]
    assert mask.sum() * 0.5**2 == pytest.approx(40 * 20 * 0.25**2)
    rows, cols = np.nonzero(mask)
    assert rows.mean() == pytest.approx(19.5, abs=0.6) and np.ptp(rows) == 19 and np.ptp(cols) == 9
    assert not read_masks(raster, np.array([7]), center, 0.5, 40).any()
    assert not read_masks(raster, np.array([3_000_000_000]), center + 900, 0.5, 40).any()


def test_progress_ends_at_one_and_can_cancel(image):
    from napari_spatia.errors import Cancelled

    seen = []
    read_crops(image, np.random.default_rng(0).uniform(20, 330, (20, 2)), 0.5, 16, lambda f, _: seen.append(f))
    assert seen == sorted(seen) and seen[-1] == 1

    def stop(fraction: float, doing: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_crops(image, np.array([[50.0, 50.0]]), 0.5, 16, stop)
