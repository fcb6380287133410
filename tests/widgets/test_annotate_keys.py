"""The number keys of the Annotate dock act only while it is in front, and a class that is on goes off with it."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton

from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.arrange import is_in_front


@pytest.fixture
def tabs(session, qtbot):
    """A window with the Annotate dock and another one as tabs; → window, dock around it, the other, and its content."""
    window = QMainWindow()
    window.setCentralWidget(QPushButton("the slide"))
    annotate = AnnotateDock(session)
    qtbot.addWidget(window, before_close_func=lambda _: annotate.release())
    docks = []
    for inner in (annotate, QPushButton("other")):
        docks.append(QDockWidget())
        docks[-1].setWidget(inner)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, docks[-1])
    window.tabifyDockWidget(*docks)
    session.add_class("mast")
    session.add_class("ductal")
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.centralWidget().setFocus()
    return window, *docks, annotate


def bring(dock, inner, qtbot, front):
    dock.raise_()
    qtbot.waitUntil(lambda: is_in_front(inner) == front)


def test_number_keys_act_only_while_the_dock_is_in_front(tabs, session, qtbot):
    window, around, other, annotate = tabs

    def pressed():
        qtbot.keyClick(window.centralWidget(), Qt.Key.Key_2)
        return session.state.armed_class

    bring(other, annotate, qtbot, front=False)
    assert pressed() is None
    bring(around, annotate, qtbot, front=True)
    assert pressed() == "ductal" and pressed() is None
    around.close()
    assert pressed() is None
    around.show()
    bring(around, annotate, qtbot, front=True)
    assert pressed() == "ductal"
    qtbot.keyClick(window.centralWidget(), Qt.Key.Key_Escape)
    assert session.state.armed_class is None


@pytest.mark.parametrize("leave", ["another tab", "close"])
def test_a_class_that_is_on_goes_off_when_the_dock_is_left(tabs, session, qtbot, leave):
    _, around, other, annotate = tabs
    bring(around, annotate, qtbot, front=True)
    session.arm_class("mast")
    assert session.state.armed_class == "mast"
    if leave == "close":
        around.close()
    else:
        bring(other, annotate, qtbot, front=False)
    assert session.state.armed_class is None and session.state.colour == "obs:cell_type"
