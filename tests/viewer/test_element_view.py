import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatia.session.session import Session
from napari_spatia.viewer import layers
from napari_spatia.viewer.element_view import ElementView
from napari_spatia.viewer.slide_view import SlideView

STAINS = ("DAPI", "boundary", "rna_18S", "aSMA_vimentin")


@pytest.fixture
def shown(fake_backend, tmp_path, slide_with_elements, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    viewer, session = ViewerModel(), Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    elements = ElementView(viewer, session, view)
    session.open(slide_with_elements, image="morphology", table="table")
    yield viewer, session
    elements.close()
    view.close()


def test_elements_lie_where_they_are_registered_and_under_the_cells(shown):
    viewer, session = shown
    active = viewer.layers.selection.active
    for path in ("images/he", "labels/nuclei", "shapes/regions", "points/seeds"):
        session.show_element(path)
    np.testing.assert_allclose(viewer.layers["images/he"].extent.world, [[21, 11], [59, 69]])
    assert viewer.layers["labels/nuclei"].get_value((7.0, 10.0), world=True) == 1
    regions = viewer.layers["shapes/regions"]
    places = (10.0, 10.0), (30.0, 40.0), (17.0, 25.0)
    assert [regions.get_value(place, world=True) for place in places] == [1, 2, 0]
    np.testing.assert_allclose(np.sort(viewer.layers["points/seeds"].data[:, 0]), [3, 5])
    names = [layer.name for layer in viewer.layers]
    assert max(names.index(name) for name in ("images/he", "labels/nuclei", "shapes/regions")) < names.index(
        layers.COLOURS
    )
    assert viewer.layers.selection.active is active


def test_a_tick_hides_and_shows_without_reading_again(shown):
    viewer, session = shown
    session.show_element("images/he")
    layer = viewer.layers["images/he"]
    session.hide_element("images/he")
    assert layer in viewer.layers and not layer.visible
    session.show_element("images/he")
    assert viewer.layers["images/he"] is layer and layer.visible


def test_the_slides_own_image_and_cells_are_switched_too(shown):
    viewer, session = shown
    viewer.layers["boundary"].visible = False
    session.hide_element("images/morphology")
    assert not any(viewer.layers[name].visible for name in STAINS)
    session.show_element("images/morphology")
    assert [viewer.layers[name].visible for name in STAINS] == [True, False, True, True]
    session.show_element("labels/cell_labels")
    assert viewer.layers[layers.CELLS].visible


def test_the_eye_in_naparis_list_moves_the_tick(shown):
    viewer, session = shown
    session.show_element("labels/nuclei")
    viewer.layers["labels/nuclei"].visible = False
    assert "labels/nuclei" not in session.state.shown_elements
    viewer.layers["labels/nuclei"].visible = True
    viewer.layers[layers.CELLS].visible = True
    assert {"labels/nuclei", "labels/cell_labels"} <= session.state.shown_elements
    for name in STAINS:
        assert "images/morphology" in session.state.shown_elements
        viewer.layers[name].visible = False
    assert "images/morphology" not in session.state.shown_elements
    viewer.layers["DAPI"].visible = True
    assert "images/morphology" in session.state.shown_elements


def test_a_layer_that_a_person_removed_is_forgotten_and_can_come_back(shown):
    viewer, session = shown
    session.show_element("points/seeds")
    viewer.layers.remove("points/seeds")
    assert "points/seeds" not in session.state.element_pictures | dict.fromkeys(session.state.shown_elements)
    session.show_element("points/seeds")
    assert "points/seeds" in viewer.layers


def test_another_table_keeps_the_camera_and_takes_the_elements_away(shown, small_slide):
    viewer, session = shown
    session.show_element("labels/nuclei")
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 30.0, 40.0), 7.5
    session.use_element("tables/again")
    assert "labels/nuclei" not in viewer.layers and layers.COLOURS in viewer.layers
    assert viewer.scene.camera.center[-2:] == (30.0, 40.0) and viewer.scene.camera.zoom == 7.5
    session.show(small_slide)
    assert viewer.scene.camera.zoom != 7.5
