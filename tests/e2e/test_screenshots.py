"""The pictures of the window that the documentation shows, as its pages ask for them."""

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
SERIES = {"states": "cell-bench.md", "controls": "viewer.md"}
"""What is asked for with ``--of``, and the page that shows it."""
MOST_BYTES = 250_000
SHAPES = {"window-edited": (768, 1366, 3), "gene-range": (702, 337, 3)}


def shown_on(page):
    return sorted(re.findall(r"images/\w+/([\w-]+)\.png", (ROOT / "docs" / page).read_text(encoding="utf-8")))


@pytest.mark.parametrize(("series", "page"), SERIES.items())
def test_every_picture_is_shown_once_and_is_small(series, page):
    kept = list((ROOT / "docs/images" / series).iterdir())
    assert shown_on(page) == sorted(path.stem for path in kept)
    assert max(path.stat().st_size for path in kept) <= MOST_BYTES


@pytest.mark.gl
@pytest.mark.slow
@pytest.mark.skipif("sim-small" not in list_shipped(), reason="this checkout ships no checkpoint 'sim-small'")
@pytest.mark.parametrize(("series", "page"), SERIES.items())
def test_the_command_makes_every_picture(series, page, tmp_path):
    slide, out = tmp_path / "tissue.zarr", tmp_path / "out"
    simulate_slide(slide, num_cells=200, seed=78, transcripts=True)
    command = [sys.executable, "-m", "napari_spatia.widgets.screenshots", str(out), str(slide), "--of", series]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    pixels = {path.stem: np.asarray(Image.open(path).convert("RGB")) for path in out.iterdir()}
    assert sorted(pixels) == shown_on(page)
    assert {name: pixels[name].shape for name in SHAPES.keys() & pixels.keys()} == {
        name: shape for name, shape in SHAPES.items() if name in shown_on(page)
    }
    assert len({picture.tobytes() for picture in pixels.values()}) == len(pixels), "each picture looks different"
