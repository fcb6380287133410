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
        preset="tiny", device="cpu", image_steps=1, encoder_steps=1, decoder_steps=1, one_pass_steps=1,
        encoder_groups=2, encoder_group_size=3, encoder_crops=3, decoder_groups=4, noise_cells=2,
    )  # fmt: skip
    return train([slide], tmp_path_factory.mktemp("trained") / "tiny", config)


@pytest.mark.usefixtures("report_at_the_end")
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


@pytest.mark.usefixtures("report_at_the_end")
def test_a_fresh_decoder_is_trained_without_long_steps_and_all_go_on_from_it(slide, trained, monkeypatch):
    import napari_spatia.benchmark.few_steps as module

    few = {"decoder_steps": 2, "max_minutes": None, "ema": 0.0, "noise_cells": 2}
    asked, config, tuned = [], TrainConfig, TrainConfig.fine_tuning

    class Short(TrainConfig):
        def __new__(cls, **options):
            asked.append(options)
            return config(**(options | few))

        @classmethod
        def fine_tuning(cls, **options):
            return tuned(**(options | few))

    monkeypatch.setattr(module, "TrainConfig", Short)
    rows = {}
    for minutes in (0.0, 1.0):
        predictor = Predictor.load(trained, "cpu")
        spectrum = predictor.model.decoder.spectrum.picture.clone()
        budget = Budget(1.0, 0.5, 1e-2, 4, 0, fresh_minutes=minutes)
        rows[minutes] = few_steps(slide, predictor, [Trial("shortcut")], budget, passes=(1,))
        assert (predictor.model.decoder.spectrum.picture == spectrum).all()
    (fresh,) = asked
    assert fresh["few_step_share"] == 0 and fresh["max_minutes"] == 1.0
    assert rows[1.0]["before"]["steps"] == 2 and "steps" not in rows[0.0]["before"]
    texture = [
        found[name]["1 passes"]["frechet"]["texture"] for found in rows.values() for name in ("before", "shortcut")
    ]
    assert np.isfinite(texture).all() and len(set(texture)) == 4
