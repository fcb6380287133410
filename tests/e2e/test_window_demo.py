"""The main job in the real window, as `napari-spatia demo --headless` runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.inference.registry import list_shipped

pytestmark = [
    pytest.mark.gl,
    pytest.mark.slow,
    pytest.mark.skipif("sim-small" not in list_shipped(), reason="this checkout ships no checkpoint 'sim-small'"),
]


def run_demo(slide, out, checkpoint="sim-small"):
    command = [sys.executable, "-m", "napari_spatia.widgets.demo", str(slide), "--checkpoint", checkpoint]
    return subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, timeout=280)


def test_demo_does_the_main_job_and_leaves_the_slide_alone(tmp_path):
    slide, out = tmp_path / "tissue.zarr", tmp_path / "out"
    simulate_slide(slide, num_cells=200, seed=78)
    before = {path: path.stat().st_mtime_ns for path in slide.rglob("*") if path.is_file()}
    done = run_demo(slide, out)
    assert done.returncode == 0, done.stderr
    told = json.loads((out / "demo.json").read_text())
    assert told["cells"] == 200 and told["types_predicted"] >= 2 and told["slider_moves"] >= 30
    assert told["render_ms"]["p50"] <= told["render_ms"]["p95"] and told["edit"]
    assert told["zero_edit_psnr_db"] >= 30
    for name in told["screenshots"]:
        pixels = np.asarray(Image.open(out / name).convert("RGB"))
        assert pixels.shape[1] >= 1000 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000, name
    with Image.open(out / told["film"]) as film:
        assert film.n_frames > 5 and film.info["comment"].startswith(b"COUNTERFACTUAL")
    assert all((out / name).stat().st_size for name in told["exported"])
    assert {path: path.stat().st_mtime_ns for path in slide.rglob("*") if path.is_file()} == before


def test_a_slide_that_is_not_there_is_one_message(tmp_path):
    done = run_demo(tmp_path / "nothing.zarr", tmp_path / "out")
    assert done.returncode == 1 and "nothing.zarr" in done.stderr and "Traceback" not in done.stderr
