"""Measures of shapes whose size is known."""

import numpy as np
import pytest

from napari_spatia.data.morphology import features_of, measure, morphology, nuclear_channel, nucleus_mask


def disc(radius_px, size=64, center=(31.5, 31.5)):
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - center[0], x - center[1]) <= radius_px


def test_the_nucleus_is_the_cell_s_own_even_when_a_brighter_one_touches_it():
    dapi = 20 + 100 * disc(8) + 300 * disc(8, center=(31.5, 47.5)) + np.random.default_rng(0).normal(size=(64, 64))
    found = nucleus_mask(dapi, disc(15) & (np.arange(64) < 39.5), um_per_px=0.32)
    assert found.sum() == pytest.approx(disc(8).sum(), rel=0.1)
    assert not nucleus_mask(dapi, np.zeros((64, 64), bool), 0.32).any()


def test_morphology_is_in_log2():
    image = np.stack([10 + 90.0 * disc(8), np.full((64, 64), 16.0)])
    found = morphology(image, disc(15), ("DAPI", "rna"), "DAPI", um_per_px=1.0)
    assert found["cell_area"] == pytest.approx(np.log2(disc(15).sum()))
    assert found["nucleus_area"] == pytest.approx(np.log2(disc(8).sum()), abs=0.1)
    assert found["rna"] == 4.0
    assert all(
        np.isnan(value) for value in morphology(image, np.zeros((64, 64), bool), ("DAPI", "rna"), "DAPI", 1.0).values()
    )


def test_without_a_nuclear_stain_the_cell_alone_is_measured():
    assert nuclear_channel(("boundary", "Hoechst 33342")) == "Hoechst 33342"
    assert nuclear_channel(("boundary",)) is None
    found = morphology(np.full((1, 64, 64), 8.0), disc(15), ("boundary",), None, um_per_px=1.0)
    assert set(found) == {"cell_area", "boundary"} and found["boundary"] == 3.0


def ellipse(long_px, short_px, size=64):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (y / short_px) ** 2 + (x / long_px) ** 2 <= 1


def measured(cell, *stains, um_per_px=0.5):
    return measure(np.stack(stains).astype(np.float32), cell, ("DAPI", "rna"), "DAPI", um_per_px)


def test_shapes_whose_measures_are_known():
    flat = np.full((64, 64), 8.0)
    round_one = measured(disc(20), 10 + 90.0 * disc(8), flat)
    assert round_one["cell_area"] == pytest.approx(np.pi * 10**2, rel=0.02)
    assert round_one["cell_perimeter"] == pytest.approx(2 * np.pi * 10, rel=0.06)
    assert round_one["cell_roundness"] > 0.88 and round_one["cell_solidity"] > 0.95
    assert round_one["cell_elongation"] == pytest.approx(1.0, abs=0.01)
    assert round_one["nucleus_share"] == pytest.approx((8 / 20) ** 2, rel=0.15)
    long_one = measured(ellipse(24, 8), flat, flat)
    assert long_one["cell_elongation"] == pytest.approx(3.0, rel=0.05) and long_one["cell_roundness"] < 0.75
    notched = disc(20) & ~((np.abs(np.arange(64) - 31.5) < 3)[:, None] & (np.arange(64) > 31))
    assert measured(notched, flat, flat)["cell_solidity"] < 0.93


def test_spread_and_texture_tell_coarse_from_fine():
    y, x = np.mgrid[:64, :64]
    coarse, fine = 10 + 3 * np.sin(x / 10), 10 + 3 * (-1.0) ** (x + y)
    found = measured(disc(20), coarse, fine)
    assert found["rna:spread"] == pytest.approx(3.0, rel=0.01) and found["rna:mean"] == pytest.approx(10, rel=0.01)
    assert found["rna:texture"] > 0.25 and found["DAPI:texture"] < 0.02


def test_every_feature_has_a_name_and_what_cannot_be_measured_is_nan():
    nothing = measured(np.zeros((64, 64), bool), np.zeros((64, 64)), np.zeros((64, 64)))
    assert [feature.key for feature in features_of(("DAPI", "rna"))] == list(nothing)
    known = {name for name, value in nothing.items() if np.isfinite(value)}
    assert known == {"cell_area", "nucleus_area"} and nothing["cell_area"] == 0
    assert not any(feature.key.startswith("nucleus") for feature in features_of(("rna",)))
