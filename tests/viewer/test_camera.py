import pytest
from napari.components import ViewerModel

from napari_spatia.session.session import Session
from napari_spatia.viewer.camera import GOAL_WIDTH_UM, Camera
from napari_spatia.viewer.slide_view import SlideView


@pytest.fixture
def seen(small_slide, fake_backend, tmp_path):
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view, camera = SlideView(viewer, session), Camera(viewer, session)
    session.show(small_slide)
    yield viewer, session
    camera.close()
    view.close()


def test_the_camera_goes_to_the_cell_and_comes_near(seen):
    viewer, session = seen
    camera = viewer.scene.camera
    camera.zoom = 0.01
    session.go_to_cell("cell-6")
    assert camera.center[-2:] == pytest.approx((12.0, 20.0))
    assert min(viewer.canvas.size) / camera.zoom == pytest.approx(GOAL_WIDTH_UM)


def test_who_is_nearer_already_stays_so(seen):
    viewer, session = seen
    viewer.scene.camera.zoom = 50.0
    session.go_to_cell("cell-1")
    assert viewer.scene.camera.zoom == 50.0
    viewer.scene.camera.center = (0.0, 0.0, 0.0)
    session.go_to_cell("cell-1")
    assert viewer.scene.camera.center[-2:] == pytest.approx((4.0, 12.0))


def test_what_the_camera_shows_is_told_when_it_rests(seen):
    viewer, session = seen
    viewer.scene.camera.zoom = 40.0
    viewer.scene.camera.center = (0.0, 28.0, 16.0)
    height, width = (size / 40.0 for size in viewer.canvas.size)
    expected = (28.0 - height / 2, 16.0 - width / 2, 28.0 + height / 2, 16.0 + width / 2)
    assert session.state.view_um == pytest.approx(expected)
    assert session.state.view_genes == session.genes_of_view(expected) and session.state.view_genes
    viewer.canvas.size = (100, 50)
    assert session.state.view_um == pytest.approx((26.75, 15.375, 29.25, 16.625))
