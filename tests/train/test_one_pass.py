"""A small decoder that learns to draw in one pass what the large one draws in a few."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from app_fakes import make_slide
from napari_spatia.data.splits import Split
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train import one_pass
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.loop import make_optimizer, train_step
from napari_spatia.train.one_pass import MOST_GENES_EDITED, MOST_LOG2_FC, OnePassStage, randomly_edited
from napari_spatia.train.run import model_config, prepare_slides
from napari_spatia.train.stages import DecoderStage

OPTIONS = TrainConfig(
    preset="tiny", device="cpu", precision="float32", stages=("one_pass",), one_pass_steps=60, one_pass_cells=8,
    one_pass_lr=1e-2, ema=0.9,
)  # fmt: skip
SPLIT = Split(validation=((0.0, 110.0, 999.0, 999.0),), margin_um=5.0)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> DecoderStage:
    """Of an untrained model whose decoder answers to noise and condition."""
    folder = tmp_path_factory.mktemp("slide")
    slide = make_slide(folder / "s.zarr", grid=22)
    torch.manual_seed(0)
    model = SpatiaModel(model_config([slide], OPTIONS)).eval().requires_grad_(False)
    for parameter in model.decoder.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    (folder / "crops").mkdir()
    parts, *_ = prepare_slides([slide], model.config, OPTIONS, SPLIT, folder, lambda fraction, doing: None)
    stage = DecoderStage(model, parts["training"], parts["validation"], OPTIONS, folder)
    stage.measure_spectrum()
    return stage


@pytest.fixture
def stage(decoder) -> OnePassStage:
    torch.manual_seed(1)
    small = SpatiaModel(decoder.model.config).one_pass
    return OnePassStage(decoder, small, OPTIONS, trained_before=False)


def test_it_learns_the_pictures_of_the_large_one(stage):
    before = stage.validate()["one_pass_held_out"]
    optimizer = make_optimizer(stage)
    for step in range(OPTIONS.one_pass_steps):
        train_step(stage, optimizer, OPTIONS, step, 0.0)
    assert stage.validate()["one_pass_held_out"] < 0.6 * before
    taught, drawn = stage.pictures()
    assert taught.shape == drawn.shape and np.corrcoef(taught.ravel(), drawn.ravel())[0, 1] > 0.9


def test_a_batch_is_learned_from_more_than_once(stage, monkeypatch):
    monkeypatch.setattr(one_pass, "LESSONS_KEPT", 2)
    made = []
    taught = stage._taught
    monkeypatch.setattr(stage, "_taught", lambda *args: made.append(1) or taught(*args))
    for step in range(5 * one_pass.TIMES_LEARNED):
        stage.losses(step, 0.0)
        assert len(stage._lessons) <= 2
    assert len(made) == 5


def test_what_is_learned_at_a_step_depends_on_the_step_alone(stage):
    """So that a run that was killed goes on to the same losses: lessons of before are made again."""
    for step in range(9):
        loss = stage.losses(step, 0.0)["one_pass"]
    stage._lessons.clear()
    assert torch.equal(stage.losses(8, 0.0)["one_pass"], loss)


def test_some_cells_are_taught_under_an_edit():
    values = csr_matrix(np.random.default_rng(0).poisson(1.0, (400, 30)).astype(np.float32))
    edited = randomly_edited(values, np.random.default_rng(1)).toarray()
    change = edited - values.toarray()
    num_changed = (change != 0).sum(1)
    assert 0.35 < (num_changed > 0).mean() < 0.55 and num_changed.max() <= MOST_GENES_EDITED
    assert np.abs(change).max() <= MOST_LOG2_FC and edited.min() >= 0
