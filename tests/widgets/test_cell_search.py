import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton

from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.cell_dock import CellDock


@pytest.fixture
def dock(put, ready):
    return put(CellDock, ready)


def test_without_a_slide_there_is_nothing_to_go_to(put, empty):
    assert not put(CellDock, empty).find.isEnabled()


def test_typing_completes_and_enter_goes_there(dock, ready, qtbot):
    qtbot.keyClicks(dock.find, "ce")
    assert dock.find.completer().completionCount() == 0, "two letters are too few"
    qtbot.keyClicks(dock.find, "ll-1")
    shown = [dock.find.completer().popup().model().index(row, 0).data() for row in range(7)]
    assert shown == ["cell-1", "cell-10", "cell-11", "cell-12", "cell-13", "cell-14", "cell-15"]
    qtbot.keyClicks(dock.find, "4")
    dock.find.completer().popup().hide()
    qtbot.keyClick(dock.find, Qt.Key.Key_Return)
    assert ready.state.selected == "cell-14" and ready.state.goal is not None
    assert "cell-14" in dock.card.text()
    qtbot.waitUntil(lambda: dock.find.text() == "")


def test_choosing_from_the_list_goes_there(dock, ready, qtbot):
    with qtbot.waitActive(dock):
        dock.activateWindow()
    dock.find.setFocus()
    qtbot.keyClicks(dock.find, "cell-1")
    popup = dock.find.completer().popup()
    chosen = []
    dock.find.chosen.connect(chosen.append)
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert ready.state.selected == "cell-10" and chosen == ["cell-10"] and ready.state.notice is None
    qtbot.waitUntil(lambda: dock.find.text() == "")


def test_an_id_that_is_not_there_is_answered_once(dock, ready, qtbot):
    seen = []
    ready.state.events.notice.connect(seen.append)
    qtbot.keyClicks(dock.find, "nobody")
    qtbot.keyClick(dock.find, Qt.Key.Key_Return)
    assert len(seen) == 1 and seen[0].is_error and "'nobody' is not on slide" in seen[0].text


def test_the_keys_are_the_slides_again_once_the_cell_is_found(ready, qtbot):
    class CanvasBackendDesktop(QPushButton):
        """Named as the one of vispy."""

    window, inner, around = QMainWindow(), CellDock(ready), QDockWidget()
    qtbot.addWidget(window, before_close_func=lambda _: inner.release())
    window.setCentralWidget(CanvasBackendDesktop())
    around.setWidget(inner)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, around)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.keyClick(window.centralWidget(), Qt.Key.Key_G)
    assert inner.find.hasFocus()
    qtbot.keyClicks(inner.find, "nobody")
    qtbot.keyClick(inner.find, Qt.Key.Key_Return)
    assert inner.find.hasFocus(), "to type another one"
    qtbot.waitUntil(lambda: inner.find.text() == "")
    qtbot.keyClicks(inner.find, "cell-14")
    inner.find.completer().popup().hide()
    qtbot.keyClick(inner.find, Qt.Key.Key_Return)
    assert ready.state.selected == "cell-14" and window.centralWidget().hasFocus()
    qtbot.waitUntil(lambda: inner.find.text() == "")
    inner.find.setFocus()
    qtbot.keyClicks(inner.find, "cell-1")
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        qtbot.keyClick(inner.find.completer().popup(), key)
    assert ready.state.selected == "cell-1"
    assert window.focusWidget() is window.centralWidget(), "once its window is active again"


def test_key_g_brings_the_line_forward_from_behind_another_tab(ready, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    docks = []
    for inner in (CellDock(ready), AnnotateDock(ready)):
        dock = QDockWidget()
        dock.setWidget(inner)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        docks.append(inner)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.tabifyDockWidget(docks[0].parentWidget(), docks[1].parentWidget())
    docks[1].parentWidget().raise_()
    qtbot.waitUntil(lambda: not docks[0].find.visibleRegion().boundingRect().isValid())
    qtbot.keyClick(docks[1].classes, Qt.Key.Key_G)
    qtbot.waitUntil(docks[0].find.hasFocus)
    qtbot.keyClicks(docks[0].find, "cell-3")
    qtbot.keyClick(docks[0].find, Qt.Key.Key_Return)
    assert ready.state.selected == "cell-3"
    for inner in docks:
        inner.release()
