import numpy as np
from napari.components import ViewerModel

from napari_spatia.session.colour import OTHERS_ALPHA
from napari_spatia.session.state import Polygons
from napari_spatia.viewer.polygon_view import PolygonView, line_parts

NAN = (np.nan, np.nan)
SQUARE = [(0, 0), (0, 2), (2, 2), (0, 0)]


def polygons():
    yx = np.array([*SQUARE, NAN, *SQUARE, NAN, *SQUARE, NAN], np.float32)
    return Polygons(yx, np.repeat([7, 2, 7], 5))


def test_rings_are_not_connected_to_each_other():
    parts = line_parts(polygons(), None, None)
    assert parts["connect"].tolist() == [True, True, True, False, False] * 3
    assert parts["pos"][:4].tolist() == [[x, y] for y, x in SQUARE] and np.isfinite(parts["pos"]).all()
    assert (parts["color"] == 1).all()


def test_each_ring_has_the_colour_of_its_cell():
    rgba = np.zeros((9, 4), np.uint8)
    rgba[7], rgba[2] = (255, 0, 0, 255), (0, 0, 255, 255)
    colour = line_parts(polygons(), rgba, None)["color"]
    assert colour[0].tolist() == [1, 0, 0, 1] == colour[12].tolist() and colour[6].tolist() == [0, 0, 1, 1]
    colour = line_parts(polygons(), rgba, np.array([2]))["color"]
    assert colour[6, 3] == 1 and colour[0, 3] == np.float32(int(255 * OTHERS_ALPHA) / 255)


def test_a_viewer_without_a_window_draws_nothing(small_slide, fake_backend, tmp_path):
    from napari_spatia.session.session import Session

    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = PolygonView(ViewerModel(), session)
    session.state.polygons = polygons()
    assert view.line is None
    view.close()
