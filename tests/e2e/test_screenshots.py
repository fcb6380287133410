"""The states of the cell bench in pictures, as the page that shows them asks for them."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.inference.registry import list_shipped

ROOT = Path(__file__).parents[2]
SHOWN = re.findall(r"images/states/([\w-]+\.png)", (ROOT / "docs/cell-bench.md").read_text(encoding="utf-8"))
MOST_BYTES = 250_000


def test_every_picture_is_shown_once_and_is_small():
    kept = list((ROOT / "docs/images/states").iterdir())
    assert sorted(SHOWN) == sorted(path.name for path in kept)
    assert max(path.stat().st_size for path in kept) <= MOST_BYTES


@pytest.mark.gl
@pytest.mark.slow
@pytest.mark.skipif("sim-small" not in list_shipped(), reason="this checkout ships no checkpoint 'sim-small'")
def test_the_command_makes_every_picture(tmp_path):
    slide, out = tmp_path / "tissue.zarr", tmp_path / "out"
    simulate_slide(slide, num_cells=200, seed=78)
    command = [sys.executable, "-m", "napari_spatia.widgets.screenshots", str(out), str(slide)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == sorted(SHOWN)
    pixels = {path.name: np.asarray(Image.open(path).convert("RGB")) for path in out.iterdir()}
    assert pixels["window-edited.png"].shape == (768, 1366, 3)
    assert len({picture.tobytes() for picture in pixels.values()}) == len(SHOWN), "each state looks different"
