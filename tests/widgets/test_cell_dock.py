import csv
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from qtpy.QtGui import QGuiApplication, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_spatia.inference.edits import Edit, NicheEdit
from napari_spatia.inference.programmes import Programme
from napari_spatia.widgets.cell_dock import CellDock, changed_text, reach_line
from napari_spatia.widgets.driving import handle, mouse
from napari_spatia.widgets.log2_slider import STEPS_PER_UNIT
from napari_spatia.widgets.marking import MarkStrip
from napari_spatia.widgets.parts import column
from napari_spatia.widgets.pictures import PictureView

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
    assert dock.reach.text() == "reach: 42nd percentile"


def test_sliders_are_the_cells_top_genes(dock, ready):
    assert list(dock.sliders.rows) == [gene for gene, _ in ready.state.edit.present.terms]
    assert len(dock.sliders.rows) == 4


def test_real_drag_edits_draws_and_is_one_undo(dock, ready, qtbot):
    row = next(iter(dock.sliders.rows.values()))
    mouse(row.slider, QMouseEvent.Type.MouseButtonPress, handle(row.slider), LEFT)
    for value in (0.25, 0.5, 0.8):
        mouse(row.slider, QMouseEvent.Type.MouseMove, handle(row.slider, round(value * STEPS_PER_UNIT)), LEFT)
    mouse(row.slider, QMouseEvent.Type.MouseButtonRelease, handle(row.slider), LEFT)
    value = dict(ready.state.edit.present.terms)[row.gene]
    assert value == pytest.approx(0.8, abs=0.1) and row.number.value() == pytest.approx(value)
    with qtbot.waitSignal(dock.pictures.edited.painted, timeout=5000):
        wait_for_edit(qtbot, ready, **{row.gene: value})
    dock.undo.click()
    assert dict(ready.state.edit.present.terms)[row.gene] == 0.0 and row.slider.value() == 0
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
    editor, edit = fake_backend.editors[-1], {row.gene: ready.state.edit.present.terms[0][1]}
    assert list(zip(editor.passes, editor.rendered, strict=True)) == [(2, {}), (4, {}), (2, edit), (4, edit)]
    assert not rebuilt, "the list of genes is the model's, not the edit's"


def test_typed_number_and_double_click(dock, ready, qtbot):
    row = next(iter(dock.sliders.rows.values()))
    row.number.setValue(-1.5)
    assert dict(ready.state.edit.present.terms)[row.gene] == -1.5 and row.slider.value() == -1.5 * STEPS_PER_UNIT
    mouse(row.slider, QMouseEvent.Type.MouseButtonDblClick, QPoint(20, 8), LEFT)
    assert dict(ready.state.edit.present.terms)[row.gene] == 0.0 and row.number.value() == 0.0


@pytest.mark.parametrize("at", ["groove", "handle"])
def test_a_double_click_is_one_step_of_undo(dock, ready, at):
    row = dock.sliders.rows["GENE1"]
    row.number.setValue(1.0)
    steps, place = len(ready.state.edit.past), handle(row.slider)
    kinds = QMouseEvent.Type
    first = place if at == "handle" else handle(row.slider, row.slider.minimum())
    mouse(row.slider, kinds.MouseButtonPress, first, LEFT)
    if at == "handle":
        mouse(row.slider, kinds.MouseMove, place - QPoint(6, 0), LEFT)
    mouse(row.slider, kinds.MouseButtonRelease, first + QPoint(2, 0), LEFT)
    assert row.number.value() != 1.0, "the first click moved it"
    mouse(row.slider, kinds.MouseButtonDblClick, first, LEFT)
    mouse(row.slider, kinds.MouseButtonRelease, first, LEFT)
    assert row.number.value() == 0.0 and len(ready.state.edit.past) == steps + 1
    dock.undo.click()
    assert row.number.value() == 1.0


def test_two_clicks_that_are_no_double_click_are_two_steps(dock, ready):
    row = dock.sliders.rows["GENE1"]
    steps, place = len(ready.state.edit.past), handle(row.slider, row.slider.maximum())
    for _ in range(2):
        mouse(row.slider, QMouseEvent.Type.MouseButtonPress, place, LEFT)
        mouse(row.slider, QMouseEvent.Type.MouseButtonRelease, place, LEFT)
    assert len(ready.state.edit.past) == steps + 2


def test_a_drag_has_ended_when_it_is_let_go_also_where_it_began(dock, ready):
    row, kinds = dock.sliders.rows["GENE1"], QMouseEvent.Type
    began = handle(row.slider)
    mouse(row.slider, kinds.MouseButtonPress, began, LEFT)
    for place in (handle(row.slider, row.slider.maximum()), began + QPoint(3, 0)):
        mouse(row.slider, kinds.MouseMove, place, LEFT)
    assert ready.state.edit.gesture == "GENE1"
    mouse(row.slider, kinds.MouseButtonRelease, began + QPoint(3, 0), LEFT)
    assert ready.state.edit.gesture is None


def test_a_slider_that_rests_does_not_end_the_movement_of_another(dock, ready, qtbot):
    """A click on one slider may be the first of two, so it rests later; the hand drags another one by then."""
    (clicked, dragged), kinds = [dock.sliders.rows[gene] for gene in ("GENE0", "GENE1")], QMouseEvent.Type
    place = handle(clicked.slider, clicked.slider.maximum())
    for kind in (kinds.MouseButtonPress, kinds.MouseButtonRelease):
        mouse(clicked.slider, kind, place, LEFT)
    mouse(dragged.slider, kinds.MouseButtonPress, handle(dragged.slider), LEFT)
    mouse(dragged.slider, kinds.MouseMove, handle(dragged.slider, dragged.slider.maximum()), LEFT)
    steps = len(ready.state.edit.past)
    with qtbot.waitSignal(clicked.slider.rested, timeout=5000):
        pass
    assert ready.state.edit.gesture == "GENE1"
    mouse(dragged.slider, kinds.MouseMove, handle(dragged.slider, 10), LEFT)
    assert len(ready.state.edit.past) == steps, "one drag is one step of undo"


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
    dock.nfe.setCurrentText("1")
    dock.nfe.activated.emit(dock.nfe.currentIndex())
    qtbot.waitUntil(lambda: "1 pass ·" in dock.measured.text())


def test_pictures_share_one_scale_and_say_counterfactual(dock, ready, qtbot, monkeypatch):
    from napari_spatia.data import picture

    limits, marked = [], []
    composite, mark = picture.composite, picture.with_counterfactual_mark
    monkeypatch.setattr(picture, "composite", lambda *a: limits.append(a[2]) or composite(*a))
    monkeypatch.setattr(picture, "with_counterfactual_mark", lambda shown: marked.append(1) or mark(shown))
    ready.select_cell("cell-6")
    assert len(limits) >= 3 and all(np.array_equal(each, ready.state.limits) for each in limits)
    assert marked


@pytest.mark.parametrize(("colour", "ground"), [("white", "black"), ("black", "white")])
def test_the_words_of_an_empty_picture_can_be_read(qtbot, colour, ground):
    holder = column(PictureView("The cell under your edit"))
    qtbot.addWidget(holder)
    holder.setStyleSheet(f"color: {colour}; background: {ground}")
    image = holder.grab().toImage()
    middle = [image.pixelColor(x, y).lightness() for x in range(20, 170) for y in range(60, 130)]
    assert min(middle) < 60 and max(middle) > 200


def test_low_screen_gets_smaller_pictures_in_one_row(dock, qtbot):
    views = [dock.pictures.real, dock.pictures.zero_edit, dock.pictures.edited, dock.pictures.difference]
    dock.resize(430, 600)
    assert dock.pictures.real.width() == 96
    qtbot.waitUntil(lambda: len({view.y() for view in views}) == 1)
    assert views[-1].mapTo(dock, views[-1].rect().bottomRight()).x() < 430, "all of them are seen"
    niche = dock.niche
    assert niche.mapTo(dock, niche.rect().bottomLeft()).y() < 600, "above the fold"
    dock.resize(430, 900)
    assert dock.pictures.real.width() == 192 and dock.pictures.edited.has_picture
    qtbot.waitUntil(lambda: len({view.y() for view in views}) == 2)


def test_words_that_grow_leave_the_pictures_where_they_are(dock, qtbot):
    dock.resize(420, 500)  # lower than its content
    qtbot.wait(50)
    moves = []

    class Moves(QObject):
        def eventFilter(self, widget, event):
            if event.type() in (QEvent.Type.Move, QEvent.Type.Resize):
                moves.append(event.type())
            return False

    watcher, before = Moves(), dock.body.contentsRect().height()
    for widget in (dock.pictures, dock.pictures.edited):
        widget.installEventFilter(watcher)
    dock.changed.setText("\n".join(f"note {number}" for number in range(6)))
    qtbot.wait(50)
    assert dock.body.contentsRect().height() > before + 50 and dock.changed.height() >= dock.changed.sizeHint().height()
    assert not moves, "each would be painted twice more"


def test_an_edit_that_rests_is_examined_once(dock, ready, fake_backend, qtbot):
    view, examined = dock.evidence, fake_backend.editors[-1].examined
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    assert examined == [{}]
    assert "Nothing is edited" in view.summary.text() and view.table.item(0, 3).text() == "± 0.25"
    for value in (1.0, 2.0):
        ready.set_log2_fc("GENE1", value)
        assert ready.state.evidence is None and not view.shown.isEnabled()
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    assert examined == [{}, {"GENE1": 2.0}]
    first = [view.table.item(0, column) for column in range(5)]
    assert [item.text() for item in first] == ["Cell area (µm²)", "40.0", "42.0", "▲ +2.00", "+1.80 ± 1.00"]
    assert first[3].font().bold() and "8 noise seeds" in first[3].toolTip()
    assert "15 of 15 features change" in view.summary.text()
    assert [shown.isVisible() for shown in view.thumbnails] == [True, True, False, False]
    assert "16 real cells" in view.compared.text() and "cell-0" in view.thumbnails[0].toolTip()
    assert view.thumbnails[0].caption.text() == "acinar"


def test_evidence_reads_types_and_reach_and_leads_to_the_real_cells(dock, ready, qtbot):
    view = dock.evidence
    ready.set_log2_fc("GENE1", 2.0)
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    assert [(each.name, round(each.after - each.before, 2)) for each in view.types.changes] == [
        ("acinar", 0.35), ("T_cell", -0.3), ("ductal", -0.05),
    ]  # fmt: skip
    assert "Within what was seen (percentile 42)" in view.reach.toolTip()
    assert view.reach.place() == pytest.approx(42 / 80 / 4)
    edit = ready.state.edit.present
    qtbot.mouseClick(view.thumbnails[1], LEFT)
    assert ready.state.goal.center_um == tuple(ready.slide.centers_um[1]) and ready.state.selected == "cell-5"
    assert ready.state.edit.present == edit, "looking at a real cell leaves the edit alone"


def test_the_table_is_copied_and_saved(dock, ready, qtbot, tmp_path, monkeypatch):
    ready.set_log2_fc("GENE1", 2.0)
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    dock.evidence.copy.click()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t")[:3] == ["Feature", "Before", "After"] and lines[1].startswith(
        "Cell area (µm²)\t40.0\t42.0"
    )
    path = tmp_path / "table.csv"
    monkeypatch.setattr("napari_spatia.widgets.evidence.QFileDialog.getSaveFileName", lambda *_: (str(path), ""))
    dock.evidence.save.click()
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert rows[0]["cell_id"] == "cell-5" and rows[0]["edit"] == "GENE1 +2" and rows[0]["feature"] == "cell_area"
    assert float(rows[0]["change_mean"]) == 1.8 and rows[0]["changed"] == "1"


def test_reach_is_told_when_the_edit_has_been_examined(dock, ready, fake_backend, qtbot):
    ready.select_cell("cell-6")
    picture = ready.state.counterfactual
    picture.reach_percentile = None
    dock._show_words()
    assert "measured when the edit rests" in dock.reach.text()
    qtbot.waitUntil(lambda: ready.state.evidence is not None, timeout=5000)
    assert "42nd percentile" in dock.reach.text()


def entries(menu):
    """Title → submenu or action of a menu."""
    return {action.text(): action.menu() or action for action in menu.actions() if action.text()}


@pytest.fixture
def own_programmes(ready, monkeypatch):
    """Two programmes of which the panel has one."""
    found = {"mine": Programme("mine", "of mine", ("GENE1", "FAR"), ("GENE2",)), "far": Programme("far", "", ("FAR",))}
    monkeypatch.setattr("napari_spatia.session.editing.load_programmes", lambda: found)


def test_a_programme_gets_a_slider(dock, ready, own_programmes, qtbot):
    dock.more.choices.aboutToShow.emit()
    menu = entries(entries(dock.more.choices)["Programme"])
    assert list(menu) == ["mine (2 of 3 genes)", "far (0 of 1 genes)", "My programmes…"]
    assert not menu["far (0 of 1 genes)"].isEnabled()
    menu["mine (2 of 3 genes)"].trigger()
    row = dock.sliders.rows["programme:mine"]
    row.number.setValue(-1.5)
    wait_for_edit(qtbot, ready, **{"programme:mine": -1.5})
    dock.undo.click()
    assert row.number.value() == 0.0


def test_a_type_gets_a_slider_from_0_to_1(dock, ready, own_programmes, qtbot):
    dock.more.choices.aboutToShow.emit()
    entries(entries(dock.more.choices)["Towards cell type"])["ductal"].trigger()
    row = dock.sliders.rows["towards:ductal"]
    assert (row.slider.minimum(), row.slider.maximum()) == (0, STEPS_PER_UNIT)
    qtbot.keyClick(row.slider, Qt.Key.Key_End)
    wait_for_edit(qtbot, ready, **{"towards:ductal": 1.0})


def test_coexpressed_genes_are_switched_and_undone(dock, ready, fake_backend, qtbot):
    next(iter(dock.sliders.rows.values())).number.setValue(1.0)
    dock.coexpressed.setFocus()
    qtbot.keyClick(dock.coexpressed, Qt.Key.Key_Space)
    assert ready.state.edit.present.coexpressed and fake_backend.resolvers[-1].resolved[-1].coexpressed
    dock.undo.click()
    assert not dock.coexpressed.isChecked() and not ready.state.edit.present.coexpressed


def test_niche_edits_are_chosen_shown_and_undone(dock, ready, fake_backend, monkeypatch):
    def choose(*path):
        dock.niche.choices.aboutToShow.emit()
        menu = dock.niche.choices
        for name in path:
            menu = entries(menu)[name]
        menu.trigger()
        return ready.state.edit.present.niche, dock.niche.text()

    assert choose("No neighbours") == (NicheEdit.parse("remove"), "No neighbours")
    assert fake_backend.resolvers[-1].resolved[-1] == Edit(niche=NicheEdit.parse("remove")), "and drawn"
    assert dock.reset.isEnabled()
    assert choose("Without neighbours of type", "ductal") == (NicheEdit.parse("remove=ductal"), "Without ductal")
    assert choose("All neighbours become", "T_cell")[0] == NicheEdit.parse("replace=T_cell")
    assert choose("Move into niche domain", "1") == (NicheEdit.parse("domain=1"), "Niche domain 1")
    monkeypatch.setattr("napari_spatia.widgets.edit_menus.QInputDialog.getText", lambda *_: (" cell-3 ", True))
    assert choose("Move to the place of cell…")[0] == NicheEdit.parse("cell=cell-3")
    dock.undo.click()
    assert dock.niche.text() == "Niche domain 1"
    assert choose("As it is") == (None, "Niche as it is")


def test_menus_without_types_say_what_to_do(dock, ready, own_programmes):
    ready.state.types = ready.state.domains = ()
    for button, title in ((dock.more, "Towards cell type"), (dock.niche, "All neighbours become"),
                          (dock.niche, "Move into niche domain")):  # fmt: skip
        button.choices.aboutToShow.emit()
        ((words, action),) = entries(entries(button.choices)[title]).items()
        assert "predict first" in words and not action.isEnabled()


def test_what_an_edit_changed_is_said(dock):
    dock.sliders.rows["GENE0"].number.setValue(2.0)
    assert "1 gene changed: GENE0 +2.00" in dock.changed.text() and "a note" in dock.changed.text()
    many = {f"G{idx}": idx / 10 for idx in range(1, 9)}
    text = changed_text(SimpleNamespace(changed=many, stopped=("G1",), notes=("Learned.",)))
    assert text == "8 genes changed: G8 +0.80, G7 +0.70, G6 +0.60, G5 +0.50, G4 +0.40, … · 1 stopped at 0\nLearned."
    assert changed_text(SimpleNamespace(changed={}, stopped=(), notes=("3 of 9 neighbours are removed.",))) == (
        "3 of 9 neighbours are removed."
    )


def test_a_slider_goes_from_knock_out_to_twice_the_most_seen(dock, ready, qtbot):
    row, known = dock.sliders.rows["GENE0"], ready.state.ranges["GENE0"]
    assert row.counts.text() == "5 → 5"
    qtbot.keyClick(row.slider, Qt.Key.Key_Home)
    assert dict(ready.state.edit.present.terms)["GENE0"] == -known.measured, "exactly"
    assert row.counts.text() == "5 → 0" and row.number.value() == pytest.approx(-known.measured, abs=0.01)
    qtbot.keyClick(row.slider, Qt.Key.Key_End)
    assert dict(ready.state.edit.present.terms)["GENE0"] == known.top - known.measured
    assert row.counts.text() == f"5 → {2**known.top - 1:.0f}"
    for told in ("percentiles 1 to 99 of the 15 cells that express it", "knock-out to", "wheel"):
        assert told in row.slider.toolTip()
    row.number.setValue(7.0)
    assert row.slider.value() == row.slider.maximum() and row.number.value() == 7.0, "typed numbers may go beyond"
    ready.select_cell("cell-0")
    assert row.slider.minimum() == 0 and row.counts.text() == "0 → 0"


def test_bands_lie_where_values_are_seen(dock, ready):
    slider = dock.sliders.rows["GENE0"].slider
    slider.show_limits(-2.0, 2.0)
    slider.show_bands((-1.0, 1.0), (0.0, 1.0))
    slider.repaint()
    *bands, zero = (place for place, _ in slider._placed())
    middle = handle(slider, 0).x()
    assert all(abs(band.center().x() - handle(slider, at).x()) <= 2 for band, at in zip(bands, (0, 25), strict=True))
    assert abs(zero.center().x() - middle) <= 2
    assert abs(bands[0].left() - handle(slider, -STEPS_PER_UNIT).x()) <= 2
    shown = slider.grab().toImage()
    colours = [shown.pixelColor(handle(slider, at).x(), slider.height() - 2).name() for at in (-25, 75)]
    assert colours[0] != colours[1], "a band is there at -0.5 and none at 1.5"


def test_keys_move_a_slider_as_one_gesture_until_they_rest(dock, ready, qtbot):
    row = dock.sliders.rows["GENE0"]
    steps = len(ready.state.edit.past)
    for _ in range(3):
        qtbot.keyClick(row.slider, Qt.Key.Key_Right)
    assert row.number.value() == pytest.approx(0.3) and len(ready.state.edit.past) == steps + 1
    with qtbot.waitSignal(row.slider.rested, timeout=5000):
        pass
    qtbot.keyClick(row.slider, Qt.Key.Key_PageUp)
    assert len(ready.state.edit.past) == steps + 2
    qtbot.keyClick(row.slider, Qt.Key.Key_0)
    assert row.slider.value() == 0 and len(ready.state.edit.past) == steps + 3
    dock.undo.click()
    dock.undo.click()
    assert row.number.value() == pytest.approx(0.3)


@pytest.mark.parametrize("part", ["slider", "number"])
def test_the_wheel_moves_only_what_has_the_focus(dock, ready, part):
    def turn():
        event = QWheelEvent(
            QPointF(5, 5), QPointF(5, 5), QPoint(0, 0), QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(getattr(row, part), event)
        return dict(ready.state.edit.present.terms)["GENE0"]

    row = dock.sliders.rows["GENE0"]
    dock.find.setFocus()
    assert turn() == 0.0
    dock.activateWindow()
    getattr(row, part).setFocus()
    assert getattr(row, part).hasFocus() and turn() > 0.0


def test_genes_that_move_most_get_sliders(dock, ready, qtbot):
    view = dock.moves_most
    assert not view.isVisible()
    dock.moves.click()
    assert view.isVisible() and not view.rank.isVisible()
    assert view.genes.topLevelItemCount() == 7 and view.genes.topLevelItem(0).text(0) == "GENE6"
    assert "first 7 of 7 genes that 1% of the cells or more express" in view.told.text()
    view.all.click()
    assert view.genes.topLevelItemCount() == 10
    first = view.genes.topLevelItem(0)
    assert [first.text(column) for column in range(4)] == ["GENE9", "0.500", "0.250", "0"]
    assert view.genes.topLevelItem(2).text(2) == "", "not expressed"
    assert "first 10 of 10 genes" in view.told.text() and "2 passes" in view.told.text()
    ready.set_log2_fc("GENE9", 1.0)
    view.genes.itemActivated.emit(first, 0)
    assert dict(ready.state.edit.present.terms)["GENE9"] == 1.0, "a slider that is there stays as it is"
    assert not view.add.isEnabled()
    for idx in (1, 3):
        view.genes.topLevelItem(idx).setSelected(True)
    view.add.click()
    assert {"GENE8", "GENE6"} <= set(dock.sliders.rows)
    ready.select_cell("cell-6")
    assert view.rank.isVisible() and not view.genes.isVisible()
    view.rank.click()
    assert ready.state.sensitivity.cell_id == "cell-6"
    dock.moves.click()
    assert not view.isVisible()


def test_presets_are_saved_loaded_and_listed(dock, ready, monkeypatch, tmp_path):
    monkeypatch.setattr("napari_spatia.session.presets.platformdirs.user_state_path", lambda name: tmp_path / "state")
    dock.presets.choices.aboutToShow.emit()
    ((words, action),) = entries(entries(dock.presets.choices)["Recent"]).items()
    assert "None yet" in words and not action.isEnabled()
    told = []
    ready.state.events.notice.connect(told.append)
    files = "napari_spatia.widgets.edit_menus.QFileDialog"
    monkeypatch.setattr(f"{files}.getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    entries(dock.presets.choices)["Save edit as…"].trigger()
    assert told[-1].is_error and "no edit to save" in told[-1].text
    dock.sliders.rows["GENE0"].number.setValue(1.5)
    entries(dock.presets.choices)["Save edit as…"].trigger()
    assert (tmp_path / "mine.json").exists() and "Edit saved" in told[-1].text
    dock.reset.click()
    monkeypatch.setattr(f"{files}.getOpenFileName", lambda *_: (str(tmp_path / "mine.json"), ""))
    entries(dock.presets.choices)["Load edit…"].trigger()
    assert dict(ready.state.edit.present.terms) == {"GENE0": 1.5}
    dock.reset.click()
    dock.presets.choices.aboutToShow.emit()
    entries(entries(dock.presets.choices)["Recent"])["mine"].trigger()
    assert dock.sliders.rows["GENE0"].number.value() == 1.5


def test_neighbours_are_marked_and_changed(dock, ready, qtbot):
    strip = dock.findChild(MarkStrip)
    dock.niche.choices.aboutToShow.emit()
    entries(dock.niche.choices)["Pick neighbours on the slide…"].trigger()
    assert ready.state.tool == "neighbours" and strip.isVisible() and not strip.remove.isEnabled()
    ready.mark_neighbour("cell-7")
    assert "1 of 2 neighbours" in strip.told.text()
    strip.become.choices.aboutToShow.emit()
    entries(strip.become.choices)["T_cell"].trigger()
    assert ready.state.edit.present.niche == NicheEdit.parse("replace=T_cell@cell-7")
    assert dock.niche.text() == "1 neighbour: T_cell" and not strip.isVisible()
    ready.use_tool("neighbours")
    ready.mark_neighbour("cell-6")
    strip.remove.click()
    assert dock.niche.text() == "Without 2 neighbours"
    ready.use_tool("neighbours")
    strip.cancel.click()
    assert ready.state.tool == "" and dock.niche.text() == "Without 2 neighbours"
    ready.use_tool("neighbours")
    dock.activateWindow()
    qtbot.keyClick(dock, Qt.Key.Key_Escape)
    assert ready.state.tool == "" and not strip.isVisible()


def test_next_cell_by_key_button_and_list(dock, ready, qtbot):
    dock.activateWindow()
    dock.setFocus()
    qtbot.keyClick(dock, Qt.Key.Key_N)
    assert ready.state.selected == "cell-6"
    qtbot.keyClick(dock, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert ready.state.selected == "cell-5"
    walk = dock.walk
    names = [walk.list.itemText(place) for place in range(walk.list.count())]
    assert names[0] == "All cells" and set(names[1:]) == {"acinar", "ductal", "T_cell"}
    walk.list.setCurrentText("ductal")
    walk.list.activated.emit(walk.list.currentIndex())
    walk.next.click()
    assert ready.state.selected == "cell-8"
    ready.choose_rows([1, 3])
    assert walk.list.itemText(1) == "Chosen cells" and walk.list.currentText() == "ductal"
    walk.before.click()
    assert ready.state.selected == "cell-5"


def test_one_stain_is_shown_in_its_colour_on_the_slide(dock, ready):
    views, shown = dock.pictures, {}

    def colours():
        image = views.real._pixmap.toImage()
        pixels = [image.pixelColor(x, y) for x in range(0, image.width(), 8) for y in range(0, image.height() // 2, 8)]
        return [max(getattr(pixel, part)() for pixel in pixels) for part in ("red", "green", "blue")]

    assert [dock.stain.itemText(i) for i in range(3)] == ["All stains", "DAPI", "boundary"]
    ready.set_stain_look("DAPI", (0.0, 10.0), (1.0, 0.0, 0.0))
    ready.set_stain_look("boundary", (0.0, 10.0), (0.0, 1.0, 0.0))
    for name in ("DAPI", "boundary", "All stains"):
        dock.stain.setCurrentText(name)
        dock.stain.activated.emit(dock.stain.currentIndex())
        shown[name] = colours()
    assert shown["DAPI"] == [255, 0, 0] and shown["boundary"] == [0, 255, 0] and shown["All stains"][:2] == [255, 255]
    assert ready.state.stain is None


def test_the_card_tells_the_predicted_type_its_probability_and_the_domain(dock, ready):
    ready.predict()
    text = dock.card.text()
    assert "Predicted: <b>ductal</b> (67% sure) · niche domain 0" in text and "counts over" in text


def test_a_rare_cell_is_not_called_an_edit_that_goes_too_far():
    assert reach_line(None, True) == "reach: measured when the edit rests"
    assert reach_line(43.2, True) == reach_line(43.2, False) == "reach: 43rd percentile"
    assert reach_line(97.0, True) == "reach: 97th percentile - beyond what the model has seen"
    assert reach_line(97.0, False) == "reach: 97th percentile - a rare cell as it is"
