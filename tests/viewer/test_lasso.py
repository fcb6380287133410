import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from napari.utils.key_bindings import coerce_keybinding

from napari_spatia.session.colour import OTHERS_ALPHA
from napari_spatia.session.session import Session
from napari_spatia.viewer import lasso, layers
from napari_spatia.viewer.slide_view import SlideView

ROUND_TOP_ROW = [(0.5, 0.5), (0.5, 16.0), (0.5, 31.5), (7.5, 31.5), (7.5, 0.5)]


@pytest.fixture
def shown(small_slide, fake_backend, tmp_path):
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    session.show(small_slide)
    viewer.scene.camera.zoom = 20.0
    yield viewer, session
    view.close()


def event(kind, place, modifiers=()):
    made = read_only_mouse_event(kind, position=place, modifiers=modifiers, dims_displayed=[0, 1])
    made.__wrapped__.pos = np.array(place)[::-1] * 20
    made.__wrapped__.button = 1
    return made


def drag(viewer, places, modifiers=(), before_release=lambda: None):
    mouse_press_callbacks(viewer, event("mouse_press", places[0], modifiers))
    for place in places[1:]:
        mouse_move_callbacks(viewer, event("mouse_move", place, modifiers))
    before_release()
    mouse_release_callbacks(viewer, event("mouse_release", places[-1], modifiers))


def press(viewer, key):
    viewer.keymap[coerce_keybinding(key)](viewer)


def test_keys_switch_tools_and_the_view_stays_while_one_is_on(shown):
    viewer, session = shown
    for key, tool in (("L", "lasso"), ("B", "box")):
        press(viewer, key)
        assert session.state.tool == tool and not viewer.scene.camera.mouse_pan
    press(viewer, "Escape")
    assert session.state.tool == "" and viewer.scene.camera.mouse_pan


def test_a_key_without_a_slide_says_what_is_missing(fake_backend):
    viewer, session = ViewerModel(), Session(backend=fake_backend)
    view = SlideView(viewer, session)
    press(viewer, "L")
    assert "No slide is open" in session.state.notice.text
    view.close()
    assert coerce_keybinding("L") not in viewer.keymap


def test_a_lasso_chooses_and_leaves_neither_a_line_nor_a_selected_cell(shown):
    viewer, session = shown
    session.use_tool("lasso")
    names, drawn = [layer.name for layer in viewer.layers], []
    active = viewer.layers.selection.active
    drag(viewer, ROUND_TOP_ROW, before_release=lambda: drawn.append(viewer.layers[lasso.LAYER].data[0]))
    assert session.state.chosen.tolist() == [0, 1, 2, 3]
    assert len(drawn[0]) >= 3 and [layer.name for layer in viewer.layers] == names
    assert session.state.selected is None and viewer.layers.selection.active is active
    assert not viewer.scene.camera.mouse_pan, "the tool stays on for the next drag"


def test_shift_adds_and_alt_removes(shown):
    viewer, session = shown
    session.use_tool("box")
    drag(viewer, [(1.0, 1.0), (7.0, 15.0)])
    assert session.state.chosen.tolist() == [0, 1]
    drag(viewer, [(15.0, 15.0), (1.0, 1.0)], ("Shift",))
    assert session.state.chosen.tolist() == [0, 1, 4, 5]
    drag(viewer, [(1.0, 1.0), (15.0, 7.0)], ("Alt",))
    assert session.state.chosen.tolist() == [1, 5]


def test_a_click_and_a_drag_that_was_left_choose_nothing(shown):
    viewer, session = shown
    session.choose_rows([7])
    session.use_tool("lasso")
    drag(viewer, [(1.0, 1.0)])
    drag(viewer, ROUND_TOP_ROW, before_release=lambda: press(viewer, "Escape"))
    assert session.state.chosen.tolist() == [7]
    assert lasso.LAYER not in viewer.layers


def test_without_a_tool_a_drag_is_a_pan_and_a_click_selects(shown):
    viewer, session = shown
    drag(viewer, ROUND_TOP_ROW)
    assert session.state.chosen is None and session.state.selected is None
    drag(viewer, [(4.0, 4.0)])
    assert session.state.selected == "cell-0"


def test_cells_that_are_not_chosen_are_painted_fainter(shown):
    viewer, session = shown

    def alpha(y_um, x_um):
        layer = viewer.layers[layers.COLOURS]
        y, x = np.rint(layer.world_to_data((y_um, x_um))[:2]).astype(int)
        return int(np.asarray(layer.data[0][y : y + 1, x : x + 1])[0, 0, 3])

    session.choose_rows([0])
    assert (alpha(4.0, 4.0), alpha(4.0, 12.0)) == (255, int(255 * OTHERS_ALPHA))
    session.choose_none()
    assert alpha(4.0, 12.0) == 255
