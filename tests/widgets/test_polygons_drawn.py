"""Polygons of cells in the real window. Needs OpenGL."""

import napari
import numpy as np
import pytest

from napari_spatia.widgets.driving import Driver
from napari_spatia.widgets.host import host_for

pytestmark = pytest.mark.gl


@pytest.fixture
def window(slide_with_transcripts, fake_backend, tmp_path, monkeypatch, qtbot):
    """A window with a simulated slide whose only colours are those of its cells."""
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    session = host_for(viewer, fake_backend, tmp_path / "sidecar").session
    driver = Driver(viewer)
    session.open(slide_with_transcripts)
    driver.until(lambda: session.state.lookup is not None and "cell colours" in viewer.layers, "opening")
    driver.settle()
    for layer in viewer.layers:
        layer.visible = False
    yield driver
    driver.close()


def pixels_of(driver):
    """`(H, W, 3)` of the canvas as OpenGL drew it."""
    return driver.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def test_each_ring_is_drawn_where_it_lies_in_the_colour_of_its_cell(window):
    session = window.session
    row = int(np.argmin(np.linalg.norm(session.slide.centers_um - session.slide.centers_um.mean(axis=0), axis=1)))
    center = session.slide.centers_um[row]
    window.look_at(*center, 40.0)
    before = pixels_of(window)
    session.show_polygons(True)
    window.until(lambda: session.state.polygons is not None, "reading the polygons")
    window.settle()
    pixels = pixels_of(window)
    polygons, colour = session.state.polygons, session.state.lookup.rgba[row, :3].astype(int)
    ring = polygons.yx[(polygons.cells == row) & np.isfinite(polygons.yx[:, 0])]
    assert len(ring) > 5
    near = []
    for y_um, x_um in ring:
        place = window.place_of(float(y_um), float(x_um))
        around = pixels[place.y() - 2 : place.y() + 3, place.x() - 2 : place.x() + 3].reshape(-1, 3)
        near.append(np.abs(around - colour).max(axis=1).min())
    assert np.median(near) <= 3, "the line runs through the corners of the ring"
    place = window.place_of(*center)
    assert (pixels == before)[place.y(), place.x()].all(), "the inside is left free"
    session.show_polygons(False)
    window.settle()
    assert (pixels_of(window) == before).all()
