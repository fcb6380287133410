import numpy as np
import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.session.annotations import Annotations
from napari_spatia.session.session import Session

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def reopened(small_slide, fake_backend, tmp_path):
    """Opens the slide in a session of its own, as after a restart."""

    def make():
        session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
        session.show(small_slide)
        return session

    return make


@pytest.fixture
def session(reopened):
    session = reopened()
    session.add_class("mast", RED)
    session.annotate("cell-1", "mast")
    session.colour_by("annotation")
    return session


def state_of(session):
    annotations = session.state.annotations
    return annotations.names, dict(annotations.assigned)


def test_a_class_takes_another_name_with_its_cells_and_colour(session, reopened):
    session.rename_category("mast", " mast cell ")
    assert state_of(session) == (("mast cell",), {"cell-1": "mast cell"})
    assert [(row.name, row.colour, row.count) for row in session.state.lookup.legend] == [("mast cell", RED, 1)]
    assert state_of(reopened()) == state_of(session), "it is on disk"


def test_a_rename_is_one_step_back_and_forth_also_on_disk(session, reopened):
    session.rename_class("mast", "B")
    session.annotate("cell-2", "B")
    session.undo_annotation()
    session.undo_annotation()
    assert state_of(session) == (("mast",), {"cell-1": "mast"}) == state_of(reopened())
    session.redo_annotation()
    session.redo_annotation()
    assert state_of(session) == (("B",), {"cell-1": "B", "cell-2": "B"}) == state_of(reopened())


def test_what_names_a_class_follows_it(session):
    session.arm_class("mast")
    session.filter_categories("annotation", ["mast"])
    session.show_category("mast", False)
    for rename, name in ((lambda: session.rename_class("mast", "B"), "B"), (session.undo_annotation, "mast")):
        rename()
        assert session.state.armed_class == name and session.state.hidden == {name}
        assert session.state.cell_filter.terms[0].names == {name}
        assert np.flatnonzero(session.state.filtered.passing).tolist() == [1]


def test_steps_before_a_rename_take_colours_and_new_classes(session):
    session.rename_class("mast", "B")
    session.add_class("B", BLUE)
    session.add_class("other", RED)
    session.undo_annotation()
    assert [(entry.name, entry.colour) for entry in session.state.annotations.classes] == [
        ("mast", BLUE), ("other", RED),
    ]  # fmt: skip


def test_a_new_class_of_an_old_name_is_another_class(session):
    session.rename_class("mast", "B")
    session.add_class("mast", BLUE)
    assert state_of(session) == (("B", "mast"), {"cell-1": "B"})
    assert not session.can_undo_annotation


def test_a_journal_that_meets_its_own_result_makes_one_class_of_it():
    saved = Annotations().with_class("B", RED).with_class("mast", RED).with_cell("cell-1", "mast")
    assert saved.with_renamed("mast", "B") == Annotations().with_class("B", RED).with_cell("cell-1", "B")


@pytest.mark.parametrize(
    ("name", "new", "message"),
    [("nobody", "a", "no annotation class"), ("mast", "  ", "needs a name"), ("mast", "taken", "'taken' already")],
)
def test_a_name_that_cannot_be_is_answered(session, name, new, message):
    session.add_class("taken")
    before = state_of(session)
    with pytest.raises(SpatiaError, match=message):
        session.rename_class(name, new)
    assert state_of(session) == before


def test_only_classes_of_the_annotation_are_renamed(session):
    session.rename_class("mast", "mast")
    session.colour_by("obs:cell_type")
    with pytest.raises(SpatiaError, match="Only classes of your annotation"):
        session.rename_category("acinar", "A")
