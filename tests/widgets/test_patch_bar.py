"""The counterfactual on the slide, from the Cell dock."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.patch_bar import PatchBar


@pytest.fixture
def dock(put, ready, qtbot):
    dock = put(CellDock, ready)
    ready.select_cell("cell-5")
    qtbot.waitExposed(dock)
    dock.activateWindow()
    return dock


@pytest.fixture
def bar(dock):
    return dock.findChild(PatchBar)


def test_controls_and_state_follow_each_other(bar, ready):
    assert bar.shown.isChecked() and bar.before.isEnabled()
    bar.shown.click()
    assert not ready.state.patches_shown and not bar.before.isEnabled()
    ready.show_patches(True)
    assert bar.shown.isChecked()
    bar.before.click()
    assert ready.state.patches_before
    bar.extent.setCurrentIndex(1)
    bar.extent.activated.emit(1)
    assert ready.state.patch_extent == "crop"


def test_keys_toggle_and_blink(dock, bar, ready):
    QTest.keyClick(dock, Qt.Key.Key_P)
    assert not ready.state.patches_shown
    QTest.keyClick(dock, Qt.Key.Key_P)
    QTest.keyClick(dock, Qt.Key.Key_K)
    assert ready.state.patches_shown and ready.state.patches_before and bar.before.isChecked()
    QTest.keyClick(dock, Qt.Key.Key_K)
    assert not ready.state.patches_before


def test_an_edit_is_applied_to_the_chosen_cells_and_taken_off(bar, ready):
    assert not bar.apply.isEnabled()
    ready.choose_rows([1, 2, 4])
    assert bar.apply.text() == "Apply to 3 chosen cells" and not bar.apply.isEnabled(), "nothing is edited"
    ready.set_log2_fc("GENE2", 1.0)
    assert bar.apply.isEnabled() and bar.remove.isHidden()
    bar.apply.click()
    assert [patch.cell_id for patch in ready.state.applied.patches] == ["cell-1", "cell-2", "cell-4"]
    assert not bar.remove.isHidden()
    bar.remove.click()
    assert ready.state.applied is None
