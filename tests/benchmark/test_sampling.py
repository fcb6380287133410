"""Every row and every time of the table, from a tiny model; and a VAE that reads its condition."""

import json

import numpy as np
import pytest
import torch

from napari_spatia.benchmark.condition_use import HeldOut
from napari_spatia.benchmark.cvae import LATENT, train_cvae
from napari_spatia.benchmark.pictures import generated_pictures
from napari_spatia.benchmark.sampling import SamplingBenchmark, Setting, markdown_table, sampling
from napari_spatia.benchmark.timing import expressed_cells, live_times, screen_time
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import silent


@pytest.fixture(scope="module")
def bound(slide, tmp_path_factory):
    types = tuple(sorted(set(slide.obs["cell_type"].astype(str))))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SpatiaModel(ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, types))
    num = len(slide.channels)
    intensity = {"black": (0.0,) * num, "mean": (10.0,) * num, "std": (5.0,) * num}
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_checkpoint(folder, model, CheckpointConfig(name="tiny", model=model.config, intensity=intensity))
    return Predictor.load(folder, "cpu").bind(slide)


HELD_OUT = HeldOut(np.arange(0, 40), np.arange(40, 120), "a test")


def test_every_row_is_scored_and_timed(bound):
    found = sampling(bound, HELD_OUT, passes=(1, 2), merge_ratios=(0.0, 0.5), merge_nfe=1, cvae_steps=2, times=3)
    found = json.loads(json.dumps(found))
    assert found["cells"] == found["compared_with"] == 20 and found["training_cells"] == 80
    drawn = ["1 passes, 0% merged", "2 passes, 0% merged", "1 passes, 50% merged"]
    assert list(found["rows"]) == ["real", "nearest", "class_mean", "shuffled", "cvae", *drawn]
    for name, row in found["rows"].items():
        assert all(distance > 0 for distance in row["frechet"].values())
        assert ("condition_use" in row) == (name != "real")
    real = found["rows"]["real"]["frechet"]
    for row in ("class_mean", *drawn):  # blurred, and drawn by a network that was never trained
        assert all(found["rows"][row]["frechet"][space] > 2 * real[space] for space in real)
    timed = found["time"]["settings"]
    assert set(timed) == {*drawn, "2 passes, 50% merged"}
    assert all(row["share_of_matmul_rate"] > 0 and row["p95_ms"] >= row["p50_ms"] > 0 for row in timed.values())
    assert found["time"]["midpoint"]["passes"] == 400 and found["time"]["midpoint"]["ms"] > 0
    table = markdown_table(found).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert [line.split(" | ")[0] for line in table[2:]] == [
        f"| {name}" for name in [*found["rows"], "2 passes, 50% merged"]
    ]


def test_more_passes_than_training_measured_start_from_noise_of_their_own(bound, monkeypatch):
    monkeypatch.setattr("napari_spatia.benchmark.sampling.NOISE_CELLS", 10)  # of 80: an eighth of the time
    benchmark = SamplingBenchmark(bound, HELD_OUT, 6, 0, silent)
    before = {name: value.clone() for name, value in bound.model.decoder.spectrum.state_dict().items()}
    own = benchmark.draw(Setting(20, 0.0))
    spectrum = bound.model.decoder.spectrum.state_dict()
    assert all(torch.equal(value, spectrum[name]) for name, value in before.items())  # the model is left as it was
    borrowed = benchmark.measure(generated_pictures(bound, benchmark.cells, nfe=20, merge_ratio=0.0, seed=0), 6)
    assert not np.allclose(own.statistics["DAPI"], borrowed.statistics["DAPI"])


def test_halves_are_disjoint_and_the_nearest_cell_is_a_training_cell(bound, slide):
    benchmark = SamplingBenchmark(bound, HELD_OUT, 15, 0, silent)
    assert len(benchmark.cells) == len(benchmark.others) == 15
    assert not np.isin(benchmark.cells, benchmark.others).any()
    nearest = benchmark._nearest()
    assert np.isin(nearest, HELD_OUT.reference).all()
    benchmark.reference = np.arange(slide.num_cells)  # where a cell itself may be found, it is
    assert (benchmark._nearest() == benchmark.cells).mean() > 0.9


def test_real_cells_restore_to_themselves(bound):
    benchmark = SamplingBenchmark(bound, HELD_OUT, 15, 0, silent)
    scores = benchmark.scores(benchmark.real)
    assert all(row["value"] == 1.0 for row in scores["condition_use"].values())
    assert scores["without_mask"] == 0


def test_without_training_cells_there_is_nothing_to_compare_with(bound):
    with pytest.raises(SpatiaError, match="was trained on.*--holdout"):
        sampling(bound, HeldOut(np.arange(9), np.empty(0, np.intp), "a test"))


def test_a_click_and_an_edit_are_timed_and_a_zero_edit_is_the_cell(bound):
    found = live_times(bound, 2, nfe=2)
    assert found["cells"] == 2 and found["fewer_passes"] == 200
    assert found["zero_edit_bit_identical"] == 1.0
    assert all(found[what]["p95_ms"] >= found[what]["p50_ms"] > 0 for what in ("click", "edit"))


def test_a_screen_of_the_whole_panel_is_timed(bound):
    cells = expressed_cells(bound)
    assert (np.asarray(bound.values[cells].sum(axis=1)) > 0).all() and len(cells) <= bound.slide.num_cells
    found = screen_time(bound, int(cells[0]))
    assert (
        found["screen_genes"] == len(bound.predictor.info.panel) and min(found["screen_s"], found["screen_cpu_s"]) > 0
    )


def test_the_vae_reads_its_condition_and_is_the_same_twice():
    random = np.random.default_rng(0)
    condition = torch.from_numpy(random.choice([-1.0, 1.0], (64, 1)).astype(np.float32))
    pictures = (condition.numpy()[:, :, None, None] + 0.1 * random.normal(size=(64, 2, 16, 16))).astype(np.float16)
    before = torch.random.get_rng_state()
    model, again = (train_cvae(pictures, condition, steps=60) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.no_grad():
        bright, dark = (model.draw(torch.zeros(1, LATENT), torch.full((1, 1), sign)).mean() for sign in (1.0, -1.0))
    assert bright - dark > 1.0
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))
