"""Measures of shapes whose size is known."""

import numpy as np
import pytest

from napari_spatia.data.morphology import morphology, nuclear_channel, nucleus_mask


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
