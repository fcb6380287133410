"""Rows of the ablation table from trainings of two steps; and the crops that lose their size."""

import numpy as np
import pytest
import torch

from app_fakes import make_slide
from napari_spatia.benchmark.ablations import NOT_SCORED, WITHOUT, ImageEncoders, Parts, _stretched, ablations
from napari_spatia.progress import silent
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import model_config, prepare_slides

SCORES = {"type", "type_genes", "type_image", "hidden_genes", "picture_r2"}
ROWS = ("image", "genes", "contrast", "masked_cells", "fixed_um")


CONFIG = TrainConfig(
    preset="tiny", device="cpu", image_steps=2, image_crops=6, encoder_steps=4, encoder_groups=2, encoder_group_size=3,
    encoder_crops=3, encoder_lr=0.03, contrast_weight=5.0, validate_every=10**6,
)  # fmt: skip
"""The contrast is so strong that four steps show it: at its usual weight scores differed in the last digit, or not."""


@pytest.mark.usefixtures("report_at_the_end")
def test_every_row_is_trained_and_scored_with_every_seed(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spatia.train.readings.PENALTIES", (1e-3,))  # a third of the time
    slide = make_slide(tmp_path / "s.zarr", grid=28)
    told = []
    found = ablations(slide, None, CONFIG, ("full", *ROWS), (0, 3), scored=lambda *row: told.append(row))
    assert list(found) == ["full", *ROWS]
    assert told == [(row, seed, found[row][place]) for place, seed in enumerate((0, 3)) for row in found]
    for row, several in found.items():
        assert len(several) == 2 and several[0] != several[1]
        for scores in several:
            assert set(scores) == SCORES
            assert {name for name, value in scores.items() if value is None} == set(NOT_SCORED.get(row, ()))
            assert all(np.isfinite(value) for value in scores.values() if value is not None)
            if row != "full":
                assert scores != found["full"][several.index(scores)], row
    assert found["genes"][0]["type"] < found["full"][0]["type"]


@pytest.mark.usefixtures("report_at_the_end")
def test_rows_of_a_seed_begin_with_one_image_encoder_and_go_their_ways(tmp_path):
    slide = make_slide(tmp_path / "s.zarr", grid=28)
    shape = model_config([slide], CONFIG)
    prepared, *_ = prepare_slides([slide], shape, CONFIG, None, tmp_path, silent)
    parts = Parts(prepared["training"][0], prepared["validation"][0])
    encoders = ImageEncoders(shape, tmp_path)

    def stem(seed, **options):
        model = encoders.model(parts, CONFIG.model_copy(update={"seed": seed} | options), silent)
        kept = {name: value.clone() for name, value in model.image.state_dict().items()}
        for value in model.parameters():  # as the row's own training does
            value.data.zero_()
        return kept

    alike = lambda a, b: all(torch.equal(a[name], b[name]) for name in a)  # noqa: E731
    first = stem(0)
    assert alike(first, stem(0))
    assert not alike(first, stem(1))
    untrained = stem(0, image_weight=0.0)
    assert not alike(first, untrained) and alike(untrained, stem(0, image_weight=0.0))


@pytest.mark.parametrize("row", WITHOUT)
def test_what_a_row_leaves_out_is_an_option_of_a_run(row):
    assert (TrainConfig(**WITHOUT[row]) != TrainConfig()) == (row not in ("full", "fixed_um"))


def test_a_stretched_crop_holds_the_cell_from_edge_to_edge(tmp_path):
    crops = np.full((2, 2, 64, 64), -1, np.float16)
    crops[:, 0] = 0
    crops[0, :, 20:36, 40:48] = 1  # 16 px tall, 8 wide: the square is 16 px
    crops[1, :] = 1
    out = torch.from_numpy(np.asarray(_stretched(crops, tmp_path / "out.npy"), np.float32))
    inside = out[0, -1] > 0
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    assert len(rows) == 64 and 30 <= len(columns) <= 34
    assert abs(columns.float().mean() - 31.5) <= 1
    assert torch.equal(out[1], torch.ones_like(out[1]))
