"""Nothing in the Cell dock jumps away under the mouse, and no old number stands under a new edit without saying so."""

from dataclasses import replace

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QScrollArea

from napari_spatia.session.state import JobStatus
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.evidence import OLD, OLD_TITLE, TITLE


@pytest.fixture
def dock(put, ready):
    dock = put(CellDock, ready)
    ready.select_cell("cell-5")
    return dock


def heights(dock, qtbot):
    """Where what can be clicked lies in the dock, once it is laid out."""
    qtbot.wait(30)
    asked = (dock.stain, dock.search, dock.coexpressed, *dock.sliders.rows.values())
    return [widget.mapTo(dock, QPoint(0, 0)).y() for widget in asked]


def test_controls_stay_where_they_are_whatever_is_told_of_the_cell(dock, ready, qtbot):
    before, state = heights(dock, qtbot), ready.state
    card, picture = state.card, state.counterfactual
    long = replace(card, cell_type="T_cell", confidence=0.97, domain="3", annotation="mine", known_type="a known type")
    for told in (replace(card, known_type=None, top_genes=()), replace(long, top_genes=card.top_genes * 3)):
        state.card = told
        assert heights(dock, qtbot) == before, told
    for reach in (None, 99.6, 3.0):
        picture.reach_percentile = reach
        dock._show_words()
        assert heights(dock, qtbot) == before, reach
    assert dock.reach.toolTip() == dock.reach.text()
    state.resolved = state.counterfactual = None
    dock._show_words()
    assert dock.measured.text() == "" and heights(dock, qtbot) == before, "while the next cell is read"


@pytest.mark.parametrize("kind", ["select", "examine"])
def test_a_progress_bar_comes_and_goes_without_moving_anything(dock, ready, qtbot, kind):
    before, high = heights(dock, qtbot), dock.body.contentsRect().height()
    ready.state.jobs = {**ready.state.jobs, kind: JobStatus(kind, 99, running=True, fraction=0.5, doing="measuring")}
    assert heights(dock, qtbot) == before and dock.body.contentsRect().height() == high


def test_the_table_of_the_edit_before_stays_pale_until_the_new_one_comes(dock, ready, qtbot):
    view, state = dock.evidence, ready.state
    ready.set_log2_fc("GENE1", 1.0)
    qtbot.waitUntil(lambda: state.evidence is not None, timeout=5000)
    assert view.title.text() == TITLE and view.shown.isEnabled() and not view.shown.graphicsEffect().isEnabled()
    bar = dock.findChild(QScrollArea).verticalScrollBar()
    qtbot.wait(30)
    bar.setValue(bar.maximum())
    place, said = bar.value(), view.summary.text()
    assert place > 100
    ready.set_log2_fc("GENE1", 2.0)
    qtbot.wait(30)
    assert state.evidence is None and view.shown.isVisible() and bar.value() == place, "it does not scroll away"
    assert view.title.text() == OLD_TITLE and view.summary.text() == OLD
    assert not view.copy.isEnabled() and not view.save.isEnabled() and view.shown.graphicsEffect().isEnabled()
    qtbot.waitUntil(lambda: state.evidence is not None, timeout=5000)
    assert view.title.text() == TITLE and view.summary.text() == said and view.copy.isEnabled()
    assert not view.shown.graphicsEffect().isEnabled() and bar.value() == place


def test_no_table_of_another_cell_stays(dock, ready, qtbot):
    view = dock.evidence
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    ready.set_log2_fc("GENE1", 1.0)
    assert view.shown.isVisible()
    ready.select_cell("cell-6")
    assert ready.state.counterfactual is not None and not view.shown.isVisible() and not view.title.isVisible()
