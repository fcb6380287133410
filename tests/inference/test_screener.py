"""Many edits of an untrained model: what is drawn, what is written as it is drawn, and how genes are ranked."""

import json

import numpy as np
import pytest

from napari_spatia.errors import Cancelled, SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.reach_bands import BANDS, band
from napari_spatia.inference.resolve import EditResolver
from napari_spatia.inference.screen import Screen, ScreenPlan, readable_features
from napari_spatia.inference.screener import Screener

CELL, OTHER = "cell-9", "cell-12"
GENES = ("GENE1", "GENE2", "GENE3", "GENE4", "GENE5")


@pytest.fixture
def screener(tiny_predictor, grid_slide):
    bound = tiny_predictor.bind(grid_slide)
    return Screener(CellEditor(bound), EditResolver(bound))


@pytest.fixture
def cell(screener):
    return screener.editor.select(CELL, 2)


@pytest.fixture
def drawn(screener, monkeypatch):
    """How many pictures were drawn of each cell, in order."""
    told, render_many = [], CellEditor.render_many

    def counted(self, cell, edits, **rest):
        told.append((cell.cell_id, len(edits)))
        return render_many(self, cell, edits, **rest)

    monkeypatch.setattr(CellEditor, "render_many", counted)
    return told


def test_a_strip_has_the_pictures_of_its_doses_and_keeps_the_rest_of_the_edit(screener, cell):
    edit = Edit((("GENE2", 1.5), ("GENE1", 4.0)))
    strip = screener.sweep(cell, edit, "GENE1", (-1.0, 0.0, 2.0))
    for dose, each in zip(strip.doses, strip.drawn, strict=True):
        alone = screener.editor.render(cell, {"GENE2": 1.5, "GENE1": dose})
        assert np.allclose(each.image, alone.image, rtol=1e-4, atol=1e-4 * np.ptp(alone.image))
    assert np.allclose(strip.before.image, cell.zero_edit, rtol=1e-4, atol=1e-4 * np.ptp(cell.zero_edit))
    assert not np.array_equal(strip.drawn[0].image, strip.drawn[2].image)
    assert [feature.key for feature in strip.features] == list(strip.drawn[0].features)
    assert sum(value for key, value in strip.before.features.items() if key.startswith("type:")) == pytest.approx(1)
    assert 0 <= strip.drawn[0].reach_percentile <= 100


def test_what_was_seen_are_the_doses_that_lead_to_counts_of_real_cells(screener, cell, grid_slide):
    low, high = screener.sweep(cell, Edit(), "GENE1", (0.0, 1.0)).seen
    counts = np.log2(1 + grid_slide.counts[:, 1].toarray().ravel())
    own = counts[grid_slide.cell_idx(CELL)]
    assert low == pytest.approx(-own) and high == pytest.approx(np.percentile(counts, 99.5) - own)
    assert screener.sweep(cell, Edit(), "towards:T_cell", (0.0, 1.0)).seen is None


def test_a_grid_has_one_gene_down_and_the_other_across(screener, cell):
    grid = screener.grid(cell, Edit(), ("GENE1", "GENE2"), (-1.0, 2.0), (0.0, 1.0, 3.0))
    assert [[dict(each.edit.terms) for each in line] for line in grid.drawn] == [
        [{"GENE1": a, "GENE2": b} for b in grid.doses_b] for a in grid.doses_a
    ]
    alone = screener.editor.render(cell, {"GENE1": 2.0, "GENE2": 3.0})
    assert np.allclose(grid.drawn[1][2].image, alone.image, rtol=1e-4, atol=1e-4 * np.ptp(alone.image))


def test_two_cells_get_the_same_edit_in_as_many_passes(screener, cell):
    side_by_side = screener.set_beside(cell, OTHER, Edit((("GENE1", 3.0),)))
    first, second = side_by_side.cells
    assert (first.cell.cell_id, second.cell.cell_id) == (CELL, OTHER) and second.cell.nfe == cell.nfe
    alone = screener.editor.render(second.cell, {"GENE1": 3.0})
    assert np.allclose(second.after.image, alone.image, rtol=1e-4, atol=1e-4 * np.ptp(alone.image))


def test_a_screen_that_was_stopped_goes_on_where_it_was_to_the_same_numbers(screener, tmp_path, monkeypatch, drawn):
    plan = ScreenPlan((CELL, OTHER), GENES, num_seeds=3)
    monkeypatch.setattr("napari_spatia.inference.screener.WRITTEN_AT_ONCE", 2)
    whole = screener.screen(plan, tmp_path / "whole")
    drawn.clear()

    def stop(fraction, doing):
        if len(drawn) == 3:
            raise Cancelled("screen")

    with pytest.raises(Cancelled):
        screener.screen(plan, tmp_path / "stopped", stop)
    (file,) = (tmp_path / "stopped").iterdir()
    kept = file.read_text().splitlines()
    assert len(kept) == 1 + 2 + 2, "what it is about, the cell without an edit, its noise, and one batch"
    file.write_text("\n".join(kept) + "\n[" + kept[-1][:20])  # killed in the middle of a line
    drawn.clear()
    again = screener.screen(plan, tmp_path / "stopped")
    assert drawn == [(CELL, 2), (CELL, 1), (OTHER, 1), (OTHER, 2), (OTHER, 2), (OTHER, 1)]
    for name in ("before", "after", "null_sd", "reach"):
        assert np.array_equal(getattr(again, name), getattr(whole, name), equal_nan=True), name
    drawn.clear()
    screener.screen(plan, tmp_path / "stopped")
    assert drawn == []


def test_progress_counts_the_genes_of_a_cell(screener, monkeypatch):
    monkeypatch.setattr("napari_spatia.inference.screener.WRITTEN_AT_ONCE", 2)
    told = []
    screener.screen(ScreenPlan((CELL,), GENES, num_seeds=2), None, lambda fraction, doing: told.append(doing))
    counted = [doing for doing in dict.fromkeys(told) if doing.endswith(" of 5 genes")]
    assert counted[-1] == "drawing 5 of 5 genes" and "drawing 2 of 5 genes" in counted


def test_screens_of_one_dose_share_what_was_found_and_those_of_another_do_not(screener, tmp_path, drawn):
    screener.screen(ScreenPlan((CELL,), GENES[:2], num_seeds=2), tmp_path)
    drawn.clear()
    screener.screen(ScreenPlan((CELL,), GENES[:3], num_seeds=2), tmp_path)
    assert drawn == [(CELL, 1)] and len(list(tmp_path.iterdir())) == 1
    other = screener.screen(ScreenPlan((CELL,), GENES[:2], log2_fc=-1.0, num_seeds=2), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 and other.after.shape == (1, 2, len(screener.features))
    about = [json.loads(file.read_text().splitlines()[0])["log2_fc"] for file in tmp_path.iterdir()]
    assert sorted(about) == [-1.0, 2.0]


def test_a_screen_tells_the_effect_of_each_gene_alone(screener):
    screen = screener.screen(ScreenPlan((CELL,), GENES, num_seeds=4))
    cell = screener.editor.preview(CELL)
    before = screener.sweep(cell, Edit(), "GENE3", (0.0, 2.0))
    at = [feature.key for feature in screen.features].index("boundary:mean")
    expected = before.drawn[1].features["boundary:mean"] - before.before.features["boundary:mean"]
    assert screen.effect[0, 2, at] == pytest.approx(expected, abs=1e-3 * abs(before.before.features["boundary:mean"]))
    assert screen.null_sd[0, at] > 0
    assert (screen.null_sd[0, [key.key.startswith("type:") for key in screen.features]] == 0).all()


def made(effect, null_sd=1.0):
    """A screen of one feature from effects `(cells, genes)`."""
    effect = np.array(effect, float)
    cells, genes = effect.shape
    plan = ScreenPlan(tuple(f"c{i}" for i in range(cells)), tuple(f"g{i}" for i in range(genes)))
    before = np.full((cells, 1), 5.0)
    features = readable_features(("rna",), ())[:1]
    return Screen(plan, features, before, before[:, None] + effect[..., None], np.full((cells, 1), null_sd), effect * 0)


def test_genes_are_ranked_by_the_size_of_their_mean_effect():
    ranked = made([[1.0, -4.0, np.nan, 2.0], [2.0, -2.0, np.nan, np.nan]]).ranked("cell_area")
    assert [gene.gene for gene in ranked] == ["g1", "g3", "g0", "g2"]
    assert [gene.effect for gene in ranked[:3]] == [-3.0, 2.0, 1.5] and np.isnan(ranked[3].effect)
    assert ranked[0].effect_sd == pytest.approx(np.sqrt(2)) and np.isnan(ranked[1].effect_sd)
    assert ranked[0].null_sd == pytest.approx(1 / np.sqrt(2)) and ranked[0].before == 5.0
    assert [gene.is_beyond_noise for gene in made([[0.9, -1.1]]).ranked("cell_area")] == [True, False]


def test_a_feature_that_was_not_measured_is_named_with_those_that_were():
    with pytest.raises(SpatiaError, match="'nucleus_area' was not measured.*cell_area"):
        made([[1.0]]).ranked("nucleus_area")


def test_bands_of_reach_reach_from_0_to_100():
    assert [band(value) for value in (0, 80, 80.1, 95, 99, 99.5, 100)] == [0, 0, 1, 1, 2, 3, 3]
    assert BANDS[-1][0] == 100
