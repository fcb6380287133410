import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks
from napari.utils.key_bindings import coerce_keybinding

from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.session.session import Session
from napari_spatia.viewer.neighbour_view import LAYER, MARKED, PLAIN, NeighbourView
from napari_spatia.viewer.slide_view import SlideView


@pytest.fixture
def shown(small_slide, fake_backend, tmp_path):
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    views = SlideView(viewer, session), NeighbourView(viewer, session)
    session.show(small_slide)
    session.load_checkpoint("fake")
    session.select_cell("cell-5")
    yield viewer, session
    for view in views:
        view.close()


def click(viewer, place):
    for kind, tell in (("mouse_press", mouse_press_callbacks), ("mouse_release", mouse_release_callbacks)):
        made = read_only_mouse_event(kind, position=tuple(place), modifiers=(), dims_displayed=[0, 1])
        made.__wrapped__.pos, made.__wrapped__.button = np.array(place)[::-1], 1
        tell(viewer, made)


def test_neighbours_are_outlined_while_they_are_marked_by_clicks(shown):
    viewer, session = shown
    active = viewer.layers.selection.active
    session.use_tool(NEIGHBOURS)
    layer = viewer.layers[LAYER]
    centers = session.slide.centers_um
    assert viewer.layers.selection.active is active and viewer.scene.camera.mouse_pan
    for outline, row in zip(layer.data, (6, 7), strict=True):
        assert np.abs(outline - centers[row]).max() <= 3.1, "12 px of 0.5 µm"
    assert np.allclose(layer.edge_color, layer.edge_color[0])
    click(viewer, centers[7])
    assert session.state.marked == ("cell-7",) and session.state.selected == "cell-5"
    assert layer._data_view.shapes[1].edge_width > layer._data_view.shapes[0].edge_width
    assert not np.allclose(layer.edge_color[0], layer.edge_color[1]) and MARKED != PLAIN
    click(viewer, centers[7])
    assert session.state.marked == () and np.allclose(layer.edge_color[0], layer.edge_color[1])


def test_a_click_on_another_cell_is_answered(shown):
    viewer, session = shown
    session.use_tool(NEIGHBOURS)
    click(viewer, session.slide.centers_um[12])
    assert "cell-12 is not one of the 2 neighbours" in session.state.notice.text
    assert session.state.marked == () and session.state.selected == "cell-5"


def test_escape_takes_the_outlines_away_and_clicks_select_again(shown):
    viewer, session = shown
    session.use_tool(NEIGHBOURS)
    viewer.keymap[coerce_keybinding("Escape")](viewer)
    assert session.state.tool == "" and LAYER not in viewer.layers
    click(viewer, session.slide.centers_um[7])
    assert session.state.selected == "cell-7"


def test_a_removed_layer_of_outlines_is_no_error(shown):
    viewer, session = shown
    session.use_tool(NEIGHBOURS)
    viewer.layers.remove(LAYER)
    session.mark_neighbour("cell-6")
    session.remove_marked()
    assert LAYER not in viewer.layers


def test_the_pictures_of_cells_follow_the_layer_of_a_stain(shown):
    viewer, session = shown
    layer = viewer.layers["boundary"]
    layer.contrast_limits = (3.0, 30.0)
    layer.colormap = "red"
    assert session.state.limits[1].tolist() == [3.0, 30.0]
    assert session.state.stain_colours[1].tolist() == [1.0, 0.0, 0.0]
