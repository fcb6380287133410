"""A model that is slow, or fails, under a real hand: no picture stands under the numbers of another edit."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent

import app_fakes
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.delivery import GuiDelivery
from napari_spatia.widgets.driving import handle, mouse
from napari_spatia.widgets.log2_slider import STEPS_PER_UNIT

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(put, fake_backend, small_slide, tmp_path, qtbot):
    """The dock of a selected cell, in a session whose jobs run in the background."""
    delivery = GuiDelivery()
    session = Session(ThreadJobs(delivery.deliver), fake_backend, tmp_path / "sidecar")
    dock = put(CellDock, session)
    session.show(small_slide)
    qtbot.waitUntil(lambda: session.state.slide is not None, timeout=10000)
    session.load_checkpoint("fake")
    qtbot.waitUntil(lambda: session.state.bound, timeout=10000)
    session.select_cell("cell-5")
    wait_for_the_picture(qtbot, session)
    yield dock
    fake_backend.gate.set()
    session.close()
    delivery.close()


def wait_for_the_picture(qtbot, session):
    state = session.state

    def is_drawn():
        running = any(job.running for job in state.jobs.values())
        return not running and state.resolved is not None and state.resolved.edit == state.edit.present.active()

    qtbot.waitUntil(is_drawn, timeout=10000)


def drag(dock, *values):
    slider = next(iter(dock.sliders.rows.values())).slider
    mouse(slider, QMouseEvent.Type.MouseButtonPress, handle(slider), LEFT)
    for value in values:
        mouse(slider, QMouseEvent.Type.MouseMove, handle(slider, round(value * STEPS_PER_UNIT)), LEFT)
    mouse(slider, QMouseEvent.Type.MouseButtonRelease, handle(slider), LEFT)


def veils(dock):
    return [view.veil_words for view in (dock.pictures.edited, dock.pictures.difference)]


def veil_pixel(dock):
    """Brightness of the counterfactual's picture away from words and marks."""
    image = dock.pictures.edited.grab().toImage()
    return image.pixelColor(image.width() // 2, image.height() // 4).lightness()


def test_a_picture_that_lets_itself_be_waited_for_is_veiled_until_the_newest_is_there(dock, fake_backend, qtbot):
    bright = veil_pixel(dock)
    fake_backend.gate.clear()
    drag(dock, 0.5, 1.0)
    assert veils(dock) == ["", ""], "not at once: pictures follow a slider many times a second"
    qtbot.waitUntil(lambda: all(veils(dock)), timeout=5000)
    assert veils(dock)[0].startswith("Drawing…") and veil_pixel(dock) < bright
    assert dock.pictures.edited.accessibleDescription() == veils(dock)[0]
    assert not dock.pictures.zero_edit.veil_words
    fake_backend.gate.set()
    wait_for_the_picture(qtbot, dock.session)
    assert veils(dock) == ["", ""] and not dock.pictures.edited.accessibleDescription()
    assert next(iter(dock.state.counterfactual.log2_fc.values())) == 1.0
    qtbot.wait(400)
    assert veils(dock) == ["", ""]


def test_an_edit_taken_back_while_it_is_drawn_needs_no_veil(dock, fake_backend, qtbot):
    fake_backend.gate.clear()
    drag(dock, 1.0)
    qtbot.waitUntil(lambda: all(veils(dock)), timeout=5000)
    qtbot.mouseClick(dock.undo, LEFT)
    assert veils(dock) == ["", ""], "the picture on screen is that of this edit"


def test_a_failed_drawing_leaves_no_picture_of_another_edit(dock, qtbot, monkeypatch):
    drag(dock, 0.5)
    wait_for_the_picture(qtbot, dock.session)
    assert dock.pictures.edited.has_picture

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(app_fakes.FakeEditor, "render", fail)
        drag(dock, 0.75)
        qtbot.waitUntil(lambda: dock.state.notice is not None and dock.state.notice.is_error, timeout=5000)
    assert "out of memory" in dock.state.notice.text
    assert not dock.pictures.edited.has_picture and not dock.pictures.difference.has_picture
    assert dock.pictures.zero_edit.has_picture and dock.sliders.rows, "the cell stays under the hand"
    assert veils(dock) == ["", ""]
    drag(dock, 0.25)
    wait_for_the_picture(qtbot, dock.session)
    assert dock.pictures.edited.has_picture
    assert next(iter(dock.state.counterfactual.log2_fc.values())) == pytest.approx(0.25, abs=0.02)
