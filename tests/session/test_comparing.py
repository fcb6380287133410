import numpy as np
import pytest

from napari_spatia.data import differential
from napari_spatia.errors import SpatiaError
from napari_spatia.session.cell_groups import CHOSEN, FIRST_GROUPS, REST, CellGroup, group_rows
from napari_spatia.session.session import Session


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


def compared(session):
    test = session.state.comparison.test
    return test.num_a, test.num_b


def test_the_chosen_cells_are_compared_with_the_rest(session):
    session.choose_rows(range(8, 16))
    session.compare_groups()
    comparison = session.state.comparison
    assert compared(session) == (8, 8) and comparison.labels == ("Chosen now", "The rest")
    assert comparison.test.genes[0] == "GENE0", "it grows with the row"
    assert set(comparison.test.genes) == set(session.slide.panel.genes)


def test_a_kept_choice_stays_when_another_is_made(session):
    session.choose_rows(range(5))
    session.keep_chosen("B")
    session.choose_rows(range(10, 16))
    session.compare_groups()
    assert compared(session) == (6, 5) and session.state.comparison.labels[1] == "Kept (5 cells)"
    session.group_rest("B")
    session.compare_groups()
    assert compared(session) == (6, 10)


def test_classes_on_screen_are_groups(session):
    assert session.classes_to_compare() == ("acinar", "T_cell", "ductal")
    session.group_class("A", "T_cell")
    session.group_class("B", "ductal")
    session.colour_by("gene:GENE1")
    session.compare_groups()
    assert compared(session) == (5, 5) and session.state.comparison.labels == ("T_cell", "ductal")
    assert session.state.groups[0].rows.tolist() == [1, 4, 7, 10, 13]
    assert session.classes_to_compare() == ()
    with pytest.raises(SpatiaError, match="no class 'T_cell' on screen"):
        session.group_class("A", "T_cell")
    session.blend_genes(["GENE1", "GENE2"])
    assert session.classes_to_compare() == ()


def test_cells_in_both_groups_and_filtered_ones_are_in_neither(session):
    session.choose_rows(range(9))
    session.group_class("B", "acinar")
    session.compare_groups()
    assert compared(session) == (6, 3) and session.state.comparison.num_shared == 3
    session.group_rest("B")
    session.filter_categories("obs:cell_type", ["acinar", "ductal"])
    session.compare_groups()
    assert compared(session) == (6, 5) and session.state.comparison.num_shared == 0


def test_rows_of_groups():
    kept = CellGroup("kept", np.array([1, 2]))
    a, b, shared = group_rows((REST, kept), None, None, 5)
    assert (a.tolist(), b.tolist(), shared) == ([0, 3, 4], [1, 2], 0)
    a, b, shared = group_rows((CHOSEN, kept), np.array([2, 3]), np.array([True, True, True, False, True]), 5)
    assert (a.tolist(), b.tolist(), shared) == ([], [1], 1)


def test_what_cannot_be_compared_is_said(session):
    with pytest.raises(SpatiaError, match="Group A is the cells that are chosen, and none is"):
        session.compare_groups()
    with pytest.raises(SpatiaError, match="No cells are chosen to keep"):
        session.keep_chosen("A")
    with pytest.raises(SpatiaError, match="Unknown group 'C'. Expected A or B"):
        session.group_rest("C")
    session.group_rest("A")
    with pytest.raises(SpatiaError, match="Both groups are the rest"):
        session.compare_groups()
    session.choose_rows([1, 2])
    session.group_chosen("A")
    with pytest.raises(SpatiaError, match="Group A has 2 cells"):
        session.compare_groups()
    with pytest.raises(SpatiaError, match="No groups have been compared"):
        session.comparison_text()


def test_the_table_is_copied_and_saved(session, tmp_path):
    session.choose_rows(range(8))
    session.compare_groups()
    lines = session.comparison_text().splitlines()
    assert lines[0].split("\t") == list(differential.COLUMNS) and len(lines) == 13
    session.save_comparison(tmp_path / "genes.csv")
    assert (tmp_path / "genes.csv").read_text().splitlines()[1].split(",")[0] == lines[1].split("\t")[0]
    assert "12 genes written into" in session.state.notice.text


def test_a_new_slide_forgets_groups_and_table(session, small_slide):
    session.choose_rows(range(8))
    session.keep_chosen("A")
    session.compare_groups()
    session.show(small_slide)
    assert session.state.groups == FIRST_GROUPS and session.state.comparison is None
