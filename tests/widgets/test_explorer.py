from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog, QInputDialog
from scipy.sparse import csr_matrix

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.registry import describe
from napari_spatia.session.colour import LegendRow
from napari_spatia.session.jobs import JobStatus
from napari_spatia.session.opened import SlidePicture
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.parts import Busy


@pytest.fixture
def dock(put, ready):
    return put(ExplorerDock, ready)


def test_empty_state_says_what_to_do(put, empty):
    dock = put(ExplorerDock, empty)
    assert "drop it on the window" in dock.slide_hint.text() and dock.slide_hint.isVisible()
    assert not dock.predict_button.isEnabled() and not dock.choice.isEnabled() and not dock.legend.isVisible()


def test_nobody_is_asked_to_open_a_slide_while_one_is_opening(put, empty, small_slide):
    dock = put(ExplorerDock, empty)
    empty.state.opening = SlidePicture.of(small_slide.image, small_slide.channels)
    assert dock.slide_hint.isHidden()
    empty.state.opening = None
    assert not dock.slide_hint.isHidden()


def test_slide_and_model_are_named(dock):
    assert "16 cells" in dock.slide_label.text() and not dock.slide_hint.isVisible()
    assert "fake" in dock.model_label.text() and "2 genes of the slide are not read." in dock.model_label.text()
    assert dock.predict_button.isEnabled() and not dock.save_button.isEnabled()


def test_list_of_models_shows_the_loaded_one_and_loads_it_again(dock, ready, fake_backend, small_slide, qtbot):
    assert dock.model_choice.currentText() == "fake", "a checkpoint from a folder joins the shipped ones"
    dock.model_choice.setCurrentText("sim-small")
    ready.show(small_slide)
    assert dock.model_choice.currentText() == "sim-small", "what a person chose stays until it is loaded"
    dock.model_choice.setCurrentText("fake")
    loaded = []
    ready.state.events.checkpoint.connect(loaded.append)
    qtbot.mouseClick(dock.load_button, Qt.MouseButton.LeftButton)
    assert [info.name for info in loaded] == ["fake"] and ready.state.notice is None
    assert [dock.model_choice.itemText(row) for row in range(dock.model_choice.count())].count("fake") == 1


def test_why_a_model_was_not_loaded_stays_to_be_read(dock, ready):
    ready.state.refused = "It reads 377 genes."
    said = dock.model_label.text()
    assert "fake" in said and said.endswith("<b>Not loaded.</b> It reads 377 genes.")
    ready.state.refused = ""
    assert "Not loaded" not in dock.model_label.text()


def test_a_shipped_model_that_reads_more_of_a_slide_is_named(dock, ready, small_slide):
    assert "reads" not in dock.model_label.text()
    panel = describe("pancreas-small").panel
    counts = csr_matrix((small_slide.num_cells, len(panel)), dtype=np.float32)
    ready.show(replace(small_slide, panel=panel, counts=counts))
    assert "<b>pancreas-small</b> reads 377 genes of this slide, fake 0: load it above." in dock.model_label.text()
    ready.show(small_slide)
    assert "reads 377" not in dock.model_label.text()


def test_predict_and_save(dock, ready, fake_backend, small_slide, qtbot):
    qtbot.mouseClick(dock.predict_button, Qt.MouseButton.LeftButton)
    assert ready.state.colour == "type" and dock.choice.currentText() == "Cell type (predicted)"
    qtbot.mouseClick(dock.save_button, Qt.MouseButton.LeftButton)
    assert fake_backend.written == [small_slide.path] and not dock.save_button.isEnabled()


def actions(menu_button):
    menu_button.choices.aboutToShow.emit()
    return {action.text(): action for action in menu_button.choices.actions() if action.text()}


def test_what_is_read_can_be_left_out_and_a_reference_added(dock, ready, fake_backend, qtbot, monkeypatch, tmp_path):
    assert dock.predict_from.text() == "from all"
    actions(dock.predict_from)["The cell's image"].trigger()
    menu = actions(dock.predict_from)
    assert not menu["The cell's image"].isChecked() and menu["The cell's image"].isEnabled()
    assert not menu["The cell's genes"].isEnabled(), "something must be read of the cell itself"
    menu["Its tissue"].trigger()
    assert dock.predict_from.text() == "from part"
    assert dock.predict_from.toolTip().endswith("Now: without image and tissue; no reference")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(tmp_path / "ref.h5ad"), ""))
    actions(dock.predict_from)["Genes of a reference…"].trigger()
    assert dock.predict_from.text() == "from part + file"
    assert dock.predict_from.toolTip().endswith("Now: without image and tissue; genes of ref.h5ad too")
    qtbot.mouseClick(dock.predict_button, Qt.MouseButton.LeftButton)
    assert fake_backend.predicted_from == [(("genes", "niche"), tmp_path / "ref.h5ad")]
    actions(dock.predict_from)["The cell's image"].trigger()
    actions(dock.predict_from)["Its tissue"].trigger()
    actions(dock.predict_from)["Without ref.h5ad"].trigger()
    assert dock.predict_from.text() == "from all" and dock.predict_from.inputs == ("image", "genes", "niche", "tissue")


def test_search_as_you_type_finds_genes(dock, ready, qtbot):
    line = dock.choice.lineEdit()
    line.clear()
    qtbot.keyClicks(line, "gene7")
    completer = dock.choice.completer()
    completer.setCompletionPrefix(line.text())
    assert completer.currentCompletion() == "GENE7"
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert ready.state.colour == "gene:GENE7"
    assert dock.legend.numbers.isVisible() and not dock.legend.categories.isVisible()


def test_a_name_that_is_not_there_is_answered_once(dock, ready, qtbot):
    seen = []
    ready.state.events.notice.connect(seen.append)
    dock.choice.lineEdit().setText("XYZ")
    qtbot.keyClick(dock.choice.lineEdit(), Qt.Key.Key_Return)
    assert len(seen) == 1 and "called 'XYZ'" in seen[0].text
    assert dock.choice.currentData() == "obs:cell_type", "the list shows what is on screen"


def test_legend_counts_and_hides(dock, ready):
    tree = dock.legend.categories
    rows = [(tree.topLevelItem(i).text(0), tree.topLevelItem(i).text(1)) for i in range(tree.topLevelItemCount())]
    assert rows == [("acinar", "6"), ("T_cell", "5"), ("ductal", "5")]
    tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert ready.state.hidden == {"acinar"} and ready.state.lookup.rgba[0, 3] == 0
    assert tree.topLevelItem(0).checkState(0) == Qt.CheckState.Unchecked


def test_legend_is_worked_by_keys(dock, ready, qtbot, monkeypatch):
    tree = dock.legend.categories
    tree.setFocus()
    tree.setCurrentItem(tree.topLevelItem(1))
    qtbot.keyClick(tree, Qt.Key.Key_S)
    assert ready.state.hidden == {"acinar", "ductal"}
    qtbot.keyClick(tree, Qt.Key.Key_A)
    assert ready.state.hidden == frozenset()
    qtbot.keyClick(tree, Qt.Key.Key_Space)
    assert ready.state.hidden == {"T_cell"}
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor(1, 2, 3))
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert ready.state.lookup.legend[1].colour == (1, 2, 3)
    assert [action.text() for action in tree.menu(tree.topLevelItem(1)).actions() if action.text()] == [
        "Only T_cell", "Another colour…", "Show all", "Save colours into slide",
    ]  # fmt: skip


def test_a_colour_that_cannot_be_saved_is_said(dock, ready):
    ready.predict()
    dock.legend.categories.saved.emit()
    assert ready.state.notice.is_error and "categorical columns" in ready.state.notice.text


def test_many_categories_can_be_searched(dock, ready, qtbot):
    assert not dock.legend.search.isVisible()
    ready.state.lookup = replace(
        ready.state.lookup, legend=tuple(LegendRow(f"cluster {n}", (n, n, n), n) for n in range(20))
    )
    qtbot.keyClicks(dock.legend.search, "R 1")
    tree = dock.legend.categories
    listed = [tree.topLevelItem(n).text(0) for n in range(20) if not tree.topLevelItem(n).isHidden()]
    assert listed == ["cluster 1", *(f"cluster {n}" for n in range(10, 20))]
    ready.colour_by("obs:cell_type")
    assert not any(tree.topLevelItem(n).isHidden() for n in range(3)), "a search that is not seen hides nothing"


def test_a_gene_is_listed_once_and_its_form_is_a_press_away(dock, ready, qtbot):
    assert not dock.forms_row.isVisible()
    ready.predict()
    ready.colour_by("gene:GENE1")
    counts, normalised, imputed = dock.forms.buttons()
    assert counts.isChecked() and dock.choice.currentText() == "GENE1"
    qtbot.mouseClick(imputed, Qt.MouseButton.LeftButton)
    assert ready.state.colour == "imputed:GENE1" and imputed.isChecked() and not counts.isChecked()
    assert dock.choice.currentText() == "GENE1" and "r = 0.41" in dock.legend.title.text()
    qtbot.mouseClick(normalised, Qt.MouseButton.LeftButton)
    assert ready.state.colour == "normalised:GENE1"


def test_percentiles_and_colour_maps_are_chosen_by_name(dock, ready):
    ready.colour_by("gene:GENE0")
    numbers = dock.legend.numbers
    assert numbers.percentiles.currentText() == "1–99 %" and numbers.colormap.currentText() == "viridis"
    numbers.percentiles.textActivated.emit("All values")
    numbers.colormap.textActivated.emit("magma")
    assert ready.state.lookup.shown_range == (0, 15) and ready.state.lookup.colormap == "magma"
    ready.show_range(2, 5)
    assert numbers.percentiles.currentText() == "Chosen"


def test_range_slider_moves_the_ends(dock, ready, qtbot):
    ready.colour_by("gene:GENE0")
    slider = dock.legend.numbers.slider
    assert (slider.minimum(), slider.maximum()) == (0, 15)
    slider.setValue((3, 9))
    qtbot.waitUntil(lambda: ready.state.shown_range == (3, 9), timeout=5000)
    assert ready.state.lookup.shown_range == (3, 9)


def test_opacity_slider(dock, ready):
    dock.opacity.setValue(20)
    assert ready.state.opacity == pytest.approx(0.2)
    ready.state.opacity = 0.8
    assert dock.opacity.value() == 80


def test_running_job_shows_progress_and_can_be_stopped(dock, ready):
    busy = next(bar for bar in dock.findChildren(Busy) if "predict" in bar._kinds)
    assert not busy.isVisible()
    ready.job_changed(JobStatus("predict", 1, fraction=0.4, doing="reading cells"))
    assert busy.isVisible() and busy.bar.value() == 40 and "reading cells" in busy.bar.format()
    assert not dock.predict_button.isEnabled()
    stopped = []
    ready.jobs.cancel = stopped.append
    busy.stop.click()
    assert "predict" in stopped


def test_progress_is_painted_with_the_window_and_not_at_once(dock, ready, qtbot):
    painted = []

    class Paints(QObject):
        def eventFilter(self, bar, event):
            if event.type() == QEvent.Type.Paint:
                painted.append(bar.value())
            return False

    bar, paints = next(busy for busy in dock.findChildren(Busy) if "predict" in busy._kinds).bar, Paints()
    bar.installEventFilter(paints)
    for percent in (0, 20, 40):
        ready.job_changed(JobStatus("predict", 1, fraction=percent / 100, doing="reading cells"))
        assert percent not in painted, "Qt would paint it, and the window with it, at once"
        qtbot.waitUntil(lambda percent=percent: percent in painted, timeout=5000)


def test_closed_dock_no_longer_listens(dock, ready):
    dock.release()
    before = dock.choice.currentText()
    ready.colour_by("gene:GENE1")
    assert dock.choice.currentText() == before


def test_outline_or_fill_is_chosen_by_keys(dock, ready, qtbot):
    dock.style.setFocus()
    qtbot.keyClick(dock.style, Qt.Key.Key_Down)
    assert ready.state.cell_style == "outline" and dock.style.currentText() == "Outline"
    ready.set_cell_style("both")
    assert dock.style.currentText() == "Both"
    with pytest.raises(SpatiaError, match="Expected one of fill, outline, both"):
        ready.set_cell_style("dots")


def test_genes_of_the_view_are_chips_that_colour(dock, ready, qtbot):
    assert not dock.chips.isVisible()
    ready.see((24.0, 0.0, 32.0, 32.0))
    ready.show_view_genes()
    assert dock.chips.isVisible() and tuple(dock.chips.chips) == ready.state.view_genes
    qtbot.mouseClick(dock.chips.chips["GENE0"], Qt.MouseButton.LeftButton)
    assert ready.state.colour == "gene:GENE0" and dock.choice.currentText() == "GENE0"
    ready.see((0.0, 0.0, 99.0, 99.0))
    ready.show_view_genes()
    assert not dock.chips.isVisible() and not dock.chips.chips


def test_a_class_of_the_annotation_is_renamed_in_the_legend(dock, ready, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: (asked.append(text), ("B cell", True))[1])
    tree = dock.legend.categories
    tree.setCurrentItem(tree.topLevelItem(0))
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    assert asked == [] and "Rename…" not in [action.text() for action in tree.menu(tree.topLevelItem(0)).actions()]
    ready.add_class("mast")
    ready.colour_by("annotation")
    tree.setCurrentItem(tree.topLevelItem(0))
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    assert asked == ["mast"] and tree.topLevelItem(0).text(0) == "B cell"
    rename = next(action for action in tree.menu(tree.topLevelItem(0)).actions() if action.text() == "Rename…")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: ("", False))
    rename.trigger()
    assert ready.state.annotations.names == ("B cell",), "a person changed their mind"


def test_a_star_makes_the_gene_on_screen_a_favourite(dock, ready, qtbot):
    with qtbot.waitActive(dock):
        dock.activateWindow()
    assert not dock.star.isEnabled() and not dock.favourites.isVisible()
    ready.colour_by("normalised:GENE5")
    assert dock.star.isEnabled() and dock.star.text() == "☆"
    qtbot.mouseClick(dock.star, Qt.MouseButton.LeftButton)
    assert ready.state.favourites == ("GENE5",) and dock.star.text() == "★"
    assert dock.choice.itemData(0) == "gene:GENE5" and not dock.choice.itemIcon(0).isNull()
    assert dock.choice.itemIcon(1).isNull() and dock.choice.currentText() == "GENE5"
    assert dock.favourites.isVisible() and [chip.text() for chip in dock.favourites.chips.values()] == ["★ GENE5"]
    ready.colour_by("gene:GENE1")
    qtbot.mouseClick(dock.favourites.chips["GENE5"], Qt.MouseButton.LeftButton)
    assert ready.state.colour == "gene:GENE5"
    qtbot.keyClick(dock.legend, Qt.Key.Key_F)
    assert ready.state.favourites == () and not dock.favourites.isVisible()
    ready.blend_genes(["GENE1", "GENE2"])
    assert not dock.star.isEnabled()
    qtbot.keyClick(dock.legend, Qt.Key.Key_F)
    assert ready.state.favourites == (), "F stars one gene"


def test_a_gene_of_the_view_gets_a_star_by_its_menu(dock, ready):
    ready.see((24.0, 0.0, 32.0, 32.0))
    ready.show_view_genes()
    (add,) = dock.chips.chips["GENE0"].actions()
    add.trigger()
    assert ready.state.favourites == ("GENE0",) and dock.chips.chips["GENE0"].text() == "★ GENE0"
    (remove,) = dock.chips.chips["GENE0"].actions()
    assert remove.text() == "Remove from favourites"
    remove.trigger()
    assert ready.state.favourites == () and dock.chips.chips["GENE0"].text() == "GENE0"


def test_polygons_are_switched_by_box_and_key(put, transcript_session, qtbot):
    dock = put(ExplorerDock, transcript_session)
    with qtbot.waitActive(dock):
        dock.activateWindow()
    transcript_session.see(transcript_session.slide.image.extent_um)
    qtbot.mouseClick(dock.polygons, Qt.MouseButton.LeftButton, pos=QPoint(8, dock.polygons.height() // 2))
    assert transcript_session.state.polygons is not None and dock.polygons.isChecked()
    qtbot.keyClick(dock.legend, Qt.Key.Key_O)
    assert transcript_session.state.polygons is None and not dock.polygons.isChecked()


def test_favourites_of_another_panel_have_no_chip(dock, ready):
    for gene in ("GENE3", "ELSEWHERE"):
        ready.toggle_favourite(gene)
    assert list(dock.favourites.chips) == ["GENE3"]
