"""Each command on a small simulated slide with an untrained model: files, shapes, JSON, and answers to bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.sparse import csr_matrix, hstack

from napari_spatia.cli.edit_files import SWEEP_LOG2_FC
from napari_spatia.data import keys
from napari_spatia.data.io import open_slide
from napari_spatia.data.store import read_table

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:(zarr|anndata|spatialdata)")


def test_simulate_writes_a_slide_and_the_same_seed_writes_the_same(spatia: Callable, tmp_path: Path):
    first = spatia("simulate", tmp_path / "a.zarr", "--cells", 150, "--seed", 3, "--json")
    assert first.code == 0, first.err
    assert spatia("simulate", tmp_path / "b.zarr", "--cells", 150, "--seed", 3).code == 0
    a, b = open_slide(tmp_path / "a.zarr"), open_slide(tmp_path / "b.zarr")
    assert first.json["cells"] == a.num_cells > 100
    np.testing.assert_array_equal(a.counts.toarray(), b.counts.toarray())


def test_info_tells_about_a_slide_and_a_checkpoint(spatia: Callable, tissue_store: Path, untrained: Path):
    slide = spatia("info", tissue_store, "--json").json
    assert slide["channels"] == ["DAPI", "boundary", "rna_18S", "aSMA_vimentin"]
    assert slide["cells"] == open_slide(tissue_store).num_cells
    assert not slide["predicted"]
    checkpoint = spatia("info", untrained, "--json").json
    assert checkpoint["checkpoint"] == "untrained"
    assert checkpoint["genes"] == slide["genes"]
    assert "cell_types: " in spatia("info", untrained).out


def test_predict_writes_back_and_export_reads_it(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    done = spatia("predict", tissue, "--checkpoint", untrained, "--device", "cpu", "--json")
    assert done.code == 0, done.err
    slide = open_slide(tissue)
    assert done.json["cells"] == slide.num_cells == sum(done.json["cell_types"].values())
    assert {*keys.PREDICTED_OBS} <= {*slide.obs.columns}
    assert spatia("info", tissue, "--json").json["predicted"]
    exported = spatia("export", tissue, "--to", tmp_path / "out", "--formats", "csv,geojson", "--json")
    assert exported.code == 0, exported.err
    assert {Path(file).suffix for file in exported.json["files"]} == {".csv", ".geojson"}
    assert all(Path(file).stat().st_size > 0 for file in exported.json["files"])
    lines = next((tmp_path / "out").glob("*.csv")).read_text(encoding="utf-8").splitlines()
    assert {"cell_id", "cell_type", "confidence", "cluster", "domain"} <= set(lines[0].split(","))
    assert len(lines) == slide.num_cells + 1


def test_predict_out_leaves_the_slide_as_it_was(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    hidden = tmp_path / "hidden.txt"
    hidden.write_text("LMNB1\nLMNA\n")
    out = tmp_path / "copy.zarr"
    done = spatia(
        *("predict", tissue, "--checkpoint", untrained, "--tasks", "impute", "--inputs", "genes,niche"),
        *("--hide-genes", hidden, "--genes", "MKI67", "--out", out, "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["imputed_genes"] == 3
    assert "written into" not in done.out
    assert done.json["slide"] == str(out)
    assert keys.OBS_CELL_TYPE not in open_slide(tissue).obs.columns
    assert not (tissue / "tables" / keys.TABLE_IMPUTED).exists()
    assert (out / "tables" / keys.TABLE_IMPUTED).exists()


def test_predict_tells_a_person_what_it_wrote(spatia: Callable, tissue: Path, untrained: Path):
    done = spatia("predict", tissue, "--checkpoint", untrained, "--tasks", "annotate", "--device", "cpu")
    assert done.code == 0, done.err
    where, names = done.out.splitlines()[-1].split(": ")
    assert where == f"written into {tissue}"
    of_types = [f'obs["{keys.OBS_CELL_TYPE}"]', f'obs["{keys.OBS_CELL_TYPE_CONFIDENCE}"]']
    assert names.split(", ") == [*of_types, f'obsm["{keys.OBSM_TYPE_PROBABILITY}"]', 'uns["spatia"] of table table']


def test_predict_imputes_genes_of_a_reference(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    slide = open_slide(tissue)
    further = np.random.default_rng(0).poisson(1.0, (slide.num_cells, 1)).astype(np.float32)
    reference = ad.AnnData(
        hstack([slide.counts, csr_matrix(further)]).tocsr(), var=pd.DataFrame(index=[*slide.panel.genes, "BEYOND"])
    )
    reference.write_h5ad(tmp_path / "ref.h5ad")
    done = spatia(
        *("predict", tissue, "--checkpoint", untrained, "--tasks", "impute", "--inputs", "genes", "--json"),
        *("--genes", "MKI67,BEYOND", "--reference", tmp_path / "ref.h5ad"),
    )
    assert done.code == 0, done.err
    assert done.json["imputed_genes"] == 2 and done.json["reference"]["shared_genes"] == len(slide.panel)
    table = read_table(tissue, keys.TABLE_IMPUTED)
    assert table.genes == ("MKI67", "BEYOND")
    assert list(table.of_genes[keys.VAR_SOURCE]) == ["model untrained", "reference ref.h5ad"]
    missing = spatia("predict", tissue, "--checkpoint", untrained, "--reference", tmp_path / "nowhere.h5ad")
    assert missing.code == 1 and "cannot be read" in missing.err


def test_generate_writes_the_promised_arrays(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    slide = open_slide(tissue)
    cells = tmp_path / "cells.txt"
    cells.write_text("\n".join(slide.cell_id[:3]) + "\n")
    line = ("generate", tissue, "--checkpoint", untrained, "--cells", cells, "--samples", 2, "--nfe", 1, "--seed", 4)
    done = spatia(*line, "--out", tmp_path / "a.npz", "--json")
    assert done.code == 0, done.err
    with np.load(tmp_path / "a.npz") as arrays:
        assert {"cell_id", "images", "masks", "um_per_px", "channels"} <= set(arrays)
        assert arrays["images"].shape == (3, 2, 4, 64, 64)
        assert arrays["masks"].shape == (3, 2, 64, 64)
        assert list(arrays["cell_id"]) == list(slide.cell_id[:3])
        assert list(arrays["channels"]) == list(slide.channels)
        first = arrays["images"]
    assert spatia(*line, "--out", tmp_path / "b.npz").code == 0
    assert spatia(*line, "--shuffle", "--out", tmp_path / "c.npz").code == 0
    with np.load(tmp_path / "b.npz") as again, np.load(tmp_path / "c.npz") as shuffled:
        np.testing.assert_array_equal(again["images"], first)
        assert (shuffled["images"] != first).any()


def test_perturb_writes_pictures_arrays_and_the_recipe(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    cell = open_slide(tissue).cell_id[7]
    done = spatia(
        *("perturb", tissue, "--checkpoint", untrained, "--cell", cell, "--nfe", 2, "--out", tmp_path / "edit"),
        *("--set", "LMNB1=2", "LMNA=-1.5", "--sweep", "MKI67", "--seeds", 3, "--json"),
    )
    assert done.code == 0, done.err
    recipe = json.loads((tmp_path / "edit" / "perturb.json").read_text(encoding="utf-8"))
    assert recipe["log2_fc"] == {"LMNB1": 2.0, "LMNA": -1.5} == done.json["log2_fc"]
    assert recipe["nfe"] == 2
    assert recipe["checkpoint_sha256"]
    assert 0 <= recipe["reach_percentile"] <= 100
    assert recipe["spread_log2"]["cell_area"]["num_seeds"] <= 3 and len(recipe["nearest_cells"]) == 4
    with np.load(tmp_path / "edit" / "perturb.npz") as arrays:
        assert arrays["counterfactual"].shape == arrays["zero_edit"].shape == arrays["real"].shape == (4, 64, 64)
        assert arrays["sweep"].shape == (len(SWEEP_LOG2_FC), 4, 64, 64)
        assert (arrays["counterfactual"] != arrays["zero_edit"]).any()
    for name in ("perturb.png", "sweep.png"):
        picture = Image.open(tmp_path / "edit" / name)
        assert picture.text["Title"] == "COUNTERFACTUAL"
        assert json.loads(picture.text["Comment"])["cell_id"] == cell


def test_perturb_tells_what_a_person_reads(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    cell = open_slide(tissue).cell_id[7]
    line = ("perturb", tissue, "--checkpoint", untrained, "--cell", cell, "--nfe", 1, "--set", "LMNB1=2")
    done = spatia(*line, "--seeds", 2, "--out", tmp_path / "edit")
    assert done.code == 0, done.err
    told = done.out.splitlines()
    assert f"cell_id: {cell}" in told and "  LMNB1: 2.0" in told and f"{tmp_path / 'edit' / 'perturb.json'}" in told[-1]
    assert len(told) < 45 and not any("{" in line or "sha256" in line for line in told)
    changed = [each for each in json.loads((tmp_path / "edit/perturb.json").read_text())["features"] if each["changed"]]
    after = told[next(row for row, line in enumerate(told) if line.startswith("features_changed")) + 1 : -1]
    assert [line.strip().rsplit(": ", 1)[0] for line in after] == [each["feature"] for each in changed]


@pytest.mark.parametrize(
    ("named", "missing"),
    [(("--cell", "a"), "Missing --checkpoint NAME;"), ((), "Missing --checkpoint NAME, --cell ID;")],
)
def test_perturb_names_what_the_line_lacks(spatia: Callable, tissue: Path, tmp_path: Path, named, missing):
    done = spatia("perturb", tissue, "--set", "LMNB1=2", "--out", tmp_path / "edit", *named)
    assert done.code == 2 and missing in " ".join(done.err.replace("│", " ").split())


def test_a_sweep_alone_gives_the_zero_edit_at_dose_zero(
    spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path
):
    cell = open_slide(tissue).cell_id[0]
    line = ("perturb", tissue, "--checkpoint", untrained, "--cell", cell, "--sweep", "LMNB1", "--out", tmp_path)
    assert spatia(*line).code == 0
    with np.load(tmp_path / "perturb.npz") as arrays:
        np.testing.assert_array_equal(arrays["sweep"][SWEEP_LOG2_FC.index(0.0)], arrays["zero_edit"])
        np.testing.assert_array_equal(arrays["counterfactual"], arrays["zero_edit"])


def test_perturb_takes_every_kind_of_edit(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    own = tmp_path / "own.gmt"
    own.write_text("mine\tmy programme\tLMNB1\tNOWHERE\t-LMNA\n", encoding="utf-8")
    slide = open_slide(tissue)
    cell, other = slide.cell_id[7], slide.cell_id[90]
    line = ("perturb", tissue, "--checkpoint", untrained, "--cell", cell, "--nfe", 1, "--out", tmp_path / "edit")
    kinds = ("--programmes", own, "--programme", "mine=-3", "--towards", "acinar=0.5", "--niche", f"cell={other}")
    done = spatia(*line, "--set", "MKI67=1", *kinds, "--coexpressed", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert told["log2_fc"] == {"MKI67": 1.0} and told["programmes"] == {"mine": -3.0}
    assert told["towards"] == {"acinar": 0.5} and told["niche"] == f"cell={other}" and told["coexpressed"] is True
    assert len(told["changed"]) > 2 and "LMNB1" in told["changed"]
    assert abs(told["changed"]["LMNB1"]) < 3 or "LMNB1" not in told["stopped_at_zero"]
    assert "mine: 2 of 3 genes are on the panel; not on it: NOWHERE." in told["edit_notes"]
    assert "NOWHERE" in done.err, "what was left out is said"
    alone = spatia(*line, "--niche", "remove", "--json").json
    assert alone["changed"] == alone["log2_fc"] == {} and "neighbours are removed" in alone["edit_notes"][0]
    with np.load(tmp_path / "edit" / "perturb.npz") as arrays:
        assert (arrays["counterfactual"] != arrays["zero_edit"]).any()
    recipe = tmp_path / "edit" / "perturb.json"
    recipe.write_text(json.dumps(told), encoding="utf-8")
    again = spatia(*line, "--programmes", own, "--edit", recipe, "--json")
    assert again.code == 0 and again.json["changed"] == told["changed"] and again.json["niche"] == told["niche"]
    other_dose = spatia(*line, "--programmes", own, "--edit", recipe, "--set", "MKI67=2", "--niche", "remove", "--json")
    assert other_dose.json["log2_fc"] == {"MKI67": 2.0} and other_dose.json["towards"] == {"acinar": 0.5}
    assert other_dose.json["niche"] == "remove" and other_dose.json["coexpressed"] is True, "what is named counts"
    swept = spatia(*line, "--programmes", own, "--sweep", "programme:mine", "--json")
    assert swept.code == 0 and swept.json["sweep"]["gene"] == "programme:mine"


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--programme", "mine"], 2, "NAME=LOG2FC"),
        (["--towards", "acinar=1.5"], 2, "0 to 1"),
        (["--niche", "swap"], 2, "no niche edit"),
        (["--coexpressed"], 2, "Name an edit"),
        (["--programme", "proliferatoin=1"], 1, "Did you mean proliferation"),
        (["--towards", "acinr=1"], 1, "Did you mean acinar"),
        (["--niche", "domain=1"], 1, "predict first"),
        (["--programmes", "nowhere.gmt", "--set", "LMNB1=1"], 1, "Cannot read programmes"),
        (["--edit", "nowhere.json"], 1, "Cannot read an edit"),
    ],
)
def test_edits_that_cannot_be_are_answered(
    spatia: Callable, tissue_store: Path, untrained: Path, tmp_path: Path, options: list[str], code: int, word: str
):
    cell = open_slide(tissue_store).cell_id[7]
    out = tmp_path / "edit"
    done = spatia("perturb", tissue_store, "--checkpoint", untrained, "--cell", cell, "--out", out, *options)
    assert done.code == code
    assert word in " ".join(done.err.replace("│", " ").split())
    assert not out.exists()


def test_programmes_are_listed_and_shown(spatia: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from napari_spatia.inference import programmes

    monkeypatch.setattr(programmes.platformdirs, "user_config_path", lambda name: tmp_path / name)
    listed = spatia("programmes", "list", "--checkpoint", "sim-small", "--json").json["programmes"]
    assert {"name": "proliferation", "measured": 6}.items() <= listed[0].items()
    assert "6 of 14 genes" in spatia("programmes", "list", "--checkpoint", "sim-small").out
    shown = spatia("programmes", "show", "EMT", "--checkpoint", "sim-small", "--json").json
    assert "CLDN4" in shown["down"] and "VIM" in shown["measured"] and "ZEB1" in shown["missing"]
    place = Path(spatia("programmes", "path").out.strip())
    assert place.parent == tmp_path / "napari-spatia" and place.exists()
    assert spatia("programmes", "show", "nothing").code == 1


def test_models_list_and_path(spatia: Callable, untrained: Path):
    from napari_spatia.inference.registry import list_shipped

    listed = spatia("models", "list", "--json").json
    assert listed["models"] == list(list_shipped()) == [each["name"] for each in listed["details"]]
    said = spatia("models", "list").out.splitlines()
    assert [line for line in said if not line.startswith(" ")] == list(list_shipped())
    of_sim_small = said[said.index("sim-small") :]
    assert "reads 224 genes and DAPI, boundary" in of_sim_small[2] and "15,962 cells of sim_train_1" in of_sim_small[3]
    assert spatia("models", "path", untrained, "--json").json["path"] == str(untrained)
    unknown = spatia("models", "path", "no-such-model")
    assert unknown.code == 1
    assert "no-such-model" in unknown.err


def _without(part: str) -> Callable[[Path], None]:
    return lambda slide: shutil.rmtree(slide / part)


def _truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "word"),
    [(_without("tables"), "table"), (_without("images"), "image"), (_without("labels"), "labels")],
    ids=["no table", "no image", "no labels"],
)
def test_a_slide_that_lacks_something_says_what(spatia: Callable, tissue: Path, damage: Callable, word: str):
    damage(tissue)
    if word == "labels":
        shutil.rmtree(tissue / "shapes")
    done = spatia("info", tissue)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert word in done.err.lower()
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--cell", "nobody", "--set", "LMNB1=1"), "nobody"),
        (("--cell", "FIRST", "--set", "LMNB9=1"), "LMNB1"),
        (("--cell", "FIRST", "--sweep", "XYZ"), "XYZ"),
        (("--cell", "FIRST", "--set", "LMNB1=1", "--channel-map", "DAPI=Hoechst"), "Hoechst"),
        (("--cell", "FIRST", "--set", "LMNB1=1", "--table", "nothing"), "nothing"),
        (("--cell", "FIRST", "--set", "LMNB1=1", "--device", "mps"), "mps"),
    ],
    ids=["cell", "near gene", "gene", "channel", "table", "device"],
)
def test_names_that_are_not_there_are_answered(
    spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path, arguments: tuple[str, ...], word: str
):
    first = open_slide(tissue).cell_id[0]
    named = [first if argument == "FIRST" else argument for argument in arguments]
    done = spatia("perturb", tissue, "--checkpoint", untrained, "--out", tmp_path / "edit", *named)
    assert done.code == 1
    assert word in done.err
    assert not (tmp_path / "edit").exists()


def test_a_truncated_checkpoint_and_no_checkpoint_are_answered(
    spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path
):
    broken = Path(shutil.copytree(untrained, tmp_path / "broken"))
    _truncate(broken)
    done = spatia("predict", tissue, "--checkpoint", broken)
    assert (done.code, "truncated" in done.err) == (1, True)
    assert spatia("predict", tissue, "--checkpoint", tmp_path / "nowhere").code == 1
    assert keys.OBS_CELL_TYPE not in open_slide(tissue).obs.columns


def test_a_checkpoint_of_another_panel_is_answered(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    other = Path(shutil.copytree(untrained, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    config["model"]["panel"] = [f"OTHER{i}" for i in range(len(config["model"]["panel"]))]
    (other / "config.json").write_text(json.dumps(config))
    done = spatia("predict", tissue, "--checkpoint", other)
    assert done.code == 1
    assert "genes" in done.err


def test_files_of_names_must_be_there_and_not_empty(spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    line = ("generate", tissue, "--checkpoint", untrained, "--out", tmp_path / "x.npz", "--cells")
    for file in (empty, tmp_path / "nowhere.txt"):
        done = spatia(*line, file)
        assert done.code == 1
        assert file.name in done.err
    assert not (tmp_path / "x.npz").exists()


def test_no_scheduler_at_the_address_is_said(
    spatia: Callable, tissue: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("napari_spatia.cli.predict.SCHEDULER_TIMEOUT", "1s")
    done = spatia("predict", tissue, "--checkpoint", untrained, "--scheduler", "tcp://127.0.0.1:9")
    assert done.code == 1
    assert "127.0.0.1:9" in done.err


def test_predict_reads_through_a_dask_scheduler(spatia: Callable, tissue: Path, untrained: Path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        done = spatia(
            "predict", tissue, "--checkpoint", untrained, "--tasks", "annotate", "--scheduler", address, "--json"
        )
    assert done.code == 0, done.err
    assert sum(done.json["cell_types"].values()) == done.json["cells"]


def test_open_without_a_display_says_what_to_do(spatia: Callable, tissue: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    done = spatia("open", tissue)
    assert done.code == 1
    assert "demo --headless" in done.err


def test_open_hands_the_slide_and_its_parts_to_the_window(
    spatia: Callable, tissue: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
):
    called = []
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr("napari_spatia.cli.window.run_window", lambda *a: called.append(a) or 5)
    done = spatia("open", tissue, "--checkpoint", untrained, "--table", "table", "--um-per-px", 0.5)
    assert done.code == 5
    assert done.err.splitlines()[0] == f"Opening {tissue.name} in napari…"
    module, arguments = called[0][:2]
    assert module == "napari_spatia.widgets.launch"
    assert arguments == [str(tissue), "--checkpoint", str(untrained), "--table", "table", "--um-per-px", "0.5"]


def test_headless_demo_reports_what_the_window_wrote(
    spatia: Callable, tissue: Path, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def window(module: str, arguments: list[str], env: dict, report: object) -> int:
        assert module == "napari_spatia.widgets.demo"
        assert env["DISPLAY"] != ":77", "a screen of its own, whatever the person's is"
        (Path(arguments[arguments.index("--out") + 1]) / "demo.json").write_text('{"cells": 7}')
        return code

    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr("napari_spatia.cli.demo.run_window", window)
    line = ("demo", "--headless", "--slide", tissue, "--checkpoint", untrained, "--out", tmp_path, "--json")
    code = 0
    assert spatia(*line).json == {"cells": 7}
    assert spatia(*line[:-1]).out.splitlines()[-1].endswith(f"are in {tmp_path}")
    code = 1
    failed = spatia(*line)
    assert failed.code == 1
    assert "exit code 1" in failed.err


def test_demo_simulates_its_tissue_once(
    spatia: Callable, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = []
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr("napari_spatia.cli.demo.CELLS", 150)
    monkeypatch.setattr("napari_spatia.cli.demo.run_window", lambda *a: opened.append(a[1][0]) or 0)
    for _ in range(2):
        done = spatia("demo", "--checkpoint", untrained, "--out", tmp_path)
        assert done.code == 0, done.err
        assert ("laying out the tissue" in done.err) == (len(opened) == 1)
    assert opened == [str(tmp_path / "tissue.zarr")] * 2
    assert open_slide(tmp_path / "tissue.zarr").num_cells > 100


@pytest.mark.slow
def test_train_writes_a_checkpoint_that_predicts(spatia: Callable, tmp_path: Path):
    slide = tmp_path / "train.zarr"
    assert spatia("simulate", slide, "--cells", 700, "--seed", 2).code == 0
    line = ("train", slide, "--out", tmp_path / "mine", "--preset", "tiny", "--max-minutes", 0.05, "--device", "cpu")
    done = spatia(*line, "--json")
    assert done.code == 0, done.err
    assert done.json["held_out"]
    assert {"config.json", "model.safetensors", "log.jsonl", "curves.png"} <= {
        p.name for p in (tmp_path / "mine").iterdir()
    }
    assert spatia("predict", slide, "--checkpoint", tmp_path / "mine", "--tasks", "annotate").code == 0


def test_train_refuses_what_it_cannot_train_on(spatia: Callable, tissue: Path, tmp_path: Path):
    line = ("train", tissue, "--out", tmp_path / "mine", "--preset", "tiny")
    few = spatia(*line)
    assert few.code == 1
    assert "cells" in few.err
    split = spatia(*line, "--holdout", tmp_path / "nowhere.json")
    assert split.code == 1
    assert "nowhere.json" in split.err
