"""The speed of training steps, on a tiny model: what is counted, not how fast this machine is."""

import pytest

from app_fakes import make_slide
from napari_spatia.benchmark import train_speed as module
from napari_spatia.benchmark.train_speed import train_speed
from napari_spatia.train.config import TrainConfig


def test_both_precisions_of_every_stage_are_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MATRIX_SIDE", 128)  # a processor without units for bfloat16 takes minutes for more
    options = dict(
        image_crops=3, encoder_groups=2, encoder_group_size=3, encoder_crops=3, decoder_groups=4, one_pass_cells=4
    )
    slide = make_slide(tmp_path / "s.zarr", grid=28)
    found = train_speed(slide, TrainConfig(preset="tiny", device="cpu", **options), steps=1)
    assert set(found) == {"image", "encoder", "decoder", "decoder_few_step", "one_pass"}
    for stage in found.values():
        assert set(stage) == {"float32", "bfloat16"}
        for speed in stage.values():
            rate = speed["gflop"] / speed["seconds"]
            assert speed["share"] == pytest.approx(rate / speed["matrix_product_gflops"]) and speed["share"] > 0
    decoder, few = (found[name]["float32"]["gflop"] for name in ("decoder", "decoder_few_step"))
    assert few > decoder  # the few-step term has passes of its own
