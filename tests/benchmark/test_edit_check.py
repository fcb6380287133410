"""An editor that knows the simulator's rules scores full marks; one that copies the cell scores none."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_spatia.benchmark import edit_check as module
from napari_spatia.benchmark.edit_check import EditCheck, summary
from napari_spatia.data.simulate import RULES
from napari_spatia.errors import SpatiaError


@pytest.fixture
def check_with(oracle, simulation, monkeypatch):
    """An `EditCheck` whose editor follows the truth times ``gain`` (0: it copies the cell)."""

    def make(gain, feature=None):
        class Editor:
            def __init__(self, bound):
                self.bound = bound

            def select(self, cell_id, nfe):
                real = simulation.draw(cell_id, {}).image.astype(np.float32)
                return SimpleNamespace(
                    cell_id=cell_id, cell_idx=oracle.slide.cell_idx(cell_id), real=real, zero_edit_psnr_db=40.0
                )

            def render(self, cell, log2_fc):
                drawn = simulation.draw(cell.cell_id, {gene: gain * fc for gene, fc in log2_fc.items()})
                mask = (drawn.owner == cell.cell_idx).astype(np.float32)
                return SimpleNamespace(image=drawn.image.astype(np.float32), mask=mask)

        monkeypatch.setattr(module, "CellEditor", Editor)
        monkeypatch.setattr(module, "RULES", tuple(rule for rule in RULES if rule.gene in ("LMNB1", "LMNA", "ATP1A1")))
        return EditCheck(oracle, simulation, feature)

    return make


def test_an_editor_that_follows_the_rules(check_with):
    check = check_with(1.0)
    cells = check.choose_cells(5, seed=0)
    found = json.loads(json.dumps(summary(check.run(cells))))
    assert found["cells"] == 5 and found["edits"] == 6
    assert found["nucleus"]["LMNB1"]["expected"] == "enlarged" and found["nucleus"]["LMNA"]["expected"] == "shrunk"
    for gene in ("LMNB1", "LMNA"):
        assert found["nucleus"][gene]["model"] == found["nucleus"][gene]["truth"]
        assert found["nucleus"][gene]["truth"]["value"] >= 0.8
    assert found["nucleus"]["LMNB1"]["truth"]["median_log2_change"] > 0.2
    assert found["nucleus"]["LMNA"]["truth"]["median_log2_change"] < -0.2
    for feature in ("nucleus_area", "boundary"):
        rows = found["features"][feature]
        assert rows["model"]["correlation"]["value"] == 1.0
        assert rows["model"]["sign_accuracy"]["value"] == 1.0
        assert rows["copy"]["sign_accuracy"]["value"] == 0.0
    together = found["together"]["model"]
    assert together["correlation"]["value"] == together["correlation_over_cells"]["value"] == 1.0
    assert found["together"]["class_mean"]["correlation"]["value"] < 0.9
    assert found["psnr_db_to_truth"]["model"] is None  # infinite: the truth itself
    assert found["psnr_db_to_truth"]["copy"] > found["psnr_db_to_truth"]["class_mean"]
    assert found["zero_edit_psnr_db"]["share_from_30"] == 1.0


def test_an_editor_that_copies_or_goes_the_wrong_way(check_with):
    for gain, expected in ((0.0, 0.0), (-1.0, 0.0)):
        check = check_with(gain)
        nucleus = summary(check.run(check.choose_cells(2, seed=0)))["nucleus"]
        assert nucleus["LMNB1"]["model"]["value"] == nucleus["LMNA"]["model"]["value"] == expected
        assert nucleus["LMNB1"]["truth"]["value"] > 0.5


def test_the_series_is_graded(check_with):
    check = check_with(1.0)
    found = check.series(check.choose_cells(5, seed=0), "LMNB1")
    assert found["log2_fc"][3] == 0.0 and found["model"][3] == 0.0
    assert found["model"] == found["truth"] and found["model"][0] < 0 < found["model"][-1]
    assert found["steps_in_the_true_direction"] > 0.7


def test_crops_are_whole_and_types_are_scored(check_with, slide):
    check = check_with(1.0)
    cells = check.choose_cells(1000, seed=0)
    y0, x0, y1, x1 = slide.image.extent_um
    assert 0 < len(cells) < slide.num_cells
    assert (slide.centers_um[cells] > 10.24).all() and (slide.centers_um[cells] < y1 - 10.24).all()
    assert check.type_accuracy() == 1.0


def test_one_features_rules_can_be_tried_alone(check_with):
    assert {edit.gene for edit in check_with(1.0, "nucleus_area").edits()} == {"LMNB1", "LMNA"}
    with pytest.raises(SpatiaError, match="No rule of the simulator drives 'colour'.*nucleus_area"):
        check_with(1.0, "colour")


def test_another_pixel_size_is_refused(oracle, simulation):
    with pytest.raises(SpatiaError, match=r"0\.32 µm/px"):
        EditCheck(oracle, SimpleNamespace(um_per_px=0.5))
