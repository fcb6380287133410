import pytest
from qtpy.QtCore import QPoint, Qt

from napari_spatia.widgets.explorer import ExplorerDock

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(put, ready):
    return put(ExplorerDock, ready)


@pytest.fixture
def filters(dock, qtbot):
    qtbot.mouseClick(dock.filters.fold, LEFT)
    return dock.filters


def add(qtbot, filters, name):
    filters.search.lineEdit().clear()
    qtbot.keyClicks(filters.search.lineEdit(), name)
    qtbot.keyClick(filters.search.lineEdit(), Qt.Key.Key_Return)


def press_box(qtbot, names, number):
    box = names.visualItemRect(names.item(number))
    qtbot.mouseClick(names.viewport(), LEFT, pos=QPoint(box.left() + 10, box.center().y()))


def test_without_a_slide_there_is_nothing_to_filter(put, empty):
    dock = put(ExplorerDock, empty)
    assert not dock.filters.isEnabled() and dock.filters.passing.text() == ""


def test_filters_fold_away(dock, qtbot):
    assert not dock.filters.search.isVisible()
    qtbot.mouseClick(dock.filters.fold, LEFT)
    assert dock.filters.search.isVisible()
    dock.filters.fold.setFocus()
    qtbot.keyClick(dock.filters.fold, Qt.Key.Key_Space)
    assert not dock.filters.search.isVisible()


def test_a_number_is_filtered_by_a_range_between_its_limits(filters, ready, qtbot):
    add(qtbot, filters, "gene0")
    row = filters.rows["gene:GENE0"]
    slider = row.range.slider
    assert (slider.minimum(), slider.maximum(), tuple(slider.value())) == (0, 15, (0, 15))
    assert filters.passing.text() == "16 of 16 cells pass" and filters.search.currentText() == ""
    slider.setValue((3, 15))
    qtbot.waitUntil(lambda: ready.state.filtered.num_passing == 13, timeout=5000)
    assert filters.passing.text() == "13 of 16 cells pass"
    term = ready.state.cell_filter.terms[0]
    assert term.low == 3 and term.high == float("inf"), "an end at its limit is open"
    ready.filter_by("gene:GENE0", 2, 5)
    assert tuple(slider.value()) == (2, 5)


def test_names_are_let_pass_by_their_boxes(filters, ready, qtbot):
    add(qtbot, filters, "cell_type")
    names = filters.rows["obs:cell_type"].names
    assert [names.item(number).text() for number in range(3)] == ["acinar   (6)", "T_cell   (5)", "ductal   (5)"]
    press_box(qtbot, names, 0)
    assert ready.state.filtered.num_passing == 10
    names.setCurrentRow(1)
    qtbot.keyClick(names, Qt.Key.Key_Space)
    assert ready.state.cell_filter.terms[0].names == {"ductal"}
    names.itemDoubleClicked.emit(names.item(0))
    assert ready.state.cell_filter.terms[0].names == {"acinar"}
    assert [names.item(number).checkState() == Qt.CheckState.Checked for number in range(3)] == [True, False, False]


def test_filters_are_taken_off_one_by_one_and_all_at_once(filters, ready, qtbot):
    for name in ("Counts per cell", "Genes per cell", "cell_type"):
        add(qtbot, filters, name)
    assert list(filters.rows) == ["counts", "num_genes", "obs:cell_type"]
    gone = filters.rows["num_genes"]
    qtbot.mouseClick(gone.remove, LEFT)
    assert not gone.isVisible()
    assert list(filters.rows) == ["counts", "obs:cell_type"] and len(ready.state.cell_filter.terms) == 2
    qtbot.mouseClick(filters.clear, LEFT)
    assert filters.rows == {} and filters.passing.text() == "" and not filters.clear.isVisible()


def test_a_name_that_is_not_there_is_answered(filters, ready, qtbot):
    add(qtbot, filters, "XYZ")
    assert "called 'XYZ'" in ready.state.notice.text and filters.search.currentText() == ""


def test_filters_of_a_script_are_shown_by_a_dock_that_opens_later(put, ready):
    ready.filter_by("counts", low=20)
    dock = put(ExplorerDock, ready)
    assert list(dock.filters.rows) == ["counts"] and "cells pass" in dock.filters.passing.text()
