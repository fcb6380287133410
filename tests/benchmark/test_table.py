"""The table says what was measured, against which bound, and runs only what is missing."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from napari_spatia.benchmark import table as module
from napari_spatia.benchmark.scores import FIVE, markdown
from napari_spatia.benchmark.table import Run, obtain, page
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.registry import find_checkpoint
from napari_spatia.model.checkpoint import load_checkpoint


def condition_use(generated, shuffled=0.0):
    rows = {"generated": generated, "shuffled": shuffled, "ridge": 0.5}
    interval = {row: {"value": value, "low": value - 0.1, "high": value + 0.1} for row, value in rows.items()}
    return {"r2": {"cell": {name: interval for name in FIVE}}}


def natural(value, low):
    row = {"value": value, "low": low, "high": 0.9}
    return {"scores": {"all": {"model": row, "shuffled": row, "ridge": row, "reliability": {"highest_score": 0.8}}}}


def line(text, label):
    return next(row.split(" | ") for row in text.splitlines() if row.startswith(f"| {label} |"))


def test_bounds_are_the_baselines_of_the_same_run():
    text = markdown({"condition_use": [condition_use(0.52)]})
    assert line(text, "image R² from expression: DAPI")[1:] == ["ridge 0.5", "≥ ridge", "0.52", "0.42 – 0.62", "met |"]
    assert line(text, "image R², mean of the five")[2:] == ["≥ ridge + 0.05", "0.52", "", "**missed** |"]
    assert line(text, "image R², shuffled, highest of the five")[-1] == "met |"
    assert line(markdown({"condition_use": [condition_use(0.6, 0.1)]}), "image R², shuffled, highest of the five")[
        -1
    ] == ("**missed** |")


def test_seeds_are_averaged_and_their_range_is_shown():
    text = markdown({"condition_use": [condition_use(0.4), condition_use(0.6)]})
    assert line(text, "image R² from expression: boundary")[3:5] == ["0.5", "0.4 – 0.6"]


def test_an_interval_that_holds_0_does_not_meet_the_natural_experiment():
    label = "natural experiment, correlation over genes"
    assert line(markdown({"natural_experiment": [natural(0.7, 0.2)]}), label)[-1] == "met |"
    assert line(markdown({"natural_experiment": [natural(0.7, -0.1)]}), label)[-1] == "**missed** |"


def test_what_was_not_measured_is_said_and_a_file_of_another_version_is_refused():
    assert "| ECE of type probabilities | | ≤ 0.03 | not measured | | |" in markdown({}).splitlines()
    with pytest.raises(SpatiaError, match="'timing' has no 'zero_edit_psnr_db'.*--rerun"):
        markdown({"timing": [{"click": {"p95_ms": 1.0}}]})


def test_seeds_that_were_not_drawn_in_64_passes_have_no_row_for_them_and_nothing_else_is_left_out():
    distances = {"frechet": {"morphology": 6.0, "texture": 4.0}}
    few = {"rows": {"real": distances, "4 passes, 0% merged": distances}}
    text = markdown({"passes": [few, few]}, with_unmeasured=False)
    assert "4 passes ÷ real floor" in text and "64 passes" not in text
    with pytest.raises(SpatiaError, match="64 passes.*--rerun"):
        markdown({"passes": [few]})
    with pytest.raises(SpatiaError, match="'passes' has no 'real'.*--rerun"):
        markdown({"passes": [{"rows": {"4 passes, 0% merged": distances}}]}, with_unmeasured=False)


def test_a_file_of_the_same_weights_is_read_and_any_other_is_made_again(tmp_path, monkeypatch):
    ran = []

    def run(command, **options):
        ran.append(command)
        return SimpleNamespace(returncode=0, stdout=json.dumps({"sha256": sha256, "value": len(ran)}))

    sha256 = load_checkpoint(find_checkpoint("sim-small"))[2]
    monkeypatch.setattr(subprocess, "run", run)
    job = (Run("timing", "real", ("--cells", "3")), tmp_path / "folder" / "slide.zarr", "sim-small", tmp_path)
    first = obtain(*job, rerun=False)
    assert first["command"] == "python -m napari_spatia.benchmark.timing slide.zarr --checkpoint sim-small --cells 3"
    assert obtain(*job, rerun=False) == first and len(ran) == 1
    assert obtain(*job, rerun=True)["value"] == 2
    (tmp_path / "sim-small_timing.json").write_text(json.dumps({"sha256": "of other weights"}))
    assert obtain(*job, rerun=False)["value"] == 3
    monkeypatch.setattr(subprocess, "run", lambda command, **options: SimpleNamespace(returncode=1, stdout=""))
    with pytest.raises(SpatiaError, match="'timing' of 'sim-small'.*status 1"):
        obtain(*job, rerun=True)


def test_the_page_has_the_shipped_model_the_seeds_and_what_else_was_measured():
    use = [{"command": f"python -m condition_use {n}", **condition_use(value)} for n, value in enumerate((0.4, 0.6))]
    rows = {"full": [{"type": 0.8, "type_genes": 0.75}, {"type": 0.9}], "niche": {"type": 0.5, "hidden_genes": None}}
    asked = {"steps": 5, "image_steps": 2, "seeds": [0, 1], "preset": "small"}
    ablations = {"command": "python -m ablations", **asked, "rows": rows}
    at_4 = {"4 passes": {"frechet": {"morphology": 21.4, "texture": 11.2}}}
    few = {"command": "python -m few_steps", "cells": 9, "rows": {"before": at_4, "shortcut": {"steps": 70, **at_4}}}
    few["rows"]["real"] = {"frechet": {"morphology": 4.62, "texture": 3.5}}
    guided_rows = {"shortcut, guidance 1": {"4 passes": {"condition_use": {"DAPI": {"value": 0.3}}}}}
    guided_rows["real"] = few["rows"]["real"]
    guided = {"command": "python -m guided", "checkpoint": "c", "cells": 7, "rows": guided_rows}
    text = page({"condition_use": use}, {"ablations": ablations, "few_steps": few, "guidance": guided})
    shipped, seeds = text.split("## Training seeds")
    assert line(shipped, "image R² from expression: DAPI")[3] == "0.4" and "condition_use 1" not in text
    assert line(seeds, "image R² from expression: DAPI")[3] == "0.5" and "not measured" not in seeds
    assert line(text, "full")[1:3] == ["0.85 (0.8 – 0.9)", "0.75"] and line(text, "niche")[1:] == [
        "0.5",
        "",
        "",
        "",
        " |",
    ]
    assert text.count("Real cells are at 4.62 (morphology) and 3.5 (texture) of others.") == 2
    assert line(text, "shortcut")[5:7] == ["21.4", "11.2"] and line(text, "shortcut")[-1] == "70 |"
    assert line(text, "shortcut, guidance 1")[1:3] == ["", ""] and line(text, "shortcut, guidance 1")[7] == "0.3"
    assert "## Training seeds" not in page({"condition_use": use[:1]}, {})


def test_seeds_and_rows_of_several_files_are_joined_and_other_runs_are_not(tmp_path):
    asked = {"benchmark": "ablations", "steps": 5, "image_steps": 2, "preset": "small"}

    def write(name, seeds, rows, **other):
        rows = {row: [{"type": value} for value in values] for row, values in rows.items()}
        found = {"command": name, "seeds": seeds, "rows": rows}
        (tmp_path / f"{name}.json").write_text(json.dumps(asked | found | other))

    write("ablations-0", [0], {"full": [0.7], "niche": [0.5]})
    write("ablations-1", [1], {"niche": [0.6]})
    write("ablations-2", [1], {"full": [0.8]})
    text = page({}, {"ablations": module._read_other("ablations", tmp_path)})
    assert line(text, "full")[1] == "0.75 (0.7 – 0.8)" and line(text, "niche")[1] == "0.55 (0.5 – 0.6)"
    assert "seeds [0, 1]" in text and "    ablations-0\n    ablations-1\n    ablations-2\n" in text
    write("ablations-3", [2], {"full": [0.8]}, steps=9)
    with pytest.raises(SpatiaError, match="of different runs"):
        module._read_other("ablations", tmp_path)
    assert module._read_other("guidance", tmp_path) is None


def test_the_table_is_written_from_files_alone(tmp_path, capsys):
    module.main(["--out", str(tmp_path)])
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
