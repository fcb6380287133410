"""Going on from a checkpoint beside starting anew: both are trained and scored, on a slide of other stains."""

from dataclasses import replace

import numpy as np
import pytest

from app_fakes import make_slide
from napari_spatia.benchmark.fine_tune import SCORES, fine_tune
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train


@pytest.mark.usefixtures("report_at_the_end")
def test_rows_are_trained_from_where_they_say_and_scored(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spatia.train.readings.PENALTIES", (1e-3,))  # a third of the time
    slide = make_slide(tmp_path / "s.zarr", grid=28)
    few = dict(device="cpu", noise_cells=2)
    once = dict(preset="tiny", image_steps=0, encoder_steps=1, decoder_steps=1, one_pass_steps=1)
    start = train([slide], tmp_path / "start", TrainConfig(**once, **few))
    began = []

    def noted(slides, out, config, start=None, **others):
        began.append((start, config.max_minutes, config.encoder_lr))
        return train(slides, out, config, start=start, **others)

    monkeypatch.setattr("napari_spatia.benchmark.fine_tune.train", noted)
    other = replace(slide, channels=("DAPI", "membrane"))
    found = fine_tune(other, start, minutes=0.02, seed=3, **few)
    assert began == [(start, None, 3e-4), (start, 0.02, 3e-4), (None, 0.02, 1e-3)]
    assert list(found) == ["carried_over", "fine_tuned", "from_scratch"]
    for scores in found.values():
        assert set(scores) == {*SCORES, "seconds"} and all(np.isfinite(value) for value in scores.values())
    assert found["fine_tuned"]["flow"] != pytest.approx(found["from_scratch"]["flow"], abs=1e-4)
