"""Ranges and ranking of genes, presets, marked neighbours, and the way from cell to cell."""

import json

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from napari_spatia.errors import CellError, SpatiaError
from napari_spatia.inference.edits import Edit, NicheEdit
from napari_spatia.session import presets
from napari_spatia.session.gene_range import GeneRange, gene_range
from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.session.session import Session


@pytest.fixture
def session(small_slide, fake_backend, tmp_path, monkeypatch):
    monkeypatch.setattr(presets.platformdirs, "user_state_path", lambda name: tmp_path / "state" / name)
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    session.load_checkpoint("fake")
    session.select_cell("cell-5")
    return session


# -- ranges ------------------------------------------------------------------------------------------------------------


def test_a_gene_range_is_that_of_the_cells_which_express_the_gene():
    counts = np.zeros((200, 2), np.float32)
    counts[:100, 0] = np.arange(1, 101)
    of_type = np.arange(200) < 50
    known = gene_range(csc_matrix(counts), 0, 6, of_type)
    values = np.log2(1 + np.arange(1, 101))
    assert known.measured == pytest.approx(3.0) and known.num_seen == 100
    assert known.seen == pytest.approx(tuple(np.percentile(values, (1, 99))))
    assert known.of_type == pytest.approx(tuple(np.percentile(values[:50], (1, 99))))
    assert known.top == pytest.approx(np.percentile(values, 99.9) + 1)
    low, high = known.log2_fc_limits
    assert known.edited(low) == 0.0 and known.edited(high) == pytest.approx(known.top)
    assert known.edited(low - 3) == 0.0, "expression ends at 0"


def test_a_gene_range_says_what_is_not_seen():
    counts = np.zeros((50, 2), np.float32)
    counts[:5, 0] = 1
    few = gene_range(csc_matrix(counts), 0, 40, np.arange(50) < 9)
    assert few.seen is not None and few.of_type is None and few.log2_fc_limits == (0.0, 2.0)
    none = gene_range(csc_matrix(counts), 1, 40, None)
    assert none == GeneRange(0.0, 1.0) and none.seen is None
    assert not gene_range(csc_matrix(counts), None, 40, None).is_measured


def test_edited_genes_get_their_range_and_another_cell_its_own(session):
    state = session.state
    assert set(state.ranges) == set(state.edit.present.genes())
    assert state.ranges["GENE0"].measured == pytest.approx(np.log2(6))
    session.set_strength("GENE9", 0.0)
    assert "GENE9" in state.ranges
    session.select_cell("cell-7")
    assert state.ranges["GENE0"].measured == pytest.approx(3.0) and "GENE9" in state.ranges
    session.undo()
    session.redo()
    assert set(state.edit.present.genes()) <= set(state.ranges)


def test_a_gene_that_the_slide_has_not_measured_has_a_range_too(session, monkeypatch):
    info = session.state.checkpoint
    info.panel = type(info.panel)((*info.panel.genes, "ELSEWHERE"))
    session.set_strength("ELSEWHERE", 1.0)
    assert not session.state.ranges["ELSEWHERE"].is_measured


def test_genes_are_ranked_for_the_selected_cell_alone(session, fake_backend):
    session.rank_genes()
    ranking = session.state.sensitivity
    assert ranking.cell_id == "cell-5" and ranking.genes[0] == "GENE9" and ranking.nfe == 2, "in few passes"
    session.select_cell("cell-6")
    assert session.state.sensitivity is None
    session.select_cell(None)
    with pytest.raises(SpatiaError, match="No cell can be edited yet"):
        session.rank_genes()


# -- presets -----------------------------------------------------------------------------------------------------------


def test_an_edit_is_saved_and_loaded_and_undone(session, tmp_path):
    with pytest.raises(SpatiaError, match="no edit to save"):
        session.save_edit(tmp_path / "none.json")
    session.set_strength("GENE3", 1.5)
    session.set_strength("towards:ductal", 0.5)
    session.set_coexpressed(True)
    session.set_niche(NicheEdit.parse("replace=T_cell@cell-6"))
    saved = session.state.edit.present.active()
    session.save_edit(tmp_path / "mine.json")
    assert json.loads((tmp_path / "mine.json").read_text())["checkpoint"] == "fake"
    session.select_cell("cell-2")
    session.load_edit(tmp_path / "mine.json")
    assert session.state.edit.present == saved
    session.undo()
    assert session.state.edit.present.active() == Edit()


def test_what_cannot_be_used_of_a_preset_is_said_and_left_out(session, tmp_path):
    path = tmp_path / "theirs.json"
    edit = {"log2_fc": {"GENE3": 1.0, "GENE11": 2.0, "GENE4": 99}, "towards": {"duct": 1.0}, "niche": "domain=7"}
    path.write_text(json.dumps(edit))
    session.load_edit(path)
    assert session.state.edit.present == Edit((("GENE3", 1.0),))
    notice = session.state.notice
    assert notice.is_error and "1 of 5 parts of the edit in 'theirs.json' are used" in notice.text
    for told in ("'GENE11' is not in the panel", "goes from -16 to 16", "no cell type 'duct'", "no niche domain '7'"):
        assert told in notice.text
    path.write_text(json.dumps({"log2_fc": {"GENE11": 2.0}}))
    with pytest.raises(SpatiaError, match="Nothing of the edit in 'theirs.json' can be used here. .*'GENE11'"):
        session.load_edit(path)
    assert session.state.edit.present == Edit((("GENE3", 1.0),))


def test_recent_presets_are_those_that_are_still_there_newest_first(session, tmp_path):
    assert session.recent_edits() == ()
    session.set_strength("GENE3", 1.5)
    paths = [tmp_path / f"{name}.json" for name in "abcdefghij"]
    for path in paths:
        session.save_edit(path)
    session.load_edit(paths[5])
    paths[8].unlink()
    assert [path.stem for path in session.recent_edits()] == ["f", "j", "h", "g", "e", "d", "c"]
    presets._list_file().write_text("{")
    assert session.recent_edits() == ()
    session.load_edit(paths[0])
    assert [path.stem for path in session.recent_edits()] == ["a"]


def test_a_place_that_cannot_be_written_is_answered(session, tmp_path):
    session.set_strength("GENE3", 1.5)
    (tmp_path / "file").write_text("")
    with pytest.raises(SpatiaError, match="Cannot write the edit to .* Choose another place"):
        session.save_edit(tmp_path / "file" / "edit.json")


# -- neighbours --------------------------------------------------------------------------------------------------------


def test_marked_neighbours_are_removed_and_come_back_by_undo(session):
    state = session.state
    session.use_tool(NEIGHBOURS)
    assert state.neighbours == ("cell-6", "cell-7") and state.marked == ()
    with pytest.raises(SpatiaError, match="No neighbour is marked"):
        session.remove_marked()
    with pytest.raises(CellError, match="cell-9 is not one of the 2 neighbours"):
        session.mark_neighbour("cell-9")
    for cell_id in ("cell-6", "cell-7", "cell-6"):
        session.mark_neighbour(cell_id)
    assert state.marked == ("cell-7",)
    session.remove_marked()
    assert state.edit.present.niche == NicheEdit.parse("remove@cell-7")
    assert state.tool == "" and state.neighbours == state.marked == ()
    session.use_tool(NEIGHBOURS)
    assert state.marked == ("cell-7",), "where it was left"
    session.mark_neighbour("cell-6")
    session.replace_marked("ductal")
    assert state.edit.present.niche == NicheEdit.parse("replace=ductal@cell-7,cell-6")
    session.undo()
    session.undo()
    assert state.edit.present.niche is None


def test_marking_ends_without_an_edit_with_another_tool_or_cell(session):
    state, before = session.state, session.state.edit
    for end in (lambda: session.use_tool(""), lambda: session.use_tool("lasso"), lambda: session.select_cell("cell-2")):
        session.use_tool("")
        session.use_tool(NEIGHBOURS)
        session.mark_neighbour(state.neighbours[0])
        end()
        assert state.tool != NEIGHBOURS and state.neighbours == state.marked == ()
        assert state.edit.present.niche is None and before.present.niche is None
    session.select_cell(None)
    with pytest.raises(SpatiaError, match="No cell can be edited yet"):
        session.use_tool(NEIGHBOURS)
    assert state.tool != NEIGHBOURS


# -- from cell to cell -------------------------------------------------------------------------------------------------


def test_next_and_before_go_round_the_list(session):
    state = session.state
    session.next_cell()
    assert state.selected == "cell-6" and state.goal.center_um == state.card.center_um
    session.next_cell(-1)
    session.next_cell(-1)
    assert state.selected == "cell-4"
    session.choose_rows([2, 9])
    session.walk_through("chosen")
    went = []
    for step in (1, 1, 1, -1):
        session.next_cell(step)
        went.append(state.selected)
    assert went == ["cell-9", "cell-2", "cell-9", "cell-2"]
    session.walk_through("category:ductal")
    session.next_cell(-1)
    assert state.selected == "cell-14", "ductal are 2, 5, 8, 11, 14"
    assert ("category:ductal", "ductal", 5) in session.walks() and ("chosen", "Chosen cells", 2) in session.walks()


def test_a_list_that_is_gone_is_answered(session):
    with pytest.raises(SpatiaError, match="No cell is in this list"):
        session.walk_through("category:mast")
    session.choose_rows([2, 9])
    session.walk_through("chosen")
    session.choose_none()
    with pytest.raises(SpatiaError, match="No cell is in this list any more"):
        session.next_cell()


def test_pictures_follow_the_stains_of_the_slide(session):
    state = session.state
    assert session.stains() == ("DAPI", "boundary") and state.stain_colours.shape == (2, 3)
    limits, colours = state.limits, state.stain_colours
    session.set_stain_look("boundary", (5.0, 50.0), (1.0, 0.0, 0.0))
    assert state.limits[1].tolist() == [5, 50] and state.limits[0].tolist() == limits[0].tolist()
    assert state.stain_colours[1].tolist() == [1, 0, 0] and limits[1].tolist() != [5, 50]
    assert (colours[1] != state.stain_colours[1]).any(), "what was shown before is not written into"
    session.show_stain("DAPI")
    assert state.stain == "DAPI"
    with pytest.raises(SpatiaError, match="no stain 'DAP'. Did you mean DAPI"):
        session.show_stain("DAP")
