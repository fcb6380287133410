import numpy as np
import pytest

from napari_spatia.data.intensity import IntensityScale


@pytest.fixture
def crops() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.poisson(20, (30, 16, 16)) + 100, rng.poisson(3, (30, 16, 16))], axis=1).astype(np.float32)


def test_standardised_stains_have_zero_mean_and_unit_deviation_and_come_back(crops):
    scale = IntensityScale.of_crops(crops)
    values = scale.standardise(crops)
    assert np.allclose(values.mean((0, 2, 3)), 0, atol=0.02) and np.allclose(values.std((0, 2, 3)), 1, atol=0.02)
    black = np.array(scale.black)[:, None, None]
    assert np.allclose(scale.restore(values), np.maximum(crops, black), atol=1e-2)


def test_a_picture_is_never_below_black(crops):
    scale = IntensityScale.of_crops(crops)
    assert (scale.restore(np.full((2, 4, 4), -50.0)) >= np.array(scale.black)[:, None, None]).all()


def test_slides_of_one_exposure_agree_and_of_another_do_not(crops):
    scale = IntensityScale.of_crops(crops)
    assert scale.agrees_with(IntensityScale.of_crops(crops[:15]))
    assert not scale.agrees_with(IntensityScale.of_crops(crops * 20))


def test_a_scale_survives_json_and_picking(crops):
    scale = IntensityScale.of_crops(crops)
    assert IntensityScale.from_dict(scale.to_dict()) == scale
    assert scale.pick(np.array([1])).mean == (scale.mean[1],)
