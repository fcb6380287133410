"""A large slide that its store has in one size only: coarser levels come in the background and are found again."""

import numpy as np
import pytest
import spatialdata
from napari.components import ViewerModel
from spatialdata.models import Image2DModel, Labels2DModel
from spatialdata.transformations import get_transformation

from napari_spatia.data import pyramid
from napari_spatia.session.opened import read_picture
from napari_spatia.session.session import Session
from napari_spatia.viewer import camera, layers
from napari_spatia.viewer.slide_view import SlideView


@pytest.fixture
def flat(slide_with_transcripts, tmp_path, monkeypatch):
    """The simulated slide with one level of image and labels, which counts as large."""
    monkeypatch.setattr(pyramid, "LARGE_PX", 256)
    monkeypatch.setattr(layers, "SMALL_PX", 128)
    monkeypatch.setattr(pyramid, "TILE_PX", 64)
    monkeypatch.setattr(pyramid.halve_until_small, "__defaults__", (*pyramid.halve_until_small.__defaults__[:-1], 64))
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    stored = spatialdata.read_zarr(slide_with_transcripts)
    image = next(iter(stored["morphology"]["scale0"].values()))
    labels = next(iter(stored["cell_labels"]["scale0"].values()))
    kept = {"global": get_transformation(stored["morphology"], "global")}
    flat = spatialdata.SpatialData.init_from_elements(
        {
            "morphology": Image2DModel.parse(
                image.data, dims=("c", "y", "x"), c_coords=list(image.c.values), transformations=kept
            ),
            "cell_labels": Labels2DModel.parse(
                labels.data, dims=("y", "x"), transformations={"global": get_transformation(stored["cell_labels"])}
            ),
            "table": stored["table"],
        }
    )
    place = tmp_path / "slides" / "flat.zarr"
    place.parent.mkdir()
    flat.write(place)
    return place


def test_the_levels_are_made_beside_the_slide_and_found_at_the_next_opening(flat, fake_backend):
    before = sorted(flat.rglob("*"))
    session = Session(backend=fake_backend)
    session.open(flat)
    assert len(session.slide.image.levels) == 1, "the model reads what is stored"
    shown = session.state.pixels
    assert len(shown.labels) > 2 and {len(levels) for levels in shown.stains} == {len(shown.labels)}
    fine = np.asarray(session.slide.image.levels[0][1]).astype(float)
    half = fine[: fine.shape[0] // 2 * 2, : fine.shape[1] // 2 * 2]
    half = half.reshape(half.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    assert np.abs(shown.stains[1][1][:] - half).max() <= 0.5 + 1e-3
    assert sorted(flat.rglob("*")) == before, "never in the store"
    assert len(list((flat.parent / ".flat.zarr.spatia" / "pyramids").iterdir())) == 2
    again = Session(backend=fake_backend)
    again.open(flat)
    assert len(again.opened.pixels.labels) == len(shown.labels) and again.state.pixels is again.opened.pixels
    assert "pyramid" not in again.state.jobs


def test_the_first_look_takes_the_levels_that_were_made(flat, fake_backend):
    bare = read_picture(flat, {}, None)
    assert {len(levels) for levels in bare.pixels.stains} == {1}
    session = Session(backend=fake_backend)
    session.open(flat)
    made = read_picture(flat, {}, None)
    assert len(made.pixels.stains[0]) == len(session.state.pixels.stains[0]) > 2
    assert np.array_equal(made.pixels.stains[1][1][:], session.state.pixels.stains[1][1][:])
    again = Session(backend=fake_backend)
    pictures = []
    again.state.events.opening.connect(lambda picture: pictures.append(picture) if picture is not None else None)
    again.open(flat)
    (picture,) = pictures
    assert again.opened.pixels.stains is picture.pixels.stains, "what is on screen is taken over as it is"
    assert np.array_equal(again.state.limits, picture.limits)


def test_the_first_look_at_a_large_image_of_one_size_is_at_its_middle_and_reads_little(flat, fake_backend, monkeypatch):
    monkeypatch.setattr(camera, "FIRST_PX", 100)
    viewer, session = ViewerModel(), Session(backend=fake_backend)
    view = SlideView(viewer, session)
    picture = read_picture(flat, {}, None)
    session.state.opening = picture
    y0, x0, y1, x1 = picture.image.extent_um
    assert viewer.scene.camera.center[-2:] == pytest.approx(((y0 + y1) / 2, (x0 + x1) / 2))
    height_um = viewer.canvas.size[0] / viewer.scene.camera.zoom
    assert height_um < (y1 - y0) / 2 and not np.asarray(viewer.layers["DAPI"].data[-1]).any()
    view.close()


def test_a_read_only_folder_takes_the_cache_and_says_so(flat, fake_backend, tmp_path):
    flat.parent.chmod(0o555)
    try:
        session = Session(backend=fake_backend)
        session.open(flat)
    finally:
        flat.parent.chmod(0o755)
    made = list((tmp_path / "cache" / "pyramids").iterdir())
    assert len(made) == 2 and not (flat.parent / ".flat.zarr.spatia").exists()
    assert "read-only" in session.state.notice.text and str(tmp_path / "cache") in session.state.notice.text


def test_layers_take_the_levels_and_camera_and_looks_stay(flat, fake_backend, monkeypatch):
    viewer, session = ViewerModel(), Session(backend=fake_backend)
    view = SlideView(viewer, session)
    make = session.make_pyramid
    monkeypatch.setattr(session, "make_pyramid", lambda: None)
    session.open(flat)
    empty = np.asarray(viewer.layers["DAPI"].data[1])
    assert len(viewer.layers["DAPI"].data) == 2 and not empty.any(), "a stand-in, so that napari does not read all"
    assert not np.asarray(viewer.layers[layers.COLOURS].data[1][:, :, 3]).any()
    y0, x0, y1, x1 = session.slide.image.extent_um
    assert viewer.scene.camera.center[-2:] == pytest.approx(((y0 + y1) / 2, (x0 + x1) / 2))
    dapi, painted = viewer.layers["DAPI"], viewer.layers[layers.COLOURS]
    names = [layer.name for layer in viewer.layers]
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 30.0, 40.0), 7.5
    dapi.contrast_limits, viewer.layers["boundary"].visible = (3.0, 9.0), False
    viewer.layers[layers.CELLS].visible = True
    fine = np.asarray(painted.data[0][0:64, 0:64])
    make()
    assert viewer.layers["DAPI"] is dapi and len(dapi.data) == len(painted.data) == len(session.state.pixels.labels) > 2
    assert viewer.scene.camera.center[-2:] == (30.0, 40.0) and viewer.scene.camera.zoom == 7.5
    assert dapi.contrast_limits == [3.0, 9.0] and not viewer.layers["boundary"].visible
    assert np.array_equal(np.asarray(painted.data[1][0:32, 0:32]), fine[::2, ::2])
    assert viewer.layers[layers.CELLS].visible and viewer.layers[layers.CELLS].multiscale
    assert [layer.name for layer in viewer.layers] == names
    view.close()


def test_a_pyramid_of_a_slide_that_was_left_is_not_shown(flat, fake_backend, small_slide):
    calls = []
    from napari_spatia.session.jobs import ThreadJobs

    jobs = ThreadJobs(calls.append)
    session = Session(jobs, fake_backend)
    session.open(flat)
    while "pyramid" not in session.state.jobs:
        assert jobs.wait(30)
        while calls:
            calls.pop(0)()
    session.show(small_slide)
    for _ in range(4):
        assert jobs.wait(30)
        while calls:
            calls.pop(0)()
    assert session.state.slide is small_slide and session.state.pixels is session.opened.pixels
    session.close()


def test_a_large_element_of_one_size_gets_its_levels_too(flat, fake_backend):
    stored = spatialdata.read_zarr(flat)
    stored["more"] = Labels2DModel.parse(np.eye(300, dtype=np.int32), dims=("y", "x"))
    stored.write_element("more")
    session = Session(backend=fake_backend)
    session.open(flat)
    session.show_element("labels/more")
    assert len(session.state.element_pictures["labels/more"].channels[0]) > 2
