import numpy as np
import pytest

from napari_spatia.errors import SlideError
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session


@pytest.fixture
def session(fake_backend, tmp_path, slide_with_elements, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(slide_with_elements, image="morphology", table="table")
    return session


def test_an_element_is_read_once_and_shown_and_hidden(session):
    assert session.state.shown_elements == {"images/morphology"}
    session.show_element("labels/nuclei")
    picture = session.state.element_pictures["labels/nuclei"]
    session.hide_element("labels/nuclei")
    assert session.state.shown_elements == {"images/morphology"}
    session.show_element("labels/nuclei")
    assert session.state.element_pictures["labels/nuclei"] is picture
    session.forget_element("labels/nuclei")
    assert not session.state.element_pictures and "labels/nuclei" not in session.state.shown_elements


def test_what_cannot_be_shown_says_why(session):
    for path, why in {
        "tables/again": "colour the cells by its columns",
        "images/afar": "lies in elsewhere",
        "images/none": "has no element 'images/none'. It has: images/afar",
    }.items():
        with pytest.raises(SlideError, match=why):
            session.show_element(path)
    assert session.state.shown_elements == {"images/morphology"}


def test_another_slide_starts_without_the_elements_of_the_first(session, small_slide):
    session.show_element("points/seeds")
    session.show(small_slide)
    assert not session.state.elements and not session.state.element_pictures and not session.state.shown_elements


def test_the_slide_is_opened_again_with_another_element(session):
    session.use_element("labels/cell_labels")
    slide = session.slide
    session.use_element("tables/again")
    assert session.slide is not slide and session.slide.table_name == "again"
    assert (session.slide.image_name, session.slide.labels_name) == ("morphology", "cell_labels")
    assert np.array_equal(session.slide.cell_id, slide.cell_id)
    session.use_element("tables/table")
    assert session.slide.table_name == "table"


def test_an_element_that_does_not_fit_leaves_the_slide_as_it_is(session):
    slide = session.slide
    with pytest.raises(SlideError, match="lies turned"):
        session.use_element("images/he")
    with pytest.raises(SlideError, match="no slide is made of points"):
        session.use_element("points/seeds")
    assert session.slide is slide


def test_a_reading_that_was_stopped_is_not_shown(fake_backend, tmp_path, slide_with_elements, monkeypatch):
    import threading

    from napari_spatia.session import elements

    gate, entered, calls = threading.Event(), threading.Event(), []
    read = elements.read_element

    def slow(slide, kind, name, progress, pyramids):
        entered.set()
        assert gate.wait(20)
        return read(slide, kind, name, progress, pyramids)

    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(elements, "read_element", slow)
    jobs = ThreadJobs(lambda call: calls.append(call))
    session = Session(jobs, fake_backend, tmp_path / "sidecar")

    def deliver():
        assert jobs.wait(30)
        while calls:
            calls.pop(0)()

    session.open(slide_with_elements, image="morphology", table="table")
    for _ in range(3):  # the stains, the cells, and the list of elements
        deliver()
    session.show_element("labels/nuclei")
    session.show_element("points/seeds")
    assert entered.wait(20)
    session.hide_element("labels/nuclei")
    gate.set()
    deliver()
    session.close()
    assert set(session.state.element_pictures) == {"points/seeds"}
    assert session.state.shown_elements == {"images/morphology", "points/seeds"}
