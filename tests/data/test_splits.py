import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError

CENTERS = np.random.default_rng(0).uniform((0, 0), (2000, 7000), (5000, 2))


def gap_um(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.spatial import cKDTree

    return float(cKDTree(a).query(b)[0].min())


@given(block=st.floats(200, 600), every=st.integers(3, 8), margin=st.floats(10, 100))
@settings(max_examples=25, deadline=None)
def test_blocks_do_not_leak(block, every, margin):
    split = Split.blocks(CENTERS, block_um=block, every=every, margin_um=margin)
    training, validation = split.inside_training(CENTERS), split.inside_validation(CENTERS)
    assert training.any() and validation.any() and not (training & validation).any()
    assert gap_um(CENTERS[training], CENTERS[validation]) >= margin


def test_test_cells_are_far_from_both_other_sets():
    split = Split(test=((400, 800, 900, 1300),), validation=((0, 1200, 2000, 1500),), margin_um=100)
    test, validation = split.inside_test(CENTERS), split.inside_validation(CENTERS)
    training = split.inside_training(CENTERS)
    assert test.any() and validation.any()
    for other in (training, validation):
        assert gap_um(CENTERS[test], CENTERS[other]) >= 100


def test_a_split_survives_its_file_and_a_bad_file_is_said(tmp_path):
    split = Split.blocks(CENTERS)
    (tmp_path / "split.json").write_text(split.to_json())
    assert Split.read(tmp_path / "split.json") == split
    (tmp_path / "bad.json").write_text('{"tests": []}')
    for name in ("bad.json", "none.json"):
        with pytest.raises(SpatiaError, match="cannot be read"):
            Split.read(tmp_path / name)


def test_the_pancreas_split_keeps_the_demo_regions_out():
    from pathlib import Path

    written = Path(__file__).parents[2] / "docs" / "benchmark" / "pancreas_split.json"
    split = Split.read(written)
    for x_px, y_px in ((4096, 2048), (14336, 6144)):
        corner = np.array([[y_px, x_px]]) * 0.2125
        grid = corner + np.random.default_rng(0).uniform(-100, 2048 * 0.2125 + 100, (4000, 2))
        assert not split.inside_training(grid).any() and not split.inside_validation(grid).any()
