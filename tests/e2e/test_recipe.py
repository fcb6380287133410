"""A recipe of the window, drawn again by the command line: the identical pixels."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.inference.recipe import digest
from napari_spatia.session.session import Session

PROGRAMME = "mine\tof my own\tLMNB1\tLMNA\n"


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    return simulate_slide(tmp_path_factory.mktemp("recipe") / "tissue.zarr", num_cells=300, seed=5)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "napari_spatia", *(str(argument) for argument in arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_the_command_line_draws_the_windows_pixels_again(slide, tmp_path):
    """After a prediction, which reads all cells in other batches than the command line does."""
    session = Session(sidecar=tmp_path / "sidecar")
    session.open(slide)
    session.load_checkpoint("sim-small", device="cpu")
    session.predict()
    cell = str(session.slide.cell_id[40])
    session.select_cell(cell)
    session.set_log2_fc("LMNB1", 1.25)
    session.set_strength("programme:proliferation", 0.5)
    session.set_coexpressed(True)
    session.render()
    session.keep_recipe(tmp_path / "recipe.json")
    drawn = session.state.counterfactual.image

    done = command("perturb", "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "again", "--seeds", 2, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    with np.load(tmp_path / "again" / "perturb.npz") as arrays:
        np.testing.assert_array_equal(arrays["counterfactual"], drawn)
    assert told["identical_to_recipe"] is True and told["counterfactual_sha256"] == digest(drawn)

    once_more = command("perturb", "--recipe", tmp_path / "again" / "perturb.json", "--out", tmp_path / "thrice",
                        "--seeds", 2, "--json")  # fmt: skip
    assert json.loads(once_more.stdout.splitlines()[-1])["identical_to_recipe"] is True, once_more.stderr
