import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QApplication, QInputDialog

from napari_spatia.session.scatter import Plot
from napari_spatia.widgets.embedding_dock import EmbeddingDock
from napari_spatia.widgets.explorer import ExplorerDock

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


@pytest.fixture
def dock(put, ready):
    """Sixteen cells on a 4 × 4 grid, cell 0 at the upper left."""
    ready.predict()
    dock = put(EmbeddingDock, ready)
    places = np.array([(idx % 4, -(idx // 4)) for idx in range(16)], dtype=np.float32)
    ready.state.plot = Plot("pca:cell", "grid", places)
    QApplication.processEvents()
    return dock


def place(dock, x, y):
    column, row = dock.plot.view.to_px(np.array([(x, y)], np.float32))
    return QPoint(round(float(column[0])), round(float(row[0])))


def drag(qtbot, dock, corners, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
    places = [place(dock, *corner) for corner in corners]
    qtbot.mousePress(dock.plot, button, modifier, places[0])
    for at in places[1:]:
        qtbot.mouseMove(dock.plot, at)
    qtbot.mouseRelease(dock.plot, button, modifier, places[-1])


def around(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def chosen(dock):
    return [] if dock.state.chosen is None else dock.state.chosen.tolist()


def colour_at(dock, x, y):
    image = dock.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixel = image.pixelColor(place(dock, x, y))
    return np.array([pixel.red(), pixel.green(), pixel.blue()])


def test_empty_states_say_what_to_do(put, empty, small_slide):
    dock = put(EmbeddingDock, empty)
    assert dock.what.text() == "Open a slide first." and not dock.plot.isVisible() and not dock.chosen.isVisible()
    empty.show(small_slide)
    assert "no embedding of these cells yet" in dock.what.text() and "Predict" in dock.what.text()
    assert not dock.plot.isVisible() and not dock.map_row.isVisible() and not dock.choice.isVisible()


def test_a_prediction_fills_the_map_and_compute_makes_another(put, ready, qtbot):
    dock = put(EmbeddingDock, ready)
    ready.predict()
    assert dock.plot.isVisible() and dock.choice.currentData() == "pca:cell" and dock.scale.currentText() == "cell"
    assert "varies most" in dock.what.text()
    qtbot.mouseClick(dock.compute, LEFT)
    assert dock.choice.currentData() == "tsne:cell" and "t-SNE" in dock.what.text() and dock.compute.isEnabled()
    dock.choice.activated.emit(dock.choice.findData("pca:cell"))
    assert ready.state.plot.key == "pca:cell"


def test_a_lasso_chooses_shift_adds_alt_removes(dock, qtbot):
    drag(qtbot, dock, around(-0.4, 0.4, 1.4, -0.4))
    assert chosen(dock) == [0, 1]
    drag(qtbot, dock, around(-0.4, -0.6, 0.4, -1.4), modifier=Qt.KeyboardModifier.ShiftModifier)
    assert chosen(dock) == [0, 1, 4]
    drag(qtbot, dock, around(-0.4, 0.4, 0.4, -1.4), modifier=Qt.KeyboardModifier.AltModifier)
    assert chosen(dock) == [1]
    assert dock.chosen.total.text() == "<b>1</b> of 16 cells chosen"


def test_a_click_selects_the_nearest_cell_and_one_beside_all_cells_none(dock, qtbot):
    qtbot.mouseClick(dock.plot, LEFT, pos=place(dock, 0.5, -0.5))
    assert dock.state.selected is None
    qtbot.mouseClick(dock.plot, LEFT, pos=place(dock, 2.0, -1.0) + QPoint(2, 1))
    assert dock.state.selected == "cell-6" and dock.state.chosen is None


def test_cells_have_the_colours_of_the_legend_and_others_are_fainter(dock):
    colours = {row.name: row.colour for row in dock.state.lookup.legend}
    types = dock.state.prediction.cell_type
    assert colour_at(dock, 1, 0).tolist() == list(colours[types[1]])
    full = colour_at(dock, 2, 0)
    dock.session.choose_rows([1])
    assert colour_at(dock, 1, 0).tolist() == list(colours[types[1]])
    base = colour_at(dock, 0.5, -0.5)
    assert np.abs(colour_at(dock, 2, 0) - base).max() < np.abs(full - base).max() / 2
    dock.session.choose_none()
    dock.session.show_category(str(types[1]), False)
    assert colour_at(dock, 1, 0).tolist() == base.tolist()


def test_the_selected_cell_has_a_ring(dock):
    before = pixels(dock)
    dock.session.select_cell("cell-5")
    changed = np.argwhere((pixels(dock) != before).any(axis=2))
    at = place(dock, 1.0, -1.0)
    assert len(changed) and np.abs(changed - (at.y(), at.x())).max() <= 10


def pixels(dock):
    image = dock.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    data = image.bits().asstring(image.sizeInBytes())
    return np.frombuffer(data, np.uint8).reshape(image.height(), image.width(), 4).astype(int)


def test_the_view_moves_zooms_and_comes_back(dock, qtbot):
    whole, corner = dock.plot.view, place(dock, 0.0, 0.0)
    drag(qtbot, dock, [(1.0, -1.0), (2.0, -2.0)], RIGHT)
    moved = place(dock, 0.0, 0.0) - corner
    assert moved.x() > 20 and moved.y() > 20 and dock.state.chosen is None
    at = place(dock, 1.0, -1.0)
    wheel = QWheelEvent(
        QPointF(at), QPointF(dock.plot.mapToGlobal(at)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(dock.plot, wheel)
    assert dock.plot.view.scale > 1.2 * whole.scale
    assert (place(dock, 1.0, -1.0) - at).manhattanLength() <= 1
    qtbot.mouseDClick(dock.plot, LEFT, pos=at)
    assert dock.plot.view == whole


def test_buttons_invert_choose_none_and_annotate(dock, qtbot, monkeypatch):
    line = dock.chosen
    assert not line.none.isEnabled() and not line.annotate.isEnabled() and line.how.isVisible()
    dock.session.choose_rows([0, 3, 1])
    assert "acinar&nbsp;2" in line.categories.text() and "T_cell&nbsp;1" in line.categories.text()
    dock.session.add_class("mast", (1, 2, 3))
    line.list_classes()
    names = [action.text() for action in line.classes.actions()]
    assert names == ["mast", "New class…", "", "No class"]
    line.classes.actions()[0].trigger()
    assert dock.state.annotations.counts() == {"mast": 3}
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (" ductal ", True))
    line.classes.actions()[1].trigger()
    assert dock.state.annotations.counts() == {"mast": 0, "ductal": 3}
    line.list_classes()
    line.classes.actions()[-1].trigger()
    assert not dock.state.annotations.assigned
    qtbot.mouseClick(line.invert, LEFT)
    assert len(chosen(dock)) == 13
    qtbot.mouseClick(line.none, LEFT)
    assert dock.state.chosen is None


def test_the_explorer_has_the_tools_and_the_same_line(put, session, qtbot):
    dock = put(ExplorerDock, session)
    lasso, box = (dock.chosen.tools[tool] for tool in ("lasso", "box"))
    qtbot.mouseClick(lasso, LEFT)
    assert session.state.tool == "lasso" and lasso.isChecked()
    qtbot.mouseClick(box, LEFT)
    assert session.state.tool == "box" and box.isChecked() and not lasso.isChecked()
    qtbot.mouseClick(box, LEFT)
    assert session.state.tool == "" and not box.isChecked()
    session.choose_rows(range(5))
    assert "5</b> of 16 cells chosen" in dock.chosen.total.text()
