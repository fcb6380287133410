"""Image layers in fewer operations, outlines with the shaders that there are: the same on the screen. Needs OpenGL."""

import napari
import numpy as np
import pytest
from vispy.gloo import glir

from napari_spatia.viewer import plain_shader
from napari_spatia.viewer.plain_shader import keep_shaders, plain_transform, shade_plainly

pytestmark = pytest.mark.gl

LEVEL = 1
"""Levels of 255 by which the colours may differ."""
SIZE = 64


def pictures():
    random = np.random.default_rng(0)
    return {
        "stain": random.integers(0, 60_000, (SIZE, SIZE), dtype=np.uint16),
        "overlay": random.integers(0, 255, (SIZE, SIZE, 4), dtype=np.uint8),
    }


@pytest.fixture
def viewer(qtbot):
    viewer = napari.Viewer()
    viewer.window.resize(900, 700)
    yield viewer
    viewer.close()


def node_of(viewer, layer):
    return viewer.window._qt_viewer.canvas.layer_to_visual[layer].node


def drawn(viewer):
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


LOOKS = {
    "as it is": {},
    "contrast": {"contrast_limits": (9_000, 20_000)},
    "another colour": {"colormap": "#ff8000"},
    "a map of many colours": {"colormap": "viridis"},
    "white first": {"colormap": "gray_r"},
    "gamma": {"gamma": 0.5},
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_stain_has_the_colours_that_vispy_gives_it(viewer, look):
    layer = viewer.add_image(pictures()["stain"], colormap="#0000ff", contrast_limits=(1_000, 50_000))
    viewer.reset_view()
    changes = [{}, LOOKS[look], {"colormap": "#0000ff", "contrast_limits": (1_000, 50_000), "gamma": 1.0}]

    def all_drawn():
        found = []
        for change in changes:
            for name, value in change.items():
                setattr(layer, name, value)
            found.append(drawn(viewer))
        return found

    wanted = all_drawn()
    assert len(np.unique(wanted[0])) > 100, "the stain is on the screen"
    shade_plainly(viewer, layer)
    for found, usual in zip(all_drawn(), wanted, strict=True):
        assert np.abs(found - usual).max() <= LEVEL
    assert plain_transform(node_of(viewer, layer)) is not None


def test_an_overlay_has_the_colours_of_its_pixels(viewer):
    layer = viewer.add_image(pictures()["overlay"], rgb=True, opacity=0.6, blending="translucent")
    viewer.reset_view()
    usual = drawn(viewer)
    shade_plainly(viewer, layer)
    assert np.abs(drawn(viewer) - usual).max() <= LEVEL
    layer.gamma = 0.5
    assert np.abs(drawn(viewer) - usual).max() > LEVEL
    assert plain_transform(node_of(viewer, layer)) is None


@pytest.mark.parametrize("look", ["a map of many colours", "white first", "gamma"])
def test_what_is_not_plain_is_left_to_vispy(viewer, look):
    options = {"colormap": "#0000ff", "contrast_limits": (1_000, 50_000)} | LOOKS[look]
    layer = viewer.add_image(pictures()["stain"], **options)
    assert plain_transform(node_of(viewer, layer)) is None


def test_pixels_that_may_be_nan_are_left_to_vispy(viewer):
    layer = viewer.add_image(pictures()["stain"].astype(np.float32), colormap="#0000ff")
    assert plain_transform(node_of(viewer, layer)) is None


def test_outlines_are_drawn_one_after_the_other_with_the_same_shaders(viewer, monkeypatch):
    viewer.add_image(pictures()["stain"], colormap="#0000ff", contrast_limits=(0, 60_000))
    layer = viewer.add_shapes(ndim=2)
    rings = [np.array([[y, y], [y, y + 20], [y + 20, y + 20], [y + 20, y], [y, y]], float) for y in (5, 20, 35)]
    linked = []
    link = glir.GlirProgram.link_program
    monkeypatch.setattr(glir.GlirProgram, "link_program", lambda program, *a: linked.append(1) or link(program, *a))

    def all_drawn():
        found = []
        for ring in rings:
            with layer.events.blocker_all():
                layer.data = []
            layer.add_paths(ring, edge_color="white", edge_width=1.0)
            found.append(drawn(viewer))
        layer.data = []
        return [*found, drawn(viewer)]

    wanted = all_drawn()
    assert all((one != other).any() for one, other in zip(wanted, wanted[1:], strict=False))
    again = len(linked)
    keep_shaders(viewer, layer)
    assert all((found == usual).all() for found, usual in zip(all_drawn(), wanted, strict=True))
    linked.clear()
    all_drawn()
    assert again > 0 and not linked


def test_the_layers_of_a_slide_are_drawn_plainly(viewer, small_slide, fake_backend, tmp_path, monkeypatch):
    from napari_spatia.session.session import Session
    from napari_spatia.viewer.slide_view import SlideView

    asked = []
    plain = plain_shader.plain_transform
    monkeypatch.setattr(plain_shader, "plain_transform", lambda node: asked.append(plain(node)) or asked[-1])
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    SlideView(viewer, session)
    session.show(small_slide)
    drawn(viewer)
    assert len(asked) == len(small_slide.channels) + 1, "the stains and the colours of the cells"
    assert all(chain is not None for chain in asked)
