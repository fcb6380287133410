import json

import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.session.favourites import favourites_file
from napari_spatia.session.session import Session


def open_session(slide, backend, tmp_path):
    session = Session(backend=backend, sidecar=tmp_path / "sidecar")
    session.show(slide)
    return session


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    return open_session(small_slide, fake_backend, tmp_path)


def test_favourites_outlive_the_session_and_a_second_toggle_takes_them_back(
    session, small_slide, fake_backend, tmp_path
):
    session.toggle_favourite("GENE7")
    session.toggle_favourite("GENE2")
    assert json.loads(favourites_file().read_text()) == {"genes": ["GENE7", "GENE2"]}
    later = open_session(small_slide, fake_backend, tmp_path)
    assert later.state.favourites == ("GENE7", "GENE2")
    later.toggle_favourite("GENE7")
    assert later.state.favourites == ("GENE2",)
    assert [entry.name for entry in favourites_file().parent.iterdir()] == ["favourites.json"]


def test_two_windows_do_not_undo_each_other(session, small_slide, fake_backend, tmp_path):
    other = open_session(small_slide, fake_backend, tmp_path)
    session.toggle_favourite("GENE1")
    other.toggle_favourite("GENE3")
    assert other.state.favourites == ("GENE1", "GENE3")


def test_favourites_are_listed_first_in_their_order(session):
    before = [choice.key for choice in session.colour_choices()]
    for gene in ("GENE9", "GENE4", "NOT_HERE"):
        session.toggle_favourite(gene)
    choices = session.colour_choices()
    assert [choice.key for choice in choices[:2]] == ["gene:GENE9", "gene:GENE4"]
    assert [choice.starred for choice in choices[:3]] == [True, True, False]
    assert sorted(choice.key for choice in choices) == sorted(before)
    assert [choice.key for choice in choices[2:]] == [
        key for key in before if key not in ("gene:GENE9", "gene:GENE4")
    ], "the others stay in their order"


@pytest.mark.parametrize("text", ["no json", "[]", '{"genes": "GENE1"}', '{"genes": [1]}'])
def test_a_file_that_cannot_be_read_is_said_and_left_alone(text, small_slide, fake_backend, tmp_path):
    favourites_file().parent.mkdir(parents=True)
    favourites_file().write_text(text)
    session = open_session(small_slide, fake_backend, tmp_path)
    assert session.state.favourites == () and "cannot be read" in session.state.notice.text
    with pytest.raises(SpatiaError, match="mend the file or remove it"):
        session.toggle_favourite("GENE1")
    assert favourites_file().read_text() == text
