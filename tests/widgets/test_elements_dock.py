import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_spatia.session.session import Session
from napari_spatia.session.state import JobStatus
from napari_spatia.widgets.elements_dock import NAME, NO_SLIDE, NO_STORE, SIZE, SYSTEM, ElementsDock


@pytest.fixture
def session(fake_backend, tmp_path, slide_with_elements, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(slide_with_elements, image="morphology", table="table")
    return session


@pytest.fixture
def dock(put, session):
    return put(ElementsDock, session)


def test_empty_states_say_why(put, empty, small_slide):
    dock = put(ElementsDock, empty)
    assert dock.hint.text() == NO_SLIDE and not dock.tree.isVisible()
    empty.show(small_slide)
    assert dock.hint.text() == NO_STORE and not dock.tree.isVisible() and not dock.use.isEnabled()


def test_the_tree_lists_all_kinds_and_marks_the_slides_own(dock, session):
    titles = [dock.tree.topLevelItem(row).text(NAME) for row in range(dock.tree.topLevelItemCount())]
    assert titles == ["Images (3)", "Labels (2)", "Shapes (2)", "Points (2)", "Tables (2)"]
    assert set(dock.rows) == {entry.path for entry in session.state.elements}
    own = [path for path, row in dock.rows.items() if row.font(NAME).bold()]
    assert own == ["images/morphology", "labels/cell_labels", "tables/table"]
    assert "The slide's image" in dock.rows["images/morphology"].toolTip(NAME)
    assert dock.rows["images/afar"].isDisabled() and "elsewhere" in dock.rows["images/afar"].toolTip(NAME)


def test_a_tick_by_mouse_or_space_shows_and_hides(dock, session, qtbot):
    row = dock.rows["labels/nuclei"]
    dock.tree.setCurrentItem(row)
    qtbot.keyClick(dock.tree, Qt.Key.Key_Space)
    assert "labels/nuclei" in session.state.shown_elements and row.checkState(NAME) == Qt.CheckState.Checked
    session.hide_element("labels/nuclei")
    assert row.checkState(NAME) == Qt.CheckState.Unchecked
    assert dock.rows["images/morphology"].checkState(NAME) == Qt.CheckState.Checked
    assert not dock.rows["tables/again"].flags() & Qt.ItemFlag.ItemIsUserCheckable


def test_what_is_being_read_says_how_far_and_is_stopped_by_its_tick(dock, session, monkeypatch):
    stopped = []
    monkeypatch.setattr(session.jobs, "cancel", stopped.append)
    session.job_changed(JobStatus("show labels/nuclei", 1, fraction=0.4))
    row = dock.rows["labels/nuclei"]
    assert row.checkState(NAME) == Qt.CheckState.Checked and row.text(SIZE) == "reading 40%"
    row.setCheckState(NAME, Qt.CheckState.Unchecked)
    assert stopped == ["show labels/nuclei"]
    session.job_changed(JobStatus("show labels/nuclei", 1, running=False, cancelled=True))
    assert row.text(SIZE) == "80 × 100 px" and row.checkState(NAME) == Qt.CheckState.Unchecked


def test_an_element_becomes_the_slides_own(dock, session, qtbot):
    dock.tree.setCurrentItem(dock.rows["points/seeds"])
    assert not dock.use.isEnabled()
    dock.tree.setCurrentItem(dock.rows["tables/table"])
    assert not dock.use.isEnabled()
    dock.tree.setCurrentItem(dock.rows["tables/again"])
    assert dock.use.isEnabled() and dock.use.text() == "Use as table"
    qtbot.mouseClick(dock.use, Qt.MouseButton.LeftButton)
    assert session.slide.table_name == "again" and dock.rows["tables/again"].font(NAME).bold()


def test_a_prediction_that_is_not_saved_is_not_lost_unasked(dock, session, qtbot, monkeypatch):
    session.load_checkpoint("fake")
    session.predict()
    answers, asked = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes], []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: (asked.append(words[2]), answers.pop(0))[1])
    dock.tree.setCurrentItem(dock.rows["tables/again"])
    qtbot.mouseClick(dock.use, Qt.MouseButton.LeftButton)
    assert session.slide.table_name == "table" and "not saved" in asked[0]
    qtbot.mouseClick(dock.use, Qt.MouseButton.LeftButton)
    assert session.slide.table_name == "again"


def test_a_choice_that_does_not_fit_is_answered_once(dock, session, qtbot):
    seen = []
    session.state.events.notice.connect(seen.append)
    dock.tree.setCurrentItem(dock.rows["images/he"])
    qtbot.mouseClick(dock.use, Qt.MouseButton.LeftButton)
    assert len(seen) == 1 and "lies turned" in seen[0].text and session.slide.image_name == "morphology"


def test_the_systems_have_a_column_where_there_are_several(dock, put, empty, slide_with_transcripts):
    assert not dock.tree.isColumnHidden(SYSTEM)
    empty.open(slide_with_transcripts)
    assert put(ElementsDock, empty).tree.isColumnHidden(SYSTEM)
