"""Distances whose value is known, and features that see what they should."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_spatia.benchmark.frechet import FeatureSpaces, frechet_distance, morphology_features
from napari_spatia.benchmark.scattering import scattering_features

CHANNELS, UM_PER_PX = ("DAPI", "boundary"), 0.32


def cells(num, seed, radius=12.0, brightness=1.0):
    """Discs with a smaller disc of DAPI, a bright rim in the other stain and smooth noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] - 31.5
    away = np.hypot(y, x) / np.clip(random.normal(1, 0.15, (num, 1, 1)), 0.5, 1.5)
    noise = gaussian_filter(random.normal(size=(num, 2, 64, 64)), (0, 0, 1, 1))
    stains = np.stack([brightness * (away < 0.5 * radius), np.abs(away - radius) < 1.5], axis=1) + noise
    return stains.astype(np.float32), away < radius


@pytest.fixture(scope="module")
def spaces():
    return FeatureSpaces.of_training(*cells(60, 0), CHANNELS, UM_PER_PX)


def test_the_distance_of_gaussians():
    random = np.random.default_rng(0)
    left = random.normal(size=(200_000, 3))
    assert frechet_distance(left, left) == pytest.approx(0, abs=1e-9)
    moved = left + np.array([3.0, 0, 4.0])
    assert frechet_distance(left, moved) == pytest.approx(25.0)
    wider = random.normal(size=(200_000, 3)) * np.array([1.0, 2.0, 4.0])
    assert frechet_distance(left, wider) == pytest.approx((2 - 1) ** 2 + (4 - 1) ** 2, rel=0.02)
    assert frechet_distance(wider, left) == pytest.approx(frechet_distance(left, wider))


def test_both_spaces_tell_what_is_wrong_from_what_is_real(spaces):
    reference = spaces(*cells(60, 1))
    assert {name: values.shape[0] for name, values in reference.items()} == {"morphology": 60, "texture": 60}
    assert all(values.shape[1] <= 150 for values in reference.values())
    real = spaces(*cells(60, 2))
    pictures, masks = cells(60, 2)
    blurred = spaces(gaussian_filter(pictures, (0, 0, 1, 1)), masks)
    dim, small = spaces(*cells(60, 2, brightness=0.3)), spaces(*cells(60, 2, radius=8.0))
    for name in ("morphology", "texture"):
        floor = frechet_distance(real[name], reference[name])
        for wrong in (blurred, dim, small):
            assert frechet_distance(wrong[name], reference[name]) > 2 * floor


def test_training_cells_are_the_unit(spaces):
    for values in spaces(*cells(60, 0)).values():
        assert np.allclose(values.mean(0), 0, atol=1e-6)
        assert (values.std(0) < 1 + 1e-6).all() and (np.abs(values.std(0) - 1) < 1e-6).any()


def test_a_cell_without_a_pixel_is_the_smallest_cell_not_an_error():
    pictures, masks = cells(2, 3)
    masks[1] = False
    found = morphology_features(pictures, masks, CHANNELS, UM_PER_PX)
    assert np.isfinite(found).all()
    assert found[1, 0] == pytest.approx(np.log(UM_PER_PX**2))
    assert not masks[1].any()  # the caller's own mask is left as it was


def test_texture_does_not_ask_how_a_cell_lies_but_morphology_of_the_grain_does_matter():
    pictures, _ = cells(4, 5)
    turned = np.ascontiguousarray(np.rot90(pictures, axes=(-2, -1)))
    before, after = scattering_features(pictures), scattering_features(turned)
    assert np.allclose(before, after, atol=0.02)
    scrambled = np.random.default_rng(0).permuted(pictures.reshape(4, 2, -1), axis=2).reshape(pictures.shape)
    assert np.abs(scattering_features(scrambled) - before).max() > 0.5


def test_what_lies_below_a_grey_level_hardly_counts():
    pictures, _ = cells(8, 6)
    noise = 0.02 * np.random.default_rng(1).normal(size=pictures.shape).astype(np.float32)
    change = np.abs(scattering_features(pictures + noise) - scattering_features(pictures))
    assert change.max() < 0.2
