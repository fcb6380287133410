"""The edited cell as files that say counterfactual."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image

import app_fakes
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.recipe import digest, read_recipe
from napari_spatia.session.keeping import SWEEP_STEPS
from napari_spatia.session.session import Session


@pytest.fixture
def session(fake_backend, small_slide, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    session.load_checkpoint("fake")
    session.select_cell("cell-5")
    session.set_log2_fc("GENE3", 1.5)
    session.render()
    return session


def test_pictures_have_the_chosen_size_and_say_what_they_are(session, tmp_path):
    session.keep_picture(tmp_path / "all.png", side_px=256)
    session.keep_picture(tmp_path / "one.png", ["counterfactual"], side_px=300)
    with Image.open(tmp_path / "all.png") as whole, Image.open(tmp_path / "one.png") as one:
        assert whole.width == 4 * 256 + 5 * 8 and one.width == 300 + 2 * 8
        assert whole.text["Title"] == "COUNTERFACTUAL"
        recipe = json.loads(one.text["Comment"])
        assert recipe["cell_id"] == "cell-5" and recipe["log2_fc"]["GENE3"] == 1.5
        yellow = (np.asarray(one.convert("RGB")).astype(int) - (255, 205, 60) == 0).all(axis=-1)
        assert yellow.sum() > 30, "the word is in the picture"
    assert session.state.saved == tmp_path / "one.png"
    session.keep_picture(tmp_path / "one.tif", ["counterfactual"], side_px=300)
    with Image.open(tmp_path / "one.tif") as kept, Image.open(tmp_path / "one.png") as one:
        assert kept.format == "TIFF" and np.array_equal(np.asarray(kept), np.asarray(one))
        assert json.loads(kept.tag_v2[270]) == one.text
    with pytest.raises(SpatiaError, match="Expected some of real, zero edit"):
        session.keep_picture(tmp_path / "none.png", [])


def test_intensities_are_kept_as_they_are(session, tmp_path):
    session.keep_intensities(tmp_path / "cell.ome.tif")
    edited = session.state.counterfactual
    with tifffile.TiffFile(tmp_path / "cell.ome.tif") as file:
        assert file.is_ome and len(file.series) == 3
        for series, expected in zip(file.series, (edited.cell.real, edited.cell.zero_edit, edited.image), strict=True):
            assert series.axes == "CYX"
            np.testing.assert_array_equal(series.asarray(), expected)
        tree = ElementTree.fromstring(file.ome_metadata)
    images = tree.findall("{*}Image")
    assert "COUNTERFACTUAL of cell-5: GENE3 +1.5" in images[2].get("Name")
    pixels = images[2].find("{*}Pixels")
    assert [channel.get("Name") for channel in pixels.findall("{*}Channel")] == list(app_fakes.CHANNELS)
    assert float(pixels.get("PhysicalSizeX")) == 0.32


def test_features_before_and_after(session, tmp_path):
    session.examine()
    session.keep_features(tmp_path / "features.csv")
    with (tmp_path / "features.csv").open(encoding="utf-8") as file:
        lines = {line["feature"]: line for line in csv.DictReader(file)}
    edited = session.state.counterfactual
    assert float(lines["cell_area"]["counterfactual"]) == pytest.approx(16 * 16 * 0.32**2)
    boundary = lines["boundary:mean"]
    assert float(boundary["real"]) == pytest.approx(float(edited.cell.real[1, 16, 16]))
    assert (float(boundary["zero_edit"]), float(boundary["counterfactual"]), float(boundary["change"])) == (16, 31, 15)
    assert lines["cell_area"]["edit"] == "GENE3 +1.5" and lines["cell_area"]["unit"] == "µm²"
    assert [float(lines["cell_area"][column]) for column in ("change_mean", "change_sd", "seeds")] == [1.35, 0.75, 8]
    session.set_log2_fc("GENE3", 2.0)
    session.render()
    session.keep_features(tmp_path / "unexamined.csv")
    with (tmp_path / "unexamined.csv").open(encoding="utf-8") as file:
        assert list(next(csv.DictReader(file)))[-1] == "change"


def test_a_film_has_a_picture_a_dose_there_and_back(session, tmp_path):
    session.keep_sweep(tmp_path / "sweep.gif", "GENE4", side_px=256)
    with Image.open(tmp_path / "sweep.gif") as film:
        assert film.n_frames == 2 * SWEEP_STEPS - 2
        assert film.info["comment"].startswith(b"COUNTERFACTUAL: cell-5, GENE4 from ")
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(SWEEP_STEPS - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    middle = slice(120, 200), slice(100, 180)
    assert last[middle].mean() > first[middle].mean() + 10, "the doses differ"
    with pytest.raises(SpatiaError):
        session.keep_sweep(tmp_path / "sweep.gif", "NOPE")


def test_a_film_says_what_else_is_edited(session, monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr("napari_spatia.inference.edit_pictures.picture.panel_row",
                        lambda titled: said.append(titled[0].title) or titled[0].picture)  # fmt: skip
    session.set_log2_fc("GENE4", 1.23456)
    session.keep_sweep(tmp_path / "sweep.gif", "GENE4", side_px=256)
    others = session.state.edit.present.active().without_term("GENE4").terms
    other = ", ".join(f"{gene} {value:+g}" for gene, value in others)
    assert other and all(title.endswith(f", with {other}") for title in said)
    assert all(len(title.split(",")[0].rpartition(".")[2]) == 2 for title in said), "two decimals"
    for gene in ("GENE5", "GENE6", "GENE7", "GENE8"):
        session.set_log2_fc(gene, -1.25)
    session.render()
    session.keep_sweep(tmp_path / "sweep.gif", "GENE4", side_px=256)
    assert said[-1].endswith(", with 5 other edits")


def test_a_recipe_holds_all_that_it_takes(session, tmp_path):
    session.keep_recipe(tmp_path / "recipe.json")
    recipe = read_recipe(tmp_path / "recipe.json")
    edited = session.state.counterfactual
    assert (recipe.cell_id, recipe.nfe, recipe.checkpoint) == ("cell-5", 4, "fake")
    assert recipe.edit == session.state.edit.present.active() and recipe.sha256 == digest(edited.image)
    assert recipe.slide == session.slide.path and recipe.parts["image"] == "image"
    kept = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert kept["kind"] == "counterfactual" and set(kept["versions"]) == {"napari-spatia", "torch", "numpy"}
    (tmp_path / "edit.json").write_text(json.dumps({"log2_fc": {"GENE3": 1}}), encoding="utf-8")
    with pytest.raises(SpatiaError, match="is no recipe: it lacks slide, checkpoint"):
        read_recipe(tmp_path / "edit.json")


def test_nothing_is_kept_before_a_cell_is_drawn_or_where_nothing_can_be_written(session, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpatiaError, match="Cannot write"):
        session.keep_features(tmp_path / "file" / "features.csv")
    session.select_cell(None)
    for verb in (session.keep_picture, session.keep_intensities, session.keep_features, session.keep_recipe):
        with pytest.raises(SpatiaError, match="No cell is drawn yet"):
            verb(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_picture_of_the_view_says_when_counterfactuals_are_in_it(session, tmp_path):
    seen = np.zeros((60, 80, 3), np.uint8)
    session.save_picture(seen, tmp_path / "with.png", legend=False)
    session.show_patches(False)
    session.save_picture(seen, tmp_path / "without.png", legend=False)
    with Image.open(tmp_path / "with.png") as patched, Image.open(tmp_path / "without.png") as real:
        assert patched.text["Title"] == "COUNTERFACTUAL" and "Title" not in real.text
