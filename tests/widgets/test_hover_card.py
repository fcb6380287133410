import napari
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication, QMouseEvent

from napari_spatia.widgets.driving import Driver, mouse
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.host import host_for
from napari_spatia.widgets.hover_card import HoverTips, hover_html
from napari_spatia.widgets.rests import Rests


@pytest.fixture
def tips(ready, qtbot):
    made = HoverTips(ready.state)
    yield made
    made.close()


def test_the_card_shows_the_cell_and_goes(tips, ready):
    ready.colour_by("gene:GENE0")
    assert tips.tip is None
    ready.point_at(12.0, 20.0)
    text = tips.tip.text()
    assert tips.tip.isVisible() and "cell-6" in text and "in the table: acinar" in text
    assert "GENE0 (counts): <b>6</b>" in text
    assert text.count("GENE") == 1 + 4, "the value and four genes"
    ready.point_away()
    assert not tips.tip.isVisible()


def test_the_card_takes_neither_focus_nor_mouse(tips, ready, put):
    dock = put(ExplorerDock, ready)
    dock.choice.setFocus()
    ready.point_at(12.0, 20.0)
    tip = tips.tip
    assert tip.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
    assert tip.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    assert tip.focusPolicy() == Qt.FocusPolicy.NoFocus and not tip.isActiveWindow()


def test_the_card_stays_on_the_screen(tips, ready):
    ready.point_at(12.0, 20.0)
    box = QGuiApplication.primaryScreen().availableGeometry()
    for corner in (box.topLeft(), box.bottomRight() - QPoint(2, 2)):
        tips.tip.show_card(ready.state.hovered, corner)
        assert box.contains(tips.tip.geometry())


def test_confidence_and_text_values_are_written(ready):
    ready.predict()
    ready.colour_by("cluster")
    text = hover_html(ready.hover(12.0, 20.0))
    assert "Predicted: <b>acinar</b> (70% sure)" in text and "Cluster: <b>2</b>" in text


def test_key_and_box_switch_the_card_off_and_on(put, ready, qtbot):
    dock = put(ExplorerDock, ready)
    with qtbot.waitActive(dock):
        dock.activateWindow()
    assert dock.hover.isChecked()
    qtbot.keyClick(dock.legend, Qt.Key.Key_H)
    assert not ready.state.hover_shown and not dock.hover.isChecked()
    qtbot.mouseClick(dock.hover, Qt.MouseButton.LeftButton, pos=QPoint(8, dock.hover.height() // 2))
    assert ready.state.hover_shown
    line = dock.choice.lineEdit()
    line.setFocus()
    line.clear()
    qtbot.keyClick(line, Qt.Key.Key_H)
    assert line.text() == "h" and ready.state.hover_shown, "what is typed into a line is no command"


def test_only_the_newest_call_of_a_name_comes_after_the_pause(qtbot):
    rests, called = Rests(), []
    rests("mouse", 1, lambda: called.append("old"))
    rests("mouse", 1, lambda: called.append("new"))
    rests("camera", 1, lambda: called.append("camera"))
    qtbot.waitUntil(lambda: len(called) == 2)
    assert sorted(called) == ["camera", "new"]
    rests("mouse", 1, lambda: called.append("late"))
    rests.close()
    qtbot.wait(30)
    assert len(called) == 2


@pytest.mark.gl
def test_a_card_follows_a_real_mouse_over_the_slide(small_slide, fake_backend, tmp_path, qtbot):
    viewer = napari.Viewer()
    host = host_for(viewer, fake_backend, tmp_path / "sidecar")
    driver = Driver(viewer)
    host.session.show(small_slide)
    driver.until(lambda: host.session.state.lookup is not None, "opening the slide")
    driver.settle()

    def hover(y_um, x_um):
        mouse(driver.canvas, QMouseEvent.Type.MouseMove, driver.place_of(y_um, x_um), Qt.MouseButton.NoButton)

    hover(12.0, 20.0)
    driver.until(lambda: host.session.state.hovered is not None, "showing the card")
    assert host.session.state.hovered.card.cell_id == "cell-6" and host.tips.tip.isVisible()
    assert host.session.state.selected is None
    hover(0.2, 0.2)
    driver.until(lambda: host.session.state.hovered is None, "taking the card away")
    assert not host.tips.tip.isVisible()
    driver.close()
