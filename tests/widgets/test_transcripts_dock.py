import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton

from napari_spatia.session import transcripts
from napari_spatia.widgets.transcripts_dock import NO_POINTS, NO_SLIDE, TranscriptsDock


@pytest.fixture
def dock(put, transcript_session):
    return put(TranscriptsDock, transcript_session)


def test_empty_states_say_why(put, empty, small_slide):
    dock = put(TranscriptsDock, empty)
    assert dock.hint.text() == NO_SLIDE and not dock.search.isEnabled()
    empty.show(small_slide)
    assert dock.hint.text() == NO_POINTS and not dock.search.isEnabled() and not dock.clear.isEnabled()


def test_a_typed_gene_gets_a_row_with_its_number(dock, transcript_session, qtbot):
    for gene in ("epcam", "vim"):
        qtbot.keyClicks(dock.search, gene)
        dock.search.completer().popup().hide()
        qtbot.keyClick(dock.search, Qt.Key.Key_Return)
    assert tuple(dock.rows) == ("EPCAM", "VIM") and not dock.hint.isVisible()
    counts = transcript_session.state.transcripts.counts
    assert [label.text() for label in dock.numbers.values()] == [f"{num:,}" for num in counts]
    assert dock.status.text() == f"{sum(counts):,} in view, each a point."
    transcript_session.see((-9.0, -9.0, -8.0, -8.0))
    assert [label.text() for label in dock.numbers.values()] == ["0", "0"]


def test_the_cross_hides_one_and_the_button_all(dock, transcript_session, qtbot):
    transcript_session.show_transcripts(["EPCAM", "VIM", "KRT17"])
    qtbot.mouseClick(dock.rows["VIM"].findChild(QToolButton), Qt.MouseButton.LeftButton)
    assert tuple(dock.rows) == ("EPCAM", "KRT17")
    qtbot.mouseClick(dock.clear, Qt.MouseButton.LeftButton)
    assert not dock.rows and transcript_session.state.transcripts is None and dock.status.text() == ""


def test_a_density_says_so(dock, transcript_session, monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_POINTS", 3)
    transcript_session.show_transcripts(["VIM"])
    assert "density" in dock.status.text() and "Zoom in" in dock.status.text()


def test_a_gene_without_transcripts_is_answered_once(dock, transcript_session, qtbot):
    transcript_session.show_transcripts(["VIM"])
    seen = []
    transcript_session.state.events.notice.connect(seen.append)
    qtbot.keyClicks(dock.search, "nobody")
    qtbot.keyClick(dock.search, Qt.Key.Key_Return)
    assert len(seen) == 1 and "'nobody' has no transcript" in seen[0].text and tuple(dock.rows) == ("VIM",)
