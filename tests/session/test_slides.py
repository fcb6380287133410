import shutil

import pytest

import app_fakes
from napari_spatia.errors import SlideError
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session
from napari_spatia.session.slides import Slides


@pytest.fixture
def slides(fake_backend, tmp_path):
    folders = iter(range(9))
    return Slides(lambda: Session(backend=fake_backend, sidecar=tmp_path / f"sidecar-{next(folders)}"))


@pytest.fixture
def two(slides, slide_with_transcripts, tmp_path):
    """Two slides of the same cells, the second in front."""
    first = slides.open(slide_with_transcripts)
    second = slides.open(shutil.copytree(slide_with_transcripts, tmp_path / "other.zarr"))
    return slides, first, second


def test_the_first_slide_takes_the_empty_session_and_the_next_one_of_its_own(two):
    slides, first, second = two
    assert slides.sessions == (first, second) and slides.front is second
    assert [slides.title(session) for session in slides.sessions] == ["slide", "other"]
    assert second.state.in_front and not first.state.in_front


def test_nothing_leaks_from_one_slide_to_the_other(two):
    slides, first, second = two
    cell = str(second.slide.cell_id[3])
    assert cell in first.slide.cell_id, "the same ids, so that a leak would show"
    second.load_checkpoint("fake")
    second.add_class("mast", (1, 2, 3))
    second.annotate(cell, "mast")
    second.choose_rows([1, 2])
    second.select_cell(cell)
    second.set_log2_fc("GENE1", 2.0)
    second.render()
    second.show_transcripts(["VIM"])
    slides.bring(first)
    state = first.state
    assert not state.annotations.assigned and state.chosen is None and state.selected is None
    assert not state.edit.present.active().terms and state.counterfactual is None and not state.transcript_genes
    assert state.checkpoint is None
    slides.bring(second)
    assert dict(second.state.annotations.assigned) == {cell: "mast"} and second.state.selected == cell
    assert dict(second.state.edit.present.active().terms) == {"GENE1": 2.0} and len(second.state.chosen) == 2


def test_an_open_slide_comes_to_the_front_instead_of_opening_twice(two, slide_with_transcripts):
    slides, first, second = two
    slide = first.slide
    assert slides.open(slide_with_transcripts) is first and slides.front is first
    assert first.slide is slide and len(slides.sessions) == 2
    slides.open(slide_with_transcripts, um_per_px=0.5)
    assert first.slide is not slide and len(slides.sessions) == 2, "asked for anew"


def test_the_next_slide_reads_with_the_checkpoint_that_is_loaded(
    slides, slide_with_transcripts, tmp_path, fake_backend
):
    first = slides.open(slide_with_transcripts)
    first.load_checkpoint("fake")
    loaded, fake_backend.load = first._predictor, None
    second = slides.open(shutil.copytree(slide_with_transcripts, tmp_path / "other.zarr"))
    assert second.state.bound and second._predictor is loaded
    assert first._bound is not second._bound


def test_slides_of_one_name_are_told_apart_by_their_folders(two, slide_with_transcripts, tmp_path):
    slides, first, _ = two
    third = slides.open(shutil.copytree(slide_with_transcripts, tmp_path / "again" / "slide.zarr"))
    assert slides.title(third) == "again/slide"
    assert slides.title(first) == f"{slide_with_transcripts.parent.name}/slide"


def test_a_closed_slide_leaves_and_its_journal_stays(two):
    slides, first, second = two
    cell = str(first.slide.cell_id[0])
    slides.bring(first)
    first.add_class("mast", (1, 2, 3))
    first.annotate(cell, "mast")
    left = []
    slides.left.connect(left.append)
    slides.close(first)
    assert left == [first] and slides.sessions == (second,) and slides.front is second and second.state.in_front
    assert cell in first.opened.journal.path.read_text()
    slides.close(second)
    assert slides.front.state.slide is None and len(slides.sessions) == 1, "there is always one to open into"
    slides.close(second)
    assert len(slides.sessions) == 1


class Delivered:
    """A window's loop: results wait until the test lets them in."""

    def __init__(self):
        self.calls = []

    def session(self, backend, folder):
        return Session(ThreadJobs(self.calls.append), backend, folder)

    def settle(self, slides):
        for _ in range(3):
            for session in slides.sessions:
                assert session.jobs.wait(30)
            while self.calls:
                self.calls.pop(0)()


@pytest.fixture
def threaded(fake_backend, tmp_path):
    loop = Delivered()
    slides = Slides(lambda: loop.session(fake_backend, tmp_path / "sidecar"))
    yield slides, loop
    slides.close_all()


def test_a_job_of_a_slide_behind_lands_in_its_own_session(threaded, fake_backend, tmp_path):
    slides, loop = threaded
    first = slides.front
    first.show(app_fakes.make_slide(tmp_path / "one.zarr"))
    first.load_checkpoint("fake")
    loop.settle(slides)
    fake_backend.predict_gate.clear()
    first.predict()
    second = slides._add(first)
    slides.bring(second)
    second.show(app_fakes.make_slide(tmp_path / "two.zarr", grid=3))
    fake_backend.predict_gate.set()
    loop.settle(slides)
    assert first.state.prediction is not None and len(first.state.prediction.cell_type) == 16
    assert second.state.prediction is None and slides.front is second and second.slide.num_cells == 9


def test_closing_while_a_job_runs_drops_its_result_and_does_not_wait(threaded, fake_backend, tmp_path):
    slides, loop = threaded
    first = slides.front
    first.show(app_fakes.make_slide(tmp_path / "one.zarr"))
    first.load_checkpoint("fake")
    loop.settle(slides)
    fake_backend.predict_gate.clear()
    first.predict()
    lanes = list(first.jobs._lanes.values())
    slides.close(first)  # returns although the gate is closed
    assert any(lane._thread.is_alive() for lane in lanes)
    fake_backend.predict_gate.set()
    for lane in lanes:
        lane._thread.join(30)
        assert not lane._thread.is_alive()
    while loop.calls:
        loop.calls.pop(0)()
    assert first.state.prediction is None and slides.front is not first


def test_a_slide_that_cannot_be_opened_leaves_and_the_last_one_comes_back(threaded, slide_with_transcripts, tmp_path):
    slides, loop = threaded
    first = slides.open(slide_with_transcripts)
    loop.settle(slides)
    broken = slides.open(tmp_path / "none.zarr")
    assert slides.front is broken and len(slides.sessions) == 2
    said = []
    broken.state.events.notice.connect(said.append)
    loop.settle(slides)
    assert slides.sessions == (first,) and slides.front is first and "No slide at" in said[0].text
    stopped = slides.open(shutil.copytree(slide_with_transcripts, tmp_path / "other.zarr"))
    while "open" not in stopped.state.jobs:
        if loop.calls:
            loop.calls.pop(0)()
    stopped.jobs.cancel("open")
    assert stopped.jobs.wait(30)
    while loop.calls:
        loop.calls.pop(0)()
    assert slides.sessions == (first,) and first.state.slide is not None


def test_the_only_session_stays_after_a_failed_opening(slides, slide_with_transcripts, tmp_path):
    only = slides.front
    with pytest.raises(SlideError):
        slides.open(tmp_path / "none.zarr")
    assert slides.sessions == (only,)
    assert slides.open(slide_with_transcripts).slide.num_cells == 120


def test_a_closed_session_is_freed(slides, tmp_path):
    import gc
    import weakref

    first = slides.front
    first.show(app_fakes.make_slide(tmp_path / "one.zarr"))
    gone = weakref.ref(first)
    slides.close(first)
    del first
    gc.collect()
    assert gone() is None
