import json

import numpy as np
import pytest

from napari_spatia.benchmark.coexpression_check import main, observed_difference
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.splits import Split


def test_the_difference_is_that_of_cells_read_as_deeply():
    rng = np.random.default_rng(0)
    depth = rng.integers(1, 9, 2000)
    counts = rng.poisson(depth[:, None] * np.array([0.1, 3.0, 3.0, 0.5]))
    counts[:, 3] += 2 * (counts[:, 0] > 0)
    values = np.log2(1 + counts).astype(np.float32)
    found = observed_difference(values, 0)
    assert found[0] > 0.9 and found[3] > 0.5
    assert np.abs(found[1:3]).max() < 0.3, "deeper cells express gene 0 more often, and all genes more"
    naive = values[counts[:, 0] > 0].mean(axis=0) - values[counts[:, 0] == 0].mean(axis=0)
    assert naive[1] > 0.5


def test_followers_of_a_simulated_slide_are_scored_and_a_small_one_is_answered(tmp_path, capsys, monkeypatch):
    path = simulate_slide(tmp_path / "slide.zarr", num_cells=600, seed=3)
    split = tmp_path / "split.json"
    split.write_text(Split(validation=((0, 0, 130, 1000),), margin_um=5.0).to_json())
    with pytest.raises(SystemExit):
        main([str(path), "--holdout", str(split)])
    assert "Nothing can be scored on slide 'slide'" in capsys.readouterr().err
    for name, value in (("LEAST_CELLS", 20), ("LEAST_HELD_OUT", 10), ("LEAST_COMPARED", 3), ("LEAST_FOLLOWERS", 1)):
        monkeypatch.setattr(f"napari_spatia.benchmark.coexpression_check.{name}", value)
    main([str(path), "--holdout", str(split)])
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"] > 0 and -1 <= found["median_correlation"] <= 1 and 0 <= found["sign_accuracy"] <= 1
