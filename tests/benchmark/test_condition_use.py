"""A model that knows the cells scores 1, one that has been shuffled scores nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_spatia.benchmark import condition_use as module
from napari_spatia.benchmark import pictures
from napari_spatia.benchmark.condition_use import HeldOut, Sampling, choose_cells, condition_use, real_statistics
from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError


def test_a_model_that_draws_each_cell_as_it_is(oracle, slide):
    held_out = HeldOut(np.arange(0, 60), np.arange(60, slide.num_cells), "a test")
    found = json.loads(json.dumps(condition_use(oracle, held_out, Sampling(samples=2))))
    for region, statistics in found["r2"].items():
        assert set(statistics) == {*slide.channels, *({"log_area"} if region == "cell" else ())}
        for rows in statistics.values():
            assert set(rows) == {"generated", "shuffled", "class_mean", "ridge"}
            assert rows["generated"] == {"value": 1.0, "low": 1.0, "high": 1.0}
            assert rows["shuffled"]["value"] < 0
    assert found["cells"] == 60 and found["reference_cells"] == 140 and found["samples"] == 2


def test_the_class_mean_never_learns_from_the_cell_itself(oracle):
    cells = np.arange(50)
    alone = HeldOut(cells, np.empty(0, np.intp), "a test")
    real = real_statistics(oracle, cells)
    types = np.array(["x"] * 49 + ["y"])
    expected = module._class_mean(real, types, real_statistics(oracle, alone.reference), types[:0])
    values = real["crop"]["DAPI"]
    assert expected["crop"]["DAPI"][3] == pytest.approx((values[:49].sum() - values[3]) / 48)
    assert "ridge" not in condition_use(oracle, alone, Sampling(1))["r2"]["crop"]["DAPI"]


def test_cells_come_back_in_their_order(oracle, monkeypatch):
    cells = np.random.default_rng(0).permutation(40)
    whole = real_statistics(oracle, cells)["disc"]["DAPI"]
    monkeypatch.setattr(pictures, "CELLS_READ_AT_ONCE", 7)
    assert np.allclose(real_statistics(oracle, cells)["disc"]["DAPI"], whole)
    assert np.allclose(real_statistics(oracle, np.sort(cells))["disc"]["DAPI"][cells], whole)


def test_a_rectangle_keeps_its_margin_out_of_the_reference(oracle, slide):
    far = choose_cells(slide, oracle.predictor.info, region_um=(0, 0, 40, 40))
    y, x = slide.centers_um.T
    assert (np.flatnonzero((y < 40) & (x < 40)) == far.scored).all()
    assert len(far.reference) == 0 or ((y >= 140) | (x >= 140))[far.reference].all()
    assert len(choose_cells(slide, oracle.predictor.info, num_cells=11).scored) == 11


def test_the_recorded_holdout_is_used(oracle, slide):
    y1, x1 = slide.centers_um.max(axis=0)
    split = Split(test=((0, 0, 50, x1 + 1),), validation=((50, 0, 80, x1 + 1),), margin_um=10)
    oracle.provenance = {
        "slides": ["other", slide.name],
        "splits": [Split().model_dump(), split.model_dump(mode="json")],
    }
    found = choose_cells(slide, oracle.predictor.info, holdout=True)
    assert found.chosen_by == "the checkpoint's test part"
    assert (slide.centers_um[found.scored, 0] < 50).all()
    assert len(found.reference) and (slide.centers_um[found.reference, 0] >= 90).all()


def test_what_cannot_be_scored_is_said(oracle, slide):
    with pytest.raises(SpatiaError, match="records no split"):
        choose_cells(slide, oracle.predictor.info, holdout=True)
    with pytest.raises(SpatiaError, match=r"No cell .* region 9000"):
        choose_cells(slide, oracle.predictor.info, region_um=(9000, 0, 9001, 1))


def test_types_are_predicted_where_the_slide_has_none(oracle, slide):
    known, origin = module.types_of_cells(oracle)
    assert origin == "obs['cell_type']"
    oracle.embed = type(oracle)(slide, oracle.types).embed
    oracle.slide = replace(slide, obs=slide.obs.drop(columns="cell_type"))
    told, origin = module.types_of_cells(oracle)
    assert origin == "predicted" and (told == known).all()


def test_a_bad_slide_is_one_line_and_exit_status_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        module.main([str(tmp_path / "nowhere.zarr"), "--checkpoint", "sim-small"])
    assert stop.value.code == 1
    assert "nowhere.zarr" in capsys.readouterr().err
