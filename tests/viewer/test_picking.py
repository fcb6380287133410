"""Presses and the wheel go where they went, and no scene is drawn for them. Needs OpenGL."""

import napari
import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spatia.viewer.picking import pick_without_drawing

pytestmark = pytest.mark.gl


@pytest.fixture
def viewer(qtbot):
    viewer = napari.Viewer()
    viewer.window.resize(900, 700)
    for _ in range(2):
        viewer.add_image(np.random.default_rng(0).random((64, 64)))
    QApplication.processEvents()
    yield viewer
    viewer.close()


@pytest.fixture
def drawn(viewer, monkeypatch):
    """What is drawn to see what lies under the mouse."""
    found = []
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    usual = scene._render_picking
    monkeypatch.setattr(scene, "_render_picking", lambda crop: found.append(crop) or usual(crop))
    return found


def turn_the_wheel(viewer):
    native = viewer.window._qt_viewer.canvas.native
    place = QPointF(native.width() / 4, native.height() / 2)  # in a grid of two, on the first
    event = QWheelEvent(
        place, QPointF(native.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(native, event)
    QApplication.processEvents()


def drag(viewer):
    native = viewer.window._qt_viewer.canvas.native
    start = native.rect().center()
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    for step in (20, 40, 60):
        QTest.mouseMove(native, start + QPoint(step, 0))
        QApplication.processEvents()
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    QApplication.processEvents()


def moved(viewer):
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, 32, 32), 5.0
    turn_the_wheel(viewer)
    zoom = camera.zoom
    drag(viewer)
    return zoom, camera.center


def test_the_wheel_zooms_and_a_drag_pans_as_before_and_nothing_is_drawn_for_them(viewer, drawn):
    before = moved(viewer)
    assert drawn and before[0] != 5.0 and before[1] != (0, 32, 32)
    drawn.clear()
    pick_without_drawing(viewer)
    assert np.allclose(np.hstack(moved(viewer)), np.hstack(before))
    assert not drawn


def test_a_camera_that_is_held_stays(viewer, drawn):
    pick_without_drawing(viewer)
    camera = viewer.scene.camera
    camera.mouse_zoom = camera.mouse_pan = False
    zoom = camera.zoom
    turn_the_wheel(viewer)
    assert camera.zoom == zoom and not drawn
    camera.mouse_zoom = camera.mouse_pan = True
    turn_the_wheel(viewer)
    assert camera.zoom > zoom and not drawn


def test_a_grid_of_layers_is_looked_at_as_before(viewer, drawn, qtbot):
    pick_without_drawing(viewer)
    viewer.canvas.grid.enabled = True
    zoom = viewer.scene.camera.zoom

    def zooms():  # once the grid has been laid out, which a frame or two takes
        turn_the_wheel(viewer)
        return viewer.scene.camera.zoom > zoom

    qtbot.waitUntil(zooms)
    assert drawn
