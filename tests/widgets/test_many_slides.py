"""Two slides in one viewer: layers, camera, keys and docks are those of the slide in front."""

import gc
import shutil
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMessageBox
from vispy.scene.node import Node

import app_fakes
from napari_spatia.session.opened import SlidePicture
from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.session.state import Polygons
from napari_spatia.viewer import layers, neighbour_view, polygon_view
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.arrange import DOCKS
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.compare_dock import CompareDock
from napari_spatia.widgets.contributions import (
    Annotate,
    Cell,
    CellsMap,
    Compare,
    Elements,
    Explorer,
    Export,
    Screens,
    Transcripts,
)
from napari_spatia.widgets.elements_dock import ElementsDock
from napari_spatia.widgets.embedding_dock import EmbeddingDock
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.export_dock import ExportDock
from napari_spatia.widgets.host import hosts_for
from napari_spatia.widgets.screens_dock import ScreensDock
from napari_spatia.widgets.slide_pages import SlideChooser, SlidePages
from napari_spatia.widgets.transcripts_dock import TranscriptsDock


@pytest.fixture
def window(qtbot, fake_backend, tmp_path, monkeypatch):
    """A viewer's hosts with one slide in front; messages stay off the screen."""
    monkeypatch.setattr("napari_spatia.widgets.host.show_error", lambda text: None)
    monkeypatch.setattr("napari_spatia.widgets.host.show_info", lambda text: None)
    viewer = ViewerModel()
    hosts = hosts_for(viewer, fake_backend, tmp_path / "sidecar")
    hosts.slides.front.show(app_fakes.make_slide(tmp_path / "one.zarr"))
    settle(qtbot, hosts)
    yield viewer, hosts
    hosts.close()


def settle(qtbot, hosts, *sessions):
    """Until all jobs, or those of the given sessions, have ended and landed."""

    def ended():
        asked = sessions or hosts.slides.sessions
        jobs = [status for session in asked for status in session.state.jobs.values()]
        return all(session.jobs.wait(0) for session in asked) and not any(status.running for status in jobs)

    for _ in range(3):
        qtbot.waitUntil(ended, timeout=20000)
        qtbot.wait(30)


def open_second(qtbot, hosts, tmp_path, grid=3, origin_um=(500.0, 500.0)):
    second = hosts.slides._add(hosts.slides.front)
    hosts.slides.bring(second)
    second.show(app_fakes.make_slide(tmp_path / "two.zarr", grid=grid, origin_um=origin_um))
    settle(qtbot, hosts, second)
    return second


def visible(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def test_only_the_slide_in_front_is_seen_and_layers_are_named_with_their_slides(window, qtbot, tmp_path):
    viewer, hosts = window
    first = hosts.slides.front
    assert visible(viewer) == {"DAPI", "boundary", layers.COLOURS, layers.SELECTED}, "a slide alone needs no name"
    viewer.layers["boundary"].visible = False
    second = open_second(qtbot, hosts, tmp_path)
    assert visible(viewer) == {f"{name} · two" for name in ("DAPI", "boundary", layers.COLOURS, layers.SELECTED)}
    assert {"DAPI · one", "boundary · one", "cell colours · one"} <= {layer.name for layer in viewer.layers}
    hosts.slides.bring(first)
    settle(qtbot, hosts)
    assert visible(viewer) == {"DAPI · one", "cell colours · one", "selected cell · one"}, "as it was left"
    hosts.slides.close(second)
    assert {layer.name for layer in viewer.layers} == {
        "DAPI",
        "boundary",
        layers.CELLS,
        layers.COLOURS,
        layers.SELECTED,
    }


def test_each_slide_keeps_its_camera(window, qtbot, tmp_path):
    viewer, hosts = window
    first, camera = hosts.slides.front, viewer.scene.camera
    camera.center, camera.zoom = (0.0, 7.0, 8.0), 33.0
    second = open_second(qtbot, hosts, tmp_path)
    y0, x0, y1, x1 = second.slide.image.extent_um
    assert camera.center[-2:] == ((y0 + y1) / 2, (x0 + x1) / 2), "a new slide is shown whole"
    camera.center, camera.zoom = (0.0, 510.0, 511.0), 44.0
    hosts.slides.bring(first)
    assert camera.center[-2:] == (7.0, 8.0) and camera.zoom == 33.0
    qtbot.waitUntil(lambda: first.state.view_um is not None and first.state.view_um[0] < 7.0, timeout=5000)
    hosts.slides.bring(second)
    assert camera.center[-2:] == (510.0, 511.0) and camera.zoom == 44.0
    hosts.front.camera._tell()
    assert second.state.view_um[0] > 400 and first.state.view_um[0] < 400


def key(viewer, name):
    """What napari does with a key that is bound to the viewer."""
    viewer.keymap[coerce_keybinding(name)](viewer)


def test_clicks_keys_and_the_mouse_go_to_the_slide_in_front(window, qtbot, tmp_path):
    viewer, hosts = window
    first = hosts.slides.front
    second = open_second(qtbot, hosts, tmp_path, origin_um=(0.0, 0.0))
    key(viewer, "L")
    assert second.state.tool == "lasso" and first.state.tool == ""
    key(viewer, "Escape")
    for host in hosts.hosts.values():
        host.pointer.move(4.0, 4.0)
    settle(qtbot, hosts)
    qtbot.waitUntil(lambda: second.state.hovered is not None, timeout=5000)
    assert first.state.hovered is None
    hosts.slides.bring(first)
    assert second.state.hovered is None
    key(viewer, "B")
    assert first.state.tool == "box" and second.state.tool == ""


def test_a_result_of_the_slide_behind_does_not_show_it(window, qtbot, tmp_path, fake_backend):
    viewer, hosts = window
    first = hosts.slides.front
    first.load_checkpoint("fake")
    settle(qtbot, hosts)
    fake_backend.predict_gate.clear()
    first.predict()
    second = open_second(qtbot, hosts, tmp_path)
    before, active = visible(viewer), viewer.layers.selection.active
    fake_backend.predict_gate.set()
    settle(qtbot, hosts)
    assert first.state.prediction is not None and first.state.colour == "type" and second.state.prediction is None
    assert visible(viewer) == before and viewer.layers.selection.active is active
    first.select_cell("cell-1")
    settle(qtbot, hosts)
    assert visible(viewer) == before
    hosts.slides.bring(first)
    settle(qtbot, hosts)
    assert {"cell colours · one", "selected cell · one"} <= visible(viewer)


def test_a_slide_that_opens_behind_is_complete_when_it_comes_to_the_front(window, qtbot, tmp_path):
    viewer, hosts = window
    first = hosts.slides.front
    second = hosts.slides._add(first)
    hosts.slides.bring(second)
    second.show(app_fakes.make_slide(tmp_path / "two.zarr", grid=3))
    hosts.slides.bring(first)
    camera = viewer.scene.camera.center, viewer.scene.camera.zoom
    settle(qtbot, hosts)
    assert visible(viewer) == {"DAPI · one", "boundary · one", "cell colours · one", "selected cell · one"}
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == camera and viewer.title.startswith("small")
    hosts.slides.bring(second)
    settle(qtbot, hosts)
    assert visible(viewer) == {"DAPI · two", "boundary · two", "cell colours · two", "selected cell · two"}


def test_closing_takes_the_slides_layers_and_leaves_a_persons_own(window, qtbot, tmp_path):
    viewer, hosts = window
    first = hosts.slides.front
    second = open_second(qtbot, hosts, tmp_path)
    mine = viewer.add_points(np.zeros((1, 2)), name="mine")
    second.select_cell("cell-1")
    settle(qtbot, hosts)
    hosts.slides.bring(first)
    settle(qtbot, hosts)
    assert not mine.visible, "drawn on the other slide"
    hosts.slides.close(second)
    assert mine in viewer.layers and len(viewer.layers) == 6 and len(hosts.hosts) == 1
    callbacks = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    gone = weakref.ref(second)
    del second

    def freed():
        gc.collect()
        return gone() is None

    qtbot.waitUntil(freed, timeout=10000)  # its threads end meanwhile
    third = open_second(qtbot, hosts, tmp_path)
    hosts.slides.close(third)
    assert (len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)) == callbacks


def test_closing_while_a_job_runs_is_safe(window, qtbot, tmp_path, fake_backend):
    viewer, hosts = window
    first = hosts.slides.front
    second = open_second(qtbot, hosts, tmp_path)
    second.load_checkpoint("fake")
    settle(qtbot, hosts)
    fake_backend.predict_gate.clear()
    second.predict()
    qtbot.waitUntil(lambda: "predict" in second.state.jobs, timeout=5000)
    hosts.slides.close(second)
    fake_backend.predict_gate.set()
    qtbot.wait(200)
    settle(qtbot, hosts)
    assert second.state.prediction is None and hosts.slides.front is first
    assert visible(viewer) == {"DAPI", "boundary", layers.COLOURS, layers.SELECTED}


def pages(qtbot, made):
    qtbot.addWidget(made)
    made.resize(420, 700)
    made.show()
    return made


def test_a_dock_shows_the_page_of_the_slide_in_front(window, qtbot, tmp_path):
    _, hosts = window
    first = hosts.slides.front
    dock = pages(qtbot, SlidePages(hosts.slides, ExplorerDock))
    page = dock.page
    assert page.session is first and "16 cells" in page.slide_label.text()
    second = open_second(qtbot, hosts, tmp_path)
    assert dock.page is not page and dock.page.session is second and "9 cells" in dock.page.slide_label.text()
    assert dock.page.isVisible() and not page.isVisible()
    hosts.slides.bring(first)
    assert dock.page is page and page.isVisible(), "the same page, with what was typed in it"
    hosts.slides.close(second)
    assert set(dock._pages) == {first}


def press(dock, key):
    """What Qt does with a key: the one shortcut that listens acts; two that listen would cancel each other out."""
    found = [made for made in dock.window().findChildren(QShortcut) if made.key() == QKeySequence(key)]
    (listening,) = [made for made in found if made.isEnabled()]
    listening.activated.emit()


def test_keys_act_on_the_slide_in_front_only(window, qtbot, tmp_path):
    _, hosts = window
    first = hosts.slides.front
    explorer = pages(qtbot, SlidePages(hosts.slides, ExplorerDock))
    annotate = pages(qtbot, SlidePages(hosts.slides, AnnotateDock))
    second = open_second(qtbot, hosts, tmp_path)
    for session in (first, second):
        session.add_class("mast", (1, 2, 3))
    press(explorer, "H")
    assert not second.state.hover_shown and first.state.hover_shown
    press(annotate, "1")
    assert second.state.armed_class == "mast" and first.state.armed_class is None
    hosts.slides.bring(first)
    press(explorer, "H")
    assert not first.state.hover_shown and not second.state.hover_shown
    hosts.slides.close(second)
    press(explorer, "H")
    assert first.state.hover_shown


def test_the_list_appears_with_the_second_slide_switches_and_closes(window, qtbot, tmp_path, monkeypatch):
    _, hosts = window
    first = hosts.slides.front
    chooser = SlideChooser(hosts.slides)
    dock = pages(qtbot, SlidePages(hosts.slides, ExplorerDock, chooser))
    assert not chooser.isVisible()
    second = open_second(qtbot, hosts, tmp_path)
    assert (
        dock.isVisible() and chooser.isVisible() and [chooser.list.itemText(idx) for idx in range(2)] == ["one", "two"]
    )
    assert chooser.list.currentText() == "two"
    chooser.list.setFocus()
    qtbot.keyClick(chooser.list, Qt.Key.Key_Up)
    assert hosts.slides.front is first and chooser.list.currentText() == "one"
    first.load_checkpoint("fake")
    settle(qtbot, hosts)
    first.predict()
    settle(qtbot, hosts)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *words: answers.pop(0))
    qtbot.mouseClick(chooser.close_button, Qt.MouseButton.LeftButton)
    assert hosts.slides.sessions == (first, second), "its prediction is not saved"
    qtbot.mouseClick(chooser.close_button, Qt.MouseButton.LeftButton)
    assert hosts.slides.sessions == (second,) and not chooser.isVisible()


def test_opening_from_the_docks_adds_a_slide(window, qtbot, tmp_path, slide_with_transcripts):
    _, hosts = window
    page = ExplorerDock(hosts.slides.front, open_slide=hosts.slides.open)
    qtbot.addWidget(page, before_close_func=lambda page: page.release())
    place = shutil.copytree(slide_with_transcripts, tmp_path / "third.zarr")
    page.attempt(page._open_slide, place)
    settle(qtbot, hosts)
    assert len(hosts.slides.sessions) == 2 and hosts.slides.front.slide.path == place
    page.attempt(page._open_slide, tmp_path / "none.zarr")
    settle(qtbot, hosts)
    assert len(hosts.slides.sessions) == 2 and hosts.slides.front.state.slide is not None


def test_stains_that_come_before_the_cells_of_a_slide_behind_leave_the_view_alone(window, qtbot, tmp_path):
    viewer, hosts = window
    first, slide = hosts.slides.front, app_fakes.make_slide(tmp_path / "two.zarr", origin_um=(500.0, 500.0))
    second = hosts.slides._add(first)
    camera = viewer.scene.camera.center, viewer.scene.camera.zoom
    second.state.opening = SlidePicture.of(slide.image, slide.channels)
    settle(qtbot, hosts)
    early = [layer for layer in viewer.layers if layer not in hosts.hosts[first].view._layers]
    assert len(early) == 2 and not any(layer.visible for layer in early)
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == camera
    hosts.slides.bring(second)
    settle(qtbot, hosts)
    y0, x0, y1, x1 = slide.image.extent_um
    assert all(layer.visible for layer in early) and viewer.scene.camera.center[-2:] == ((y0 + y1) / 2, (x0 + x1) / 2)
    hosts.slides.close(second)
    assert not any(layer in viewer.layers for layer in early)


def test_marked_neighbours_and_polygons_go_with_their_slide(window, qtbot, tmp_path, monkeypatch):
    scene = Node()
    monkeypatch.setattr(polygon_view, "scene_of", lambda viewer: scene)
    viewer, hosts = window
    first = hosts.slides.front
    first.load_checkpoint("fake")
    settle(qtbot, hosts)
    first.select_cell("cell-5")
    settle(qtbot, hosts)
    first.use_tool(NEIGHBOURS)
    first.state.polygons = Polygons(np.zeros((3, 2), np.float32), np.zeros(3, np.intp))
    settle(qtbot, hosts)
    marks, line = viewer.layers[neighbour_view.LAYER], hosts.front.polygons.line
    assert marks.visible and line.visible
    second = open_second(qtbot, hosts, tmp_path)
    assert not marks.visible and not line.visible
    first.state.polygons = Polygons(np.ones((3, 2), np.float32), np.zeros(3, np.intp))
    assert not line.visible, "what lands for a slide behind stays unseen"
    hosts.slides.bring(first)
    settle(qtbot, hosts)
    assert marks.visible and line.visible and hosts.hosts[second].polygons.line is None
    hosts.slides.close(first)
    assert marks not in viewer.layers and line.parent is None


def test_every_dock_of_the_manifest_has_a_page_for_each_slide(window, qtbot, tmp_path):
    viewer, hosts = window
    first = hosts.slides.front
    kinds = {Explorer: ExplorerDock, Cell: CellDock, Screens: ScreensDock, CellsMap: EmbeddingDock,
             Compare: CompareDock, Annotate: AnnotateDock, Transcripts: TranscriptsDock, Elements: ElementsDock,
             Export: ExportDock}  # fmt: skip
    assert len(kinds) == len(DOCKS)
    docks = [pages(qtbot, dock(viewer)) for dock in kinds]
    second = open_second(qtbot, hosts, tmp_path)
    for dock, kind in zip(docks, kinds.values(), strict=True):
        assert isinstance(dock.page, kind) and dock.page.session is second and dock._pages[first].session is first
    for dock in (docks[0], docks[3]):
        assert dock.page._rest is hosts.front.rests and dock._pages[first]._rest is hosts.hosts[first].rests
    title = docks[0]._pages[first].legend.title.text()
    first.colour_by("gene:GENE1")
    settle(qtbot, hosts)
    assert docks[0]._pages[first].legend.title.text() != title, "a page behind keeps up"
    first.colour_by("gene:GENE2")
    hosts.slides.close(first)
    settle(qtbot, hosts)
    assert all(set(dock._pages) == {second} for dock in docks)
