import json

import numpy as np
import pytest

from app_fakes import make_slide
from napari_spatia.benchmark import encoder_scores as es
from napari_spatia.benchmark.reliability import draw_reliability, reliability
from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel

SPLIT = Split(validation=((0.0, 60.0, 999.0, 999.0),), margin_um=5.0)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide") / "s.zarr", grid=12)


def test_a_whole_run_has_every_row_with_intervals_and_nulls(slide, tmp_path):
    config = ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, ("T_cell", "acinar", "ductal"))
    intensity = {"black": (0.0, 0.0), "mean": (5.0, 4.0), "std": (2.5, 2.0)}
    save_checkpoint(tmp_path, SpatiaModel(config), CheckpointConfig(name="t", model=config, intensity=intensity))
    task = es.choose_task(slide, SPLIT, "validation", 20, seed=0)
    assert len(task.scored) == 20 and not set(task.scored) & set(task.reference) and set(task.hidden) < set(task.genes)
    found = json.loads(json.dumps(es.encoder_scores(Predictor.load(tmp_path, "cpu"), slide, task)))
    assert {*es.VIEWS, *es.ABLATIONS, "logistic on counts", "balanced logistic on ten image statistics"} <= set(
        found["types"]
    )
    assert set(found["hidden_genes"]) == {"genes", "both", "ridge on counts"}
    assert set(found["genes"]) == {"image", "image in its niche", "ridge on ten image statistics"}
    row = found["types"]["logistic on counts"]
    assert row["balanced_accuracy"]["low"] <= row["balanced_accuracy"]["value"] <= row["balanced_accuracy"]["high"]
    assert sum(b["cells"] for b in row["reliability"]) == 20


def test_hidden_genes_depend_on_the_seed_and_cells_without_a_part_are_said(slide):
    hidden = [tuple(es.choose_task(slide, SPLIT, "validation", None, seed).hidden) for seed in (0, 0, 1, 2)]
    assert hidden[0] == hidden[1] and len(set(hidden)) > 1
    with pytest.raises(SpatiaError, match="leaves 0 test cells"):
        es.choose_task(slide, SPLIT, "test", None, 0)


def test_balanced_accuracy_weighs_types_not_cells():
    truth = np.array(["a"] * 9 + ["b"])
    assert es.balanced_accuracy(np.array(["a"] * 10), truth) == 0.5
    assert es.balanced_accuracy(truth, truth) == 1


def test_correlation_is_over_cells_for_each_gene():
    random = np.random.default_rng(0)
    seen = random.normal(size=(200, 3))
    assert es.mean_pearson(2 * seen + 5, seen) == pytest.approx(1)
    assert es.mean_pearson(np.ones((200, 3)), seen) == 0
    assert abs(es.mean_pearson(random.permutation(seen), seen)) < 0.2


def test_calibration_error_is_the_mean_gap_between_saying_and_being_right(tmp_path):
    random = np.random.default_rng(0)
    confidence = random.uniform(0.3, 1, 20_000)
    honest = random.uniform(size=20_000) < confidence
    assert reliability(confidence, honest)["ece"] < 0.02
    sure = reliability(np.full(20_000, 0.9), random.uniform(size=20_000) < 0.6)
    assert sure["ece"] == pytest.approx(0.3, abs=0.02) and len(sure["bins"]) == 1
    draw_reliability({"both": reliability(confidence, honest)["bins"]}, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_type_scores_leave_cells_without_a_name_out():
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    found = es.type_scores(probability, np.array(["a", "b"]), np.array(["a", "a", ""]))
    assert found["accuracy"]["value"] == 0.5


def test_an_interval_holds_its_value_though_samples_of_it_are_biased():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 800)
    right = rng.random(800) < confidence
    ece = lambda rows: reliability(confidence[rows], right[rows])["ece"]  # noqa: E731
    found = es._interval(ece, 800)
    drawn = np.random.default_rng(1)
    samples = [ece(drawn.integers(800, size=800)) for _ in range(60)]
    assert np.mean(samples) > found["value"], "samples are worse than the cells they are of"
    assert found["low"] < found["value"] < found["high"]
