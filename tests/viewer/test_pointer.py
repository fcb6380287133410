from types import SimpleNamespace

import pytest
from napari.components import ViewerModel

from napari_spatia.session.session import Session
from napari_spatia.viewer.pointer import REST_MS, Pointer
from napari_spatia.viewer.slide_view import SlideView


class Rest:
    """Keeps what waits until the test says that the mouse has rested."""

    def __init__(self):
        self.waiting = {}

    def __call__(self, name, ms, call):
        self.waiting[name] = (ms, call)

    def pass_by(self):
        waiting, self.waiting = self.waiting, {}
        for _, call in waiting.values():
            call()


@pytest.fixture
def pointed(small_slide, fake_backend, tmp_path):
    viewer, rest = ViewerModel(), Rest()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view, pointer = SlideView(viewer, session), Pointer(viewer, session, rest)
    session.show(small_slide)
    rest.pass_by()
    yield viewer, session, rest
    pointer.close()
    view.close()
    assert not viewer.mouse_move_callbacks and pointer._on_press not in viewer.mouse_drag_callbacks


def move(viewer, y_um, x_um, is_dragging=False):
    event = SimpleNamespace(position=(y_um, x_um), is_dragging=is_dragging)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, event)


def test_a_card_comes_when_the_mouse_rests_and_goes_with_the_cell(pointed):
    viewer, session, rest = pointed
    move(viewer, 4.0, 4.0)
    move(viewer, 4.0, 12.0)
    assert session.state.hovered is None and rest.waiting["pointer"][0] == REST_MS
    rest.pass_by()
    assert session.state.hovered.card.cell_id == "cell-1"
    shown = session.state.hovered
    move(viewer, 4.5, 12.5)
    assert session.state.hovered is shown and not rest.waiting, "still the same cell"
    move(viewer, 0.2, 0.2)
    assert session.state.hovered is None
    rest.pass_by()
    assert session.state.hovered is None


@pytest.mark.parametrize("leave", ["border", "camera", "press"])
def test_the_card_goes_when_the_mouse_does_something_else(pointed, leave):
    viewer, session, rest = pointed
    move(viewer, 4.0, 12.0)
    rest.pass_by()
    if leave == "border":
        viewer.mouse_over_canvas = True
        viewer.mouse_over_canvas = False
    elif leave == "camera":
        viewer.scene.camera.zoom *= 2
    else:
        for callback in viewer.mouse_drag_callbacks:
            next(callback(viewer, SimpleNamespace(button=2, modifiers=())), None)
    rest.pass_by()
    assert session.state.hovered is None


def test_no_card_while_dragging_nor_when_switched_off(pointed):
    viewer, session, rest = pointed
    move(viewer, 4.0, 12.0, is_dragging=True)
    assert not rest.waiting
    session.show_hover(False)
    move(viewer, 4.0, 12.0)
    assert not rest.waiting
