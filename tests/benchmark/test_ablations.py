"""Rows of the ablation table from trainings of two steps; and the crops that lose their size."""

import numpy as np
import pytest
import torch

from app_fakes import make_slide
from napari_spatia.benchmark.ablations import ROWS, WITHOUT, _stretched, ablations
from napari_spatia.train.config import TrainConfig

SCORES = {"type", "type_genes", "type_image", "hidden_genes", "picture_r2"}


def test_every_row_is_trained_or_read_and_scored(tmp_path):
    slide = make_slide(tmp_path / "s.zarr", grid=28)
    config = TrainConfig(
        preset="tiny",
        device="cpu",
        encoder_steps=2,
        encoder_groups=2,
        encoder_group_size=3,
        encoder_crops=3,
        validate_every=10**6,
    )
    rows = ("image", "genes", "niche", "contrast", "fixed_um")
    found = ablations(slide, None, config, rows, seeds=2)
    assert set(found) == {"full", *rows} and len(found["full"]) == 2
    for scores in (*found["full"], *(found[row] for row in rows)):
        assert set(scores) == SCORES and all(np.isfinite(value) for value in scores.values())
    full = found["full"][0]
    assert found["image"]["type_genes"] == full["type_genes"]  # what the counts say does not need the crop
    assert found["genes"]["type_image"] == full["type_image"]
    assert found["genes"]["type"] < full["type"]
    assert found["fixed_um"]["type_image"] != full["type_image"]


@pytest.mark.parametrize("row", WITHOUT)
def test_what_a_row_leaves_out_is_an_option_of_a_run(row):
    assert row in ROWS
    assert (TrainConfig(**WITHOUT[row]) != TrainConfig()) == (row != "fixed_um")


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
