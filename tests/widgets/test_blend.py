import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.explorer import TO_BLEND, TO_COLOUR, ExplorerDock

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(put, ready):
    return put(ExplorerDock, ready)


def press_box(qtbot, box):
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))


def test_plus_blends_the_gene_that_is_chosen_next(dock, ready, qtbot):
    assert not dock.blend_button.isEnabled(), "types are on screen"
    ready.colour_by("gene:GENE1")
    qtbot.mouseClick(dock.blend_button, LEFT)
    line = dock.choice.lineEdit()
    assert dock.blend_button.isChecked() and line.placeholderText() == TO_BLEND and line.text() == ""
    qtbot.keyClicks(line, "gene7")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert ready.state.colour == "genes:GENE1,GENE7"
    assert not dock.blend_button.isChecked() and line.placeholderText() == TO_COLOUR
    assert dock.legend.blend.isVisible() and not dock.legend.categories.isVisible()


def test_plus_blends_the_gene_that_is_typed_already_and_three_are_most(dock, ready, qtbot):
    ready.blend_genes(["GENE1", "GENE2"])
    dock.choice.lineEdit().setText("GENE3")
    qtbot.mouseClick(dock.blend_button, LEFT)
    assert ready.state.colour == "genes:GENE1,GENE2,GENE3"
    assert not dock.blend_button.isEnabled()


def test_a_second_press_of_plus_changes_nothing(dock, ready, qtbot):
    ready.colour_by("gene:GENE1")
    qtbot.mouseClick(dock.blend_button, LEFT)
    qtbot.mouseClick(dock.blend_button, LEFT)
    assert ready.state.colour == "gene:GENE1" and dock.choice.currentText() == "GENE1"


def test_legend_of_a_blend_hides_recolours_and_removes(dock, ready, qtbot, monkeypatch):
    ready.blend_genes(["GENE0", "GENE2"])
    blend = dock.legend.blend
    blend.percentiles.textActivated.emit("All values")
    first, second = blend.rows
    assert (first.shown.text(), first.low.text(), first.high.text()) == ("GENE0", "0", "15")
    assert blend.percentiles.currentText() == "All values"
    press_box(qtbot, first.shown)
    assert ready.state.hidden == {"GENE0"}
    second.shown.setFocus()
    qtbot.keyClick(second.shown, Qt.Key.Key_Space)
    assert ready.state.hidden == {"GENE0", "GENE2"}
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor(1, 2, 3))
    qtbot.mouseClick(first.recolour, LEFT)
    assert ready.state.lookup.legend[0].colour == (1, 2, 3) and first.bar.colour == (1, 2, 3)
    qtbot.mouseClick(first.remove, LEFT)
    assert ready.state.colour == "gene:GENE2" and dock.legend.numbers.isVisible()
    assert not dock.legend.blend.isVisible()


def test_the_colour_bar_of_a_gene_runs_from_black_to_its_colour(dock, ready):
    ready.blend_genes(["GENE0", "GENE2"])
    bar = dock.legend.blend.rows[1].bar
    image = bar.grab().toImage()
    left, right = image.pixelColor(0, 5), image.pixelColor(image.width() - 1, 5)
    assert left.green() < 10 and right.green() > 245 and right.red() < 10


def test_forms_of_a_blend_are_a_press_away(dock, ready, qtbot):
    ready.blend_genes(["GENE1", "GENE2"])
    counts, normalised, imputed = dock.forms.buttons()
    assert counts.isChecked() and not imputed.isVisible()
    qtbot.mouseClick(normalised, LEFT)
    assert ready.state.colour == "genes-normalised:GENE1,GENE2"


def test_genes_of_a_blend_do_not_become_classes(put, ready, qtbot):
    ready.blend_genes(["GENE1", "GENE2"])
    annotate = put(AnnotateDock, ready)
    qtbot.mouseClick(annotate.types, LEFT)
    assert ready.state.annotations.classes == () and ready.state.notice.is_error
