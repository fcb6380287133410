"""Scores on numbers whose answer is known."""

import numpy as np
import pytest

from napari_spatia.benchmark.metrics import (
    correlation,
    image_statistics,
    plain,
    psnr_db,
    r2,
    sign_accuracy,
    with_interval,
)


def disc(radius_px, size=64, center=(31.5, 31.5)):
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - center[0], x - center[1]) <= radius_px


def test_statistics_of_regions():
    images = np.zeros((2, 3, 2, 64, 64), np.float32)  # cells, samples, channels
    images[:, :, 0], images[:, :, 1] = 5.0, disc(4) * 10.0
    masks = np.broadcast_to(disc(10), (2, 3, 64, 64)).copy()
    masks[1, 2] = False
    found = image_statistics(images, masks, ("a", "b"), um_per_px=0.5)
    assert found["cell"]["a"].shape == (2, 3)
    assert found["crop"]["a"] == pytest.approx(5.0)
    assert found["disc"]["b"] == pytest.approx(10 * disc(4).sum() / disc(8).sum())  # 8 µm wide at 0.5 µm
    assert found["cell"]["b"][0] == pytest.approx(10 * disc(4).sum() / disc(10).sum())
    assert found["cell"]["log_area"][0] == pytest.approx(np.log(disc(10).sum() * 0.25))
    assert np.isnan(found["cell"]["b"][1, 2]) and np.isnan(found["cell"]["log_area"][1, 2])
    assert found["crop"]["b"][1, 2] == pytest.approx(10 * disc(4).mean())


def test_r2_is_about_the_truth_s_mean_and_refits_nothing():
    truth = np.array([1.0, 2.0, 3.0, np.nan])
    assert r2(truth, truth) == 1.0
    assert r2(truth, np.full(4, 2.0)) == 0.0
    assert r2(truth, truth + 1) == pytest.approx(1 - 3 / 2)
    assert np.isnan(r2(np.ones(3), np.ones(3)))


def test_correlation_and_direction():
    truth = np.array([1.0, -1.0, 2.0, 0.01])
    assert correlation(truth, 3 * truth + 1) == pytest.approx(1.0)
    assert np.isnan(correlation(truth, np.zeros(4)))
    assert sign_accuracy(truth, np.array([0.5, -0.1, 0.0, -5.0])) == pytest.approx(
        2 / 3
    )  # no change is wrong, 0.01 unclear
    assert np.isnan(sign_accuracy(np.zeros(3), np.ones(3)))


def test_psnr_weighs_channels_by_their_range():
    truth = np.stack([np.linspace(0, 1, 16).reshape(4, 4), np.linspace(0, 1000, 16).reshape(4, 4)])
    assert psnr_db(truth, truth) == np.inf
    assert psnr_db(truth, truth + np.array([0.1, 100.0])[:, None, None]) == pytest.approx(20.0)


def test_the_interval_holds_the_value_and_shrinks_with_cells():
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    predicted = truth + random.normal(size=2000)
    many, few = with_interval(correlation, truth, predicted), with_interval(correlation, truth[:50], predicted[:50])
    assert many["low"] < many["value"] < many["high"]
    assert many["high"] - many["low"] < few["high"] - few["low"]
    assert with_interval(correlation, truth, predicted) == many


def test_numbers_are_plain():
    assert plain(np.float32(0.123456)) == 0.1235
    assert plain(np.nan) is None and plain(np.inf) is None
