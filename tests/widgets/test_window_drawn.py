"""What the real window draws: pixels of the canvas and of the docks, under a real mouse. Needs OpenGL."""

import napari
import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtGui import QImage

from napari_spatia.viewer import lasso, layers
from napari_spatia.viewer.view_picture import view_picture
from napari_spatia.widgets.driving import LEFT, Driver, mouse
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.host import host_for

pytestmark = pytest.mark.gl

ROUNDING = 3
"""Levels of 255 by which a drawn colour may differ from the colour asked for."""


@pytest.fixture
def window(small_slide, fake_backend, tmp_path, qtbot):
    """A window with the small slide, every cell in full colour, and the model without a network."""
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    session = host_for(viewer, fake_backend, tmp_path / "sidecar").session
    driver = Driver(viewer)
    session.show(small_slide)
    session.load_checkpoint("fake")
    driver.ready()
    session.state.opacity = 1.0
    colour(driver, "obs:cell_type")
    yield driver
    driver.close()


def colour(driver, key):
    driver.session.colour_by(key)
    driver.until(lambda: driver.session.state.lookup and driver.session.state.lookup.key == key, "colouring")
    driver.settle(0.1)


def canvas_pixels(driver):
    """`(H, W, 3)` of the canvas as OpenGL drew it."""
    return driver.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def drawn_at(driver, cell_idx):
    """Colour on the canvas at a cell's centre."""
    place = driver.place_of(*driver.session.slide.centers_um[cell_idx])
    return canvas_pixels(driver)[place.y(), place.x()]


def pixels_of(pixmap):
    """`(H, W, 4)` of a Qt picture."""
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    return np.frombuffer(image.bits().asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.width(), 4)


def picture_pixels(view):
    """A widget as it paints itself."""
    return pixels_of(view.grab())


def screen_pixels(view):
    """The part of the screen where a widget lies, whatever is in front there."""
    corner = view.mapToGlobal(QPoint(0, 0))
    return pixels_of(view.screen().grabWindow(0, corner.x(), corner.y(), view.width(), view.height()))


@pytest.mark.parametrize("first_um", [400.0, 12.0], ids=["from afar", "from near by"])
def test_the_outline_of_the_selected_cell_is_a_thin_line_on_the_canvas(window, first_um):
    session, cell_idx = window.session, 5
    session.colour_by(None)
    center = session.slide.centers_um[cell_idx]
    window.look_at(*center, first_um)
    session.select_cell(str(session.slide.cell_id[cell_idx]))
    window.until(lambda: layers.SELECTED in window.viewer.layers and window.viewer.layers[layers.SELECTED].nshapes, "")
    window.look_at(*center, 12.0)
    window.settle(0.5)
    row = (canvas_pixels(window)[window.place_of(*center).y()] == 255).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
    widths = np.diff(edges)[::2]
    assert len(widths) == 2 and widths.min() >= 1 and widths.max() <= 4, "left and right of the cell"


def test_napari_is_told_of_a_prediction_that_closing_would_lose(window, tmp_path):
    told = window.viewer.window._task_status_manager.get_status  # what its question before closing shows
    assert told() == []
    window.session.predict()
    window.until(lambda: window.session.state.prediction is not None, "predicting")
    (text,) = told()
    assert window.session.slide.name in text and "not saved" in text
    window.session.save_prediction(tmp_path / "copy.zarr")
    window.until(lambda: window.session.state.prediction_saved, "saving")
    assert told() == []
    window.session.predict()
    window.until(lambda: not window.session.state.prediction_saved, "predicting again")
    assert len(told()) == 1
    host_for(window.viewer).unsaved.close()
    assert told() == []


class Painted(QObject):
    """Counts how often widgets are painted, while it is entered."""

    def __init__(self, *widgets):
        super().__init__()
        self.times = dict.fromkeys(widgets, 0)

    def __enter__(self):
        for widget in self.times:
            widget.installEventFilter(self)
        return self

    def __exit__(self, *_):
        for widget in self.times:
            widget.removeEventFilter(self)

    def eventFilter(self, widget, event):
        self.times[widget] += event.type() == QEvent.Type.Paint
        return False


def test_each_cell_is_drawn_in_the_colour_of_its_type_and_of_its_gene(window):
    for key in ("obs:cell_type", "gene:GENE0"):
        colour(window, key)
        pixels, rgba = canvas_pixels(window), window.session.state.lookup.rgba
        for cell_idx, center in enumerate(window.session.slide.centers_um):
            place = window.place_of(*center)
            assert np.abs(pixels[place.y(), place.x()] - rgba[cell_idx, :3]).max() <= ROUNDING, (key, cell_idx)


def test_unchecking_a_category_uncovers_the_stains_under_its_cells(window):
    explorer = window.docks["Explorer"].findChild(ExplorerDock)
    rows = explorer.legend.categories
    acinar, other = 0, 1
    before = [drawn_at(window, cell_idx) for cell_idx in (acinar, other)]
    rows.findItems("acinar", Qt.MatchFlag.MatchExactly)[0].setCheckState(0, Qt.CheckState.Unchecked)
    window.until(lambda: window.session.state.lookup.rgba[acinar, 3] == 0, "hiding the category")
    window.settle(0.1)
    after = [drawn_at(window, cell_idx) for cell_idx in (acinar, other)]
    assert np.abs(after[0] - before[0]).max() > 30 and after[0].argmax() == 2, "DAPI is blue"
    assert np.abs(after[1] - before[1]).max() <= ROUNDING


def test_a_real_click_selects_the_cell_under_it_and_outlines_it(window):
    center = window.session.slide.centers_um[6]
    window.look_at(*center, 20.0)
    before = canvas_pixels(window)
    window.click_slide(*center)
    window.until(lambda: window.session.state.selected is not None, "selecting the clicked cell", limit_s=20.0)
    assert window.session.state.selected == "cell-6"
    window.until(lambda: len(window.viewer.layers[layers.SELECTED].data) > 0, "outlining the cell", limit_s=20.0)
    window.settle(0.3)
    changed = np.abs(canvas_pixels(window) - before).max(axis=-1) > 60
    assert changed.sum() > 100
    edge = window.place_of(center[0] - 3.0, center[1])  # the cell is 12 px of 0.5 µm wide
    assert changed[edge.y() - 12 : edge.y() + 13, edge.x()].any(), "the outline runs around the cell"
    middle = window.place_of(*center)
    assert not changed[middle.y(), middle.x()], "the outline leaves the cell's middle as it was"


@pytest.fixture
def edited(window):
    """The window with a cell whose genes can be edited."""
    window.session.select_cell("cell-5")
    window.until(lambda: window.session.state.counterfactual is not None, "inverting the cell")
    window.settle(0.1)
    return window


def test_dragging_a_slider_paints_another_picture_in_the_cell_dock(edited):
    window, pictures = edited, edited.cell_dock.pictures
    real, edited = picture_pixels(pictures.real), picture_pixels(pictures.edited)
    row = next(iter(window.cell_dock.sliders.rows.values()))
    assert len(window.drag_slider(row.slider, [3.0])) == 1
    assert (picture_pixels(pictures.edited) != edited).mean() > 0.3
    assert np.array_equal(picture_pixels(pictures.real), real), "the real cell stays as it is"


def test_a_new_picture_in_the_dock_leaves_the_rest_of_the_window_alone(edited):
    edited.session.show_patches(False)  # the one over the slide is a change of the canvas
    edited.settle(0.3)
    main, picture = edited.cell_dock.window(), edited.cell_dock.pictures.edited
    with Painted(main, edited.canvas, picture) as painted:
        for log2_fc in (1.0, -2.0):  # one after the other's picture: of two at once the first may be dropped
            edited.drag_slider(next(iter(edited.cell_dock.sliders.rows.values())).slider, [log2_fc])
        edited.picture_rests()
        edited.settle(0.1)
    assert 3 <= painted.times[picture] <= 4, "a preview each, and the last one refined; the first perhaps"
    assert painted.times[main] == painted.times[edited.canvas] == 0, "OpenGL would compose the whole window anew"


def test_the_tab_in_front_is_the_one_on_the_screen(edited):
    picture = edited.cell_dock.pictures.edited
    shown = picture_pixels(picture)
    for name, is_on_screen in (("Annotate", False), ("Cell", True), ("Cells map", False), ("Export", False)):
        edited.docks[name].raise_()
        edited.settle(0.3)
        assert np.array_equal(screen_pixels(picture), shown) == is_on_screen, name


def test_after_going_to_a_cell_the_keys_are_the_slides(window, qtbot):
    find, state = window.cell_dock.find, window.session.state
    window.canvas.window().activateWindow()
    window.canvas.setFocus()
    window.settle(0.2)
    qtbot.keyClick(window.canvas, Qt.Key.Key_G)
    qtbot.keyClicks(find, "cell-14")
    qtbot.keyClick(find, Qt.Key.Key_Return)
    window.settle(0.2)
    assert state.selected == "cell-14" and window.canvas.window().focusWidget() is window.canvas
    qtbot.keyClick(window.canvas, Qt.Key.Key_N)
    window.until(lambda: state.selected == "cell-15", "going to the next cell", limit_s=10.0)


def test_number_keys_give_no_class_while_another_tab_is_before_the_annotation(window, qtbot):
    session = window.session
    session.add_class("mast")
    window.canvas.window().activateWindow()
    window.canvas.setFocus()
    for name, armed in (("Annotate", "mast"), ("Cell", None)):
        window.docks[name].raise_()
        window.settle(0.3)
        qtbot.keyClick(window.canvas, Qt.Key.Key_1)
        assert session.state.armed_class == armed, name


def test_the_screen_shows_what_opengl_drew_with_nothing_painted_behind_it(window):
    def is_on_screen():
        return np.abs(canvas_pixels(window) - screen_pixels(window.canvas)[..., :3]).max() <= ROUNDING

    for theme, width in (("light", 1300), ("dark", 1400)):
        window.viewer.theme = theme
        window.canvas.window().resize(width, 900)
        window.settle(0.3)
        assert window.canvas.testAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent), "a style sheet takes it off"
        window.until(is_on_screen, f"showing the canvas in the {theme} theme", limit_s=20.0)


def test_a_picture_of_the_view_has_the_colours_of_the_canvas_and_a_scale_bar(window):
    scale_bar = window.viewer.canvas.overlays.scale_bar
    shown = view_picture(window.viewer)
    assert shown.dtype == np.uint8 and np.array_equal(shown, canvas_pixels(window))
    scale_bar.visible = False
    without = canvas_pixels(window)
    assert not np.array_equal(shown, without)
    assert np.array_equal(view_picture(window.viewer), shown), "a bar that was hidden is in the picture"
    assert not scale_bar.visible and np.array_equal(canvas_pixels(window), without)


def test_a_lasso_drawn_by_hand_chooses_cells_and_the_others_fade(window, qtbot):
    canvas, centers = window.canvas, window.session.slide.centers_um
    camera = window.viewer.scene.camera
    camera.zoom *= 0.9  # room around the cells
    qtbot.keyClick(canvas, Qt.Key.Key_L)
    assert window.session.state.tool == "lasso"
    view, before = camera.center, [drawn_at(window, cell_idx) for cell_idx in (0, 15)]
    corners = [(-1.0, -1.0), (-1.0, 15.0), (15.0, 15.0), (15.0, -1.0)]  # around the four cells of the upper left
    places = [window.place_of(*centers[0] + np.array(corner) - 4.0) for corner in corners]
    mouse(canvas, QEvent.Type.MouseMove, places[0], Qt.MouseButton.NoButton)
    mouse(canvas, QEvent.Type.MouseButtonPress, places[0], LEFT)
    window.settle(0.05)  # vispy takes no two moves within 10 ms
    for place in places[1:]:
        mouse(canvas, QEvent.Type.MouseMove, place, LEFT)
        window.settle(0.05)
    assert lasso.LAYER in window.viewer.layers
    mouse(canvas, QEvent.Type.MouseButtonRelease, places[-1], LEFT)
    window.settle(0.1)
    assert window.session.state.chosen.tolist() == [0, 1, 4, 5]
    assert lasso.LAYER not in window.viewer.layers and camera.center == view
    after = [drawn_at(window, cell_idx) for cell_idx in (0, 15)]
    assert np.abs(after[0] - before[0]).max() <= ROUNDING and np.abs(after[1] - before[1]).max() > 30
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert window.session.state.tool == "" and camera.mouse_pan
