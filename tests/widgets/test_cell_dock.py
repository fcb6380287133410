import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QMouseEvent

from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.driving import handle, mouse
from napari_spatia.widgets.gene_sliders import STEPS_PER_UNIT

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(put, ready):
    dock = put(CellDock, ready)
    ready.select_cell("cell-5")
    return dock


def wait_for_edit(qtbot, session, **edit):
    qtbot.waitUntil(lambda: session.state.counterfactual.log2_fc == edit, timeout=5000)


def test_empty_states_lead_on(put, empty, small_slide):
    dock = put(CellDock, empty)
    assert "Open a slide" in dock.hint.text() and not dock.pictures.isVisible()
    empty.show(small_slide)
    assert "Click a cell" in dock.hint.text()
    empty.select_cell("cell-1")
    assert "Load a model" in dock.hint.text() and dock.pictures.real.has_picture
    assert not dock.pictures.edited.has_picture and not dock.search.isVisible()


def test_card_and_pictures(dock, ready):
    assert "cell-5" in dock.card.text() and "ductal" in dock.card.text() and "GENE0 5" in dock.card.text()
    views = dock.pictures
    assert all(view.has_picture for view in (views.real, views.zero_edit, views.edited, views.difference))
    assert "35 dB" in dock.measured.text() and "4 passes" in dock.measured.text() and "cpu" in dock.measured.text()
    assert "42th" not in dock.measured.text() and "42nd percentile" in dock.measured.text()


def test_sliders_are_the_cells_top_genes(dock, ready):
    assert list(dock.sliders.rows) == [gene for gene, _ in ready.state.edit.present]
    assert len(dock.sliders.rows) == 4


def test_real_drag_edits_draws_and_is_one_undo(dock, ready, qtbot):
    row = next(iter(dock.sliders.rows.values()))
    mouse(row.slider, QMouseEvent.Type.MouseButtonPress, handle(row.slider), LEFT)
    for value in (0.5, 1.0, 2.0):
        mouse(row.slider, QMouseEvent.Type.MouseMove, handle(row.slider, round(value * STEPS_PER_UNIT)), LEFT)
    mouse(row.slider, QMouseEvent.Type.MouseButtonRelease, handle(row.slider), LEFT)
    value = dict(ready.state.edit.present)[row.gene]
    assert value == pytest.approx(2.0, abs=0.1) and row.number.value() == pytest.approx(value)
    with qtbot.waitSignal(dock.pictures.edited.painted, timeout=5000):
        wait_for_edit(qtbot, ready, **{row.gene: value})
    dock.undo.click()
    assert dict(ready.state.edit.present)[row.gene] == 0.0 and row.slider.value() == 0
    wait_for_edit(qtbot, ready)
    dock.redo.click()
    assert row.slider.value() == round(value * STEPS_PER_UNIT)


def test_each_edit_is_asked_for_once(dock, ready, fake_backend):
    row = next(iter(dock.sliders.rows.values()))
    rebuilt = []
    dock.search.completer().model().modelReset.connect(lambda: rebuilt.append(1))
    mouse(row.slider, QMouseEvent.Type.MouseButtonPress, handle(row.slider), LEFT)
    mouse(row.slider, QMouseEvent.Type.MouseMove, handle(row.slider, 2 * STEPS_PER_UNIT), LEFT)
    mouse(row.slider, QMouseEvent.Type.MouseButtonRelease, handle(row.slider), LEFT)
    ready.set_log2_fc("GENE9", 0.0)
    assert fake_backend.editors[-1].rendered == [{}, {row.gene: ready.state.edit.present[0][1]}]
    assert not rebuilt, "the list of genes is the model's, not the edit's"


def test_typed_number_and_double_click(dock, ready, qtbot):
    row = next(iter(dock.sliders.rows.values()))
    row.number.setValue(-1.5)
    assert dict(ready.state.edit.present)[row.gene] == -1.5 and row.slider.value() == -1.5 * STEPS_PER_UNIT
    mouse(row.slider, QMouseEvent.Type.MouseButtonDblClick, QPoint(20, 8), LEFT)
    assert dict(ready.state.edit.present)[row.gene] == 0.0 and row.number.value() == 0.0


def test_add_by_search_and_remove(dock, ready, qtbot):
    qtbot.keyClicks(dock.search, "gene9")
    qtbot.keyClick(dock.search, Qt.Key.Key_Return)
    assert "GENE9" in dock.sliders.rows and dock.search.text() == ""
    dock.sliders.rows["GENE9"].removed.emit("GENE9")
    assert "GENE9" not in dock.sliders.rows


def test_gene_outside_the_panel_is_answered(dock, ready, qtbot):
    seen = []
    ready.state.events.notice.connect(seen.append)
    qtbot.keyClicks(dock.search, "GENE11")
    qtbot.keyClick(dock.search, Qt.Key.Key_Return)
    assert len(seen) == 1 and "'GENE11' is not in the panel of 10 genes" in seen[0].text


def test_reset_all_and_passes(dock, ready, qtbot):
    row = next(iter(dock.sliders.rows.values()))
    row.number.setValue(2.0)
    dock.reset.click()
    assert not dock.reset.isEnabled() and row.slider.value() == 0
    dock.nfe.setCurrentText("2")
    dock.nfe.activated.emit(dock.nfe.currentIndex())
    assert ready.state.cell.nfe == 2


def test_pictures_share_one_scale_and_say_counterfactual(dock, ready, qtbot, monkeypatch):
    from napari_spatia.data import picture

    limits, marked = [], []
    composite, mark = picture.composite, picture.with_counterfactual_mark
    monkeypatch.setattr(picture, "composite", lambda *a: limits.append(a[2]) or composite(*a))
    monkeypatch.setattr(picture, "with_counterfactual_mark", lambda shown: marked.append(1) or mark(shown))
    ready.select_cell("cell-6")
    assert len(limits) >= 3 and all(np.array_equal(each, ready.state.limits) for each in limits)
    assert marked


def test_low_screen_gets_smaller_pictures(dock):
    dock.resize(430, 600)
    assert dock.pictures.real.width() == 128
    dock.resize(430, 900)
    assert dock.pictures.real.width() == 192 and dock.pictures.edited.has_picture
