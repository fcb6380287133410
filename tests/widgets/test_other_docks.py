import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_spatia.widgets import contributions, launch
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.export_dock import ExportDock
from napari_spatia.widgets.host import host_for, session_for
from napari_spatia.widgets.hover_card import HoverTip
from napari_spatia.widgets.launch import parse


def test_annotate_with_mouse_and_keys(put, session, qtbot):
    dock = put(AnnotateDock, session)
    assert "Add a class" in dock.hint.text()
    for name in ("mast", "ductal"):
        qtbot.keyClicks(dock.name, name)
        qtbot.keyClick(dock.name, Qt.Key.Key_Return)
    assert [dock.classes.item(row).text() for row in range(2)] == ["1   mast   (0)", "2   ductal   (0)"]
    place = dock.classes.visualItemRect(dock.classes.item(1)).center()
    qtbot.mouseClick(dock.classes.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.state.armed_class == "ductal" and "ductal" in dock.hint.text()
    dock._shortcuts[0].activated.emit()
    assert session.state.armed_class == "mast"
    session.annotate("cell-1", "mast")
    assert "(1)" in dock.classes.item(0).text() and "1 cell annotated" in dock.status.text()
    dock.undo.click()
    assert not session.state.annotations.assigned and dock.redo.isEnabled()
    dock._shortcuts[-1].activated.emit()
    assert session.state.armed_class is None and session.state.colour == "obs:cell_type"


def test_classes_from_types_keep_their_colours(put, session, qtbot):
    dock = put(AnnotateDock, session)
    dock.types.click()
    colours = {row.name: row.colour for row in session.state.lookup.legend}
    assert {entry.name: entry.colour for entry in session.state.annotations.classes} == colours


def test_export_needs_a_format_and_a_folder(put, session, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(session, "export", lambda folder, formats: asked.append((folder, formats)))
    dock = put(ExportDock, session)
    dock.folder.setText(str(tmp_path))
    dock.formats["csv"].setChecked(False)
    dock.export.click()
    assert asked == [(tmp_path, ["geojson", "h5ad"])]
    for box in dock.formats.values():
        box.setChecked(False)
    dock.export.click()
    assert len(asked) == 1 and "at least one format" in session.state.notice.text


def test_export_suggests_a_folder_for_each_slide_and_keeps_a_chosen_one(put, session, small_slide):
    dock = put(ExportDock, session)
    assert Path(dock.folder.text()).name == "small-export"
    session.show(replace(small_slide, name="second"))
    assert Path(dock.folder.text()).name == "second-export"
    dock.folder.setText("/chosen")
    session.show(small_slide)
    assert dock.folder.text() == "/chosen"


def test_a_viewer_has_one_session_that_goes_with_it(qtbot, fake_backend):
    viewer, other = ViewerModel(), ViewerModel()
    session = host_for(viewer, fake_backend).session
    assert session_for(viewer) is session and session_for(other) is not session
    gone = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert gone() is None, "the host must not keep its viewer alive"


def leave_a_viewer_to_the_collector(qtbot, backend, slide):
    """A viewer with a card at the mouse, in a circle as real viewers are; → a weak reference to it."""
    viewer = ViewerModel()
    host = host_for(viewer, backend)
    state = host.session.state
    host.session.show(slide)
    qtbot.waitUntil(lambda: state.slide is not None and state.lookup is not None, timeout=60000)
    host.session.point_at(12.0, 20.0)
    qtbot.waitUntil(lambda: host.tips.tip is not None and host.tips.tip.isVisible(), timeout=10000)
    qtbot.waitUntil(lambda: not any(job.running for job in state.jobs.values()), timeout=60000)
    circle = [viewer]
    circle.append(circle)
    return weakref.ref(viewer)


def test_a_viewer_that_another_thread_collects_is_let_go_on_the_gui_thread(
    qtbot, fake_backend, small_slide, monkeypatch
):
    """A widget closed by another thread waits for the GUI thread, which waits for that thread: the window hung."""
    closed_on, close = [], HoverTip.close
    monkeypatch.setattr(HoverTip, "close", lambda tip: closed_on.append(threading.current_thread()) or close(tip))
    gc.disable()
    try:
        gone = leave_a_viewer_to_the_collector(qtbot, fake_backend, small_slide)
        collector = threading.Thread(target=gc.collect)
        collector.start()
        qtbot.waitUntil(lambda: bool(closed_on), timeout=10000)
    finally:
        gc.enable()
    collector.join()
    assert gone() is None and closed_on == [threading.main_thread()]


def test_background_results_arrive_on_the_gui_thread(qtbot, fake_backend, small_slide):
    viewer = ViewerModel()
    host = host_for(viewer, fake_backend)
    threads = []
    host.session.state.events.slide.connect(lambda _: threads.append(threading.current_thread()))
    host.session.show(small_slide)
    qtbot.waitUntil(lambda: host.session.state.slide is not None, timeout=10000)
    assert threads == [threading.main_thread()]
    host.close()


@pytest.mark.parametrize("name", ["not-there", "file.txt", "folder"])
def test_reader_leaves_other_paths_alone(tmp_path, name):
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "folder").mkdir()
    assert contributions.get_reader(str(tmp_path / name)) is None


def test_a_sample_opens_its_slide_and_leaves_no_layer_of_its_own(qtbot, tmp_path, monkeypatch):
    viewer, opened = ViewerModel(), []
    place = tmp_path / "pancreas" / "roi_B.zarr"
    place.mkdir(parents=True)
    monkeypatch.setenv(contributions.DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(contributions, "_viewer", lambda: viewer)
    monkeypatch.setattr(contributions, "_open", lambda viewer, path: opened.append(path))
    PluginManager.instance().discover()
    viewer.open_sample("napari-spatia", "pancreas-region")
    assert opened == [place]
    qtbot.waitUntil(lambda: not viewer.layers, timeout=5000)


def test_the_window_is_no_larger_than_the_screen(qtbot):
    room = QGuiApplication.primaryScreen().availableSize()
    assert launch._on_screen((10 * room.width(), 300)) == (room.width(), 300)
    assert launch._on_screen((300, 10 * room.height())) == (300, room.height())


def test_launcher_takes_the_parts_of_a_slide():
    asked = parse(["a.zarr", "--checkpoint", "sim-small", "--um-per-px", "0.5", "--image", "he"])
    assert (asked.slide.name, asked.checkpoint, asked.um_per_px, asked.image) == ("a.zarr", "sim-small", 0.5, "he")


def test_a_picture_of_the_view_is_saved_where_a_window_takes_one(put, session, tmp_path, qtbot, monkeypatch):
    assert not put(ExportDock, session).picture.isVisible(), "without a window there is no view"
    taken = np.full((480, 90, 3), 9, np.uint8)
    dock = put(lambda of: ExportDock(of, lambda: taken), session)
    suggested = []
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *asked: (suggested.append(asked[2]), (str(tmp_path / "view.png"), ""))[1]
    )
    qtbot.mouseClick(dock.picture, Qt.MouseButton.LeftButton)
    assert Path(suggested[0]).name == "small.png" and "view.png" in dock.done.text()
    written = np.asarray(Image.open(tmp_path / "view.png"))
    assert np.array_equal(written[:, :90], taken) and written.shape[1] > 200
    dock.legend.setFocus()
    qtbot.keyClick(dock.legend, Qt.Key.Key_Space)
    qtbot.mouseClick(dock.picture, Qt.MouseButton.LeftButton)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "view.png")), taken)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    (tmp_path / "view.png").unlink()
    qtbot.mouseClick(dock.picture, Qt.MouseButton.LeftButton)
    assert not (tmp_path / "view.png").exists(), "a person changed their mind"
