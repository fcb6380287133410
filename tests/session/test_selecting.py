import numpy as np
import pytest

from napari_spatia.data.inside import rows_inside
from napari_spatia.errors import SpatiaError
from napari_spatia.session.colour import OTHERS_ALPHA, count_chosen, dim_others
from napari_spatia.session.scatter import Plot
from napari_spatia.session.session import Session

LEFT_HALF = [(0.0, 0.0), (0.0, 16.0), (32.0, 16.0), (32.0, 0.0)]
TOP_ROW = [(0.0, 0.0), (0.0, 32.0), (8.0, 32.0), (8.0, 0.0)]


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


def chosen(session):
    return [] if session.state.chosen is None else session.state.chosen.tolist()


def test_cells_are_chosen_by_their_centres_and_modes_add_and_remove(session):
    session.choose_inside(LEFT_HALF)
    assert chosen(session) == [0, 1, 4, 5, 8, 9, 12, 13]
    session.choose_inside(TOP_ROW, "remove")
    assert chosen(session) == [4, 5, 8, 9, 12, 13]
    session.choose_inside(TOP_ROW, "add")
    assert chosen(session) == [0, 1, 2, 3, 4, 5, 8, 9, 12, 13]
    session.choose_inside(TOP_ROW)
    assert chosen(session) == [0, 1, 2, 3]


def test_invert_none_and_a_choice_of_nothing(session):
    session.choose_rows([3, 1, 1])
    session.invert_choice()
    assert chosen(session) == [0, 2, *range(4, 16)]
    session.choose_none()
    assert session.state.chosen is None
    session.invert_choice()
    assert len(chosen(session)) == 16
    session.choose_inside([(100.0, 100.0), (100.0, 101.0), (101.0, 101.0)])
    assert session.state.chosen is None


def test_the_choice_is_not_written_into(session):
    session.choose_rows([2])
    with pytest.raises(ValueError, match="read-only"):
        session.state.chosen[0] = 5


def test_what_cannot_be_chosen_is_said(session):
    with pytest.raises(SpatiaError, match="Unknown way to choose 'both'. Expected one of replace, add, remove"):
        session.choose_rows([1], "both")
    with pytest.raises(SpatiaError, match="not all on slide 'small'. Expected 0 … 15"):
        session.choose_rows([1, 16])
    with pytest.raises(SpatiaError, match="encloses nothing"):
        session.choose_inside([(0.0, 0.0), (1.0, 1.0)])
    with pytest.raises(SpatiaError, match="Unknown tool 'brush'"):
        session.use_tool("brush")
    with pytest.raises(SpatiaError, match="No slide is open"):
        Session().use_tool("lasso")
    with pytest.raises(SpatiaError, match="No cells are chosen"):
        session.annotate_chosen(None)
    with pytest.raises(SpatiaError, match="No map of the cells"):
        session.choose_in_plot(TOP_ROW)


def test_a_tool_is_used_until_it_is_asked_for_again(session):
    session.use_tool("lasso")
    session.use_tool("box")
    assert session.state.tool == "box"
    session.use_tool("box")
    assert session.state.tool == ""


def test_a_line_that_crosses_itself_encloses_both_lobes_and_where_it_overlaps(session):
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (500, 2))
    eight = np.array([(-1.0, -1.0), (1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)])
    expected = np.flatnonzero((np.abs(points[:, 0]) < 1) & (np.abs(points[:, 1]) < np.abs(points[:, 0])))
    assert np.array_equal(rows_inside(points, eight), expected) and len(expected) > 50
    turn = np.linspace(0, 4 * np.pi, 80, endpoint=False)
    twice = np.c_[np.sin(turn), np.cos(turn)] * np.linspace(1.0, 1.5, 80)[:, None]
    middle = np.flatnonzero(np.linalg.norm(points, axis=1) < 0.9)
    assert set(middle) <= set(rows_inside(points, twice))
    assert not len(rows_inside(np.array([[np.nan, 0.0]]), eight))


def test_hidden_cells_are_not_chosen(session):
    session.show_category("acinar", False)
    session.choose_inside(TOP_ROW)
    assert chosen(session) == [1, 2]
    session.colour_by(None)
    session.choose_inside(TOP_ROW)
    assert chosen(session) == [0, 1, 2, 3]


def test_the_plot_has_its_own_coordinates(session):
    places = np.array([(idx, -idx) for idx in range(16)], dtype=np.float32)
    session.state.plot = Plot("obsm:X_test", "test", places)
    session.choose_in_plot([(1.5, 0.0), (4.5, 0.0), (4.5, -9.0), (1.5, -9.0)])
    assert chosen(session) == [2, 3, 4]


def test_a_new_slide_clears_the_choice_and_the_tool(session, small_slide):
    session.choose_rows([1])
    session.use_tool("lasso")
    session.show(small_slide)
    assert session.state.chosen is None and session.state.tool == ""


def test_annotating_the_choice_is_one_step_of_undo_and_is_on_disk(session):
    session.add_class("mast", (1, 2, 3))
    session.add_class("tumour", (4, 5, 6))
    session.annotate("cell-1", "tumour")
    session.choose_inside(TOP_ROW)
    session.annotate_chosen("mast")
    row = [f"cell-{idx}" for idx in range(4)]
    assert dict(session.state.annotations.assigned) == dict.fromkeys(row, "mast")
    journal = session.opened.journal
    assert journal.replay(type(session.state.annotations)()) == session.state.annotations
    session.undo_annotation()
    assert dict(session.state.annotations.assigned) == {"cell-1": "tumour"}
    assert journal.replay(type(session.state.annotations)()) == session.state.annotations
    session.redo_annotation()
    session.annotate_chosen(None)
    assert not session.state.annotations.assigned
    before = journal.path.read_bytes()
    session.annotate_chosen(None)
    assert journal.path.read_bytes() == before, "nothing changed, nothing to undo"
    session.undo_annotation()
    assert dict(session.state.annotations.assigned) == dict.fromkeys(row, "mast")
    with pytest.raises(SpatiaError, match="no annotation class 'b'"):
        session.annotate_chosen("b")


def test_others_are_painted_fainter_and_hidden_ones_stay_hidden():
    rgba = np.array([(1, 2, 3, 255), (4, 5, 6, 255), (7, 8, 9, 0), (1, 1, 1, 90)], np.uint8)
    assert dim_others(rgba, None) is rgba
    dimmed = dim_others(rgba, np.array([1, 2]))
    assert dimmed[:, 3].tolist() == [int(255 * OTHERS_ALPHA), 255, 0, int(90 * OTHERS_ALPHA)]
    assert np.array_equal(dimmed[:, :3], rgba[:, :3]) and rgba[0, 3] == 255


def test_chosen_cells_are_counted_by_category(session):
    lookup = session.state.lookup
    assert [(row.name, row.count) for row in count_chosen(lookup, np.array([0, 3, 6, 1]))] == [
        ("acinar", 3),
        ("T_cell", 1),
    ]
    session.colour_by("gene:GENE0")
    assert count_chosen(session.state.lookup, np.array([0])) == () == count_chosen(lookup, None)
