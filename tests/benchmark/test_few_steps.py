"""Objectives on one budget, from a tiny model that a short run has trained."""

import numpy as np
import pytest

from app_fakes import make_slide
from napari_spatia.benchmark.few_steps import OBJECTIVES, Budget, Trial, few_steps
from napari_spatia.inference.predictor import Predictor
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides") / "s.zarr", grid=28)


@pytest.fixture(scope="module")
def trained(slide, tmp_path_factory):
    config = TrainConfig(
        preset="tiny", device="cpu", image_steps=1, encoder_steps=1, decoder_steps=1, encoder_groups=2,
        encoder_group_size=3, encoder_crops=3, decoder_groups=4, noise_cells=2,
    )  # fmt: skip
    return train([slide], tmp_path_factory.mktemp("trained") / "tiny", config)


def test_every_objective_and_guidance_starts_from_the_same_weights_and_is_scored(slide, trained, monkeypatch):
    import napari_spatia.benchmark.few_steps as module

    shorter = TrainConfig.fine_tuning
    monkeypatch.setattr(
        module.TrainConfig,
        "fine_tuning",
        lambda **options: shorter(
            **(options | {"decoder_steps": 2, "max_minutes": None, "ema": 0.0, "noise_cells": 2})
        ),
    )
    predictor = Predictor.load(trained, "cpu")
    before = {name: value.clone() for name, value in predictor.model.decoder.state_dict().items()}
    trials = [*(Trial(objective) for objective in OBJECTIVES), Trial("shortcut", 2.0)]
    found = few_steps(slide, predictor, trials, Budget(1.0, 0.5, 1e-2, 4, 0), passes=(1, 2))
    names = [*OBJECTIVES, "shortcut, guidance 2"]
    assert list(found) == ["real", "before", *names]
    drawn = []
    for name in ("before", *names):
        rows = [found[name][f"{nfe} passes"]["frechet"]["texture"] for nfe in (1, 2)]
        assert np.isfinite(rows).all()
        drawn.append(tuple(rows))
        assert name == "before" or found[name]["steps"] == 2
    assert len(set(drawn)) == len(drawn)  # each was trained, and each otherwise
    after = predictor.model.decoder.state_dict()
    assert any((before[name] != after[name]).any() for name in before)
