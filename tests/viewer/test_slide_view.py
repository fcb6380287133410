import numpy as np
import pytest
from napari.components import ViewerModel

import app_fakes
from napari_spatia.errors import SlideError
from napari_spatia.session.jobs import JobStatus
from napari_spatia.session.opened import SlidePicture, derive
from napari_spatia.session.session import Session
from napari_spatia.viewer import layers
from napari_spatia.viewer.overlay import label_edges
from napari_spatia.viewer.slide_view import SlideView


@pytest.fixture
def shown(small_slide, fake_backend, tmp_path):
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    session.show(small_slide)
    yield viewer, session, view
    view.close()


def colour_at(viewer, y_um, x_um):
    """RGBA of the overlay at a point of the world."""
    layer = viewer.layers[layers.COLOURS]
    y, x = np.rint(layer.world_to_data((y_um, x_um))[:2]).astype(int)
    return np.asarray(layer.data[0][y : y + 1, x : x + 1])[0, 0].tolist()


def test_a_slide_becomes_stains_labels_and_overlay(shown):
    viewer, session, _ = shown
    own = ["DAPI", "boundary", layers.CELLS, layers.COLOURS, layers.SELECTED]
    assert [layer.name for layer in viewer.layers] == own
    dapi = viewer.layers["DAPI"]
    assert dapi.blending == "additive" and dapi.multiscale
    assert np.argmax(dapi.colormap.colors[-1][:3]) == 2, "DAPI is blue"
    assert not viewer.layers[layers.CELLS].visible
    assert viewer.canvas.overlays.scale_bar.visible


def test_every_layer_lies_where_the_slide_lies(fake_backend, tmp_path):
    slide = app_fakes.make_slide(tmp_path / "moved.zarr", origin_um=(100.0, 40.0))
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    session.show(slide)
    for layer in viewer.layers:
        assert {str(unit) for unit in layer.units} == {"micrometer"}
        if layer.name == layers.SELECTED:  # nothing is
            assert not layer.data
            continue
        low, high = layer.extent.world
        assert np.allclose(low, (100.25, 40.25)) and np.allclose(high, (131.75, 71.75)), layer.name
    assert view.click(*slide.centers_um[6]) == "cell-6"
    view.close()


def test_overlay_has_the_colour_of_the_legend_at_named_points(shown):
    viewer, session, _ = shown
    colours = {row.name: row.colour for row in session.state.lookup.legend}
    assert colour_at(viewer, 4.0, 4.0) == [*colours["acinar"], 255]
    assert colour_at(viewer, 4.0, 12.0) == [*colours["T_cell"], 255]
    assert colour_at(viewer, 0.3, 0.3)[3] == 0, "between cells nothing is painted"


def test_recolour_changes_pixels_and_keeps_the_layer(shown):
    viewer, session, _ = shown
    layer, before = viewer.layers[layers.COLOURS], colour_at(viewer, 4.0, 4.0)
    session.colour_by("gene:GENE0")
    assert viewer.layers[layers.COLOURS] is layer
    assert colour_at(viewer, 4.0, 4.0) != before
    session.colour_by(None)
    assert not layer.visible


def test_coarse_levels_show_the_same_colours(shown):
    viewer, _, _ = shown
    fine, coarse = viewer.layers[layers.COLOURS].data
    assert np.array_equal(np.asarray(fine[:, :])[::2, ::2], np.asarray(coarse[:, :]))
    assert np.array_equal(np.asarray(coarse[2:4, :, :3]), np.asarray(coarse)[2:4, :, :3])


def test_new_colours_reach_the_coarsest_level_too(shown):
    """napari keeps that level, which a whole slide is looked at in, as it was painted first."""
    viewer, session, _ = shown
    layer = viewer.layers[layers.COLOURS]
    layer.data_level = len(layer.data) - 1
    for key in ("gene:GENE1", "gene:GENE0", session.state.colour):
        session.colour_by(key)
        assert np.array_equal(layer._data_view, np.asarray(layer.data[-1])), key
        assert layer._data_view.any()


def test_click_selects_and_outlines(shown):
    viewer, session, view = shown
    assert view.click(4.0, 12.0) == "cell-1"
    assert session.state.selected == "cell-1"
    outline = viewer.layers[layers.SELECTED].data[0]
    assert np.allclose(outline.min(axis=0), (1.0, 9.0), atol=0.3)
    assert np.allclose(outline.max(axis=0), (7.0, 15.0), atol=0.3)
    assert view.click(0.2, 0.2) is None and session.state.selected == "cell-1"
    view.click(12.0, 12.0)
    assert len(viewer.layers[layers.SELECTED].data) == 1


def test_the_outline_is_as_wide_on_the_screen_from_near_by_as_from_afar(shown):
    viewer, session, view = shown
    camera = viewer.scene.camera

    def px() -> float:
        (width_um,) = viewer.layers[layers.SELECTED].edge_width
        return width_um * camera.zoom

    camera.zoom = 0.5
    view.click(4.0, 12.0)
    from_afar = px()
    camera.zoom = 20
    session.see((0.0, 0.0, 16.0, 16.0))
    assert px() == pytest.approx(from_afar)
    view.click(12.0, 12.0)
    assert px() == pytest.approx(from_afar)


def test_click_assigns_the_armed_class(shown):
    viewer, session, view = shown
    session.add_class("mast", (9, 8, 7))
    session.arm_class("mast")
    view.click(4.0, 12.0)
    assert dict(session.state.annotations.assigned) == {"cell-1": "mast"}
    assert colour_at(viewer, 4.0, 12.0) == [9, 8, 7, 255]


def test_opacity_goes_both_ways(shown):
    viewer, session, _ = shown
    session.state.opacity = 0.2
    assert viewer.layers[layers.COLOURS].opacity == pytest.approx(0.2)
    viewer.layers[layers.COLOURS].opacity = 0.9
    assert session.state.opacity == pytest.approx(0.9)


@pytest.mark.parametrize("with_labels", [False, True])
def test_pixels_are_shown_before_the_cells_are_read_and_stay_when_they_are(
    with_labels, small_slide, fake_backend, tmp_path
):
    viewer, session = ViewerModel(), Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    picture = SlidePicture.of(small_slide.image, small_slide.channels)
    picture = picture.with_labels(small_slide.labels) if with_labels else picture
    session.state.opacity = 0.7
    session.state.opening = picture
    early = list(viewer.layers)
    assert [layer.name for layer in early] == ["DAPI", "boundary", layers.COLOURS][: 3 if with_labels else 2]
    assert session.state.slide is None and view.colours is None
    if with_labels:
        assert not early[2].data[0][:, :].any(), "cells have no colour yet"
        session.state.opacity = 0.4
    assert np.array_equal(np.asarray(early[1].data[0]), np.asarray(small_slide.image.levels[0])[1])
    early[0].contrast_limits = (1, 2)
    session.jobs.submit(
        "open",
        lambda progress: derive(small_slide, fake_backend, tmp_path / "sidecar", progress, picture),
        session._take_slide,
    )
    assert session.state.opening is None and session.state.slide is not None
    own = ["DAPI", "boundary", layers.CELLS, layers.COLOURS, layers.SELECTED]
    assert [layer.name for layer in viewer.layers] == own
    assert viewer.layers["DAPI"] is early[0] and list(early[0].contrast_limits) == [1, 2], "a person's limits stay"
    overlay = viewer.layers[layers.COLOURS]
    assert (overlay in early) == with_labels and overlay is view.colours and overlay.opacity == session.state.opacity
    session.colour_by("obs:cell_type")
    assert np.asarray(overlay.data[0])[..., 3].any() and overlay.metadata[layers.SESSION] is session
    overlay.opacity = 0.2
    assert session.state.opacity == 0.2
    view.close()


def test_stains_go_again_when_the_cells_cannot_be_read(small_slide, fake_backend, tmp_path):
    viewer, session = ViewerModel(), Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    session.state.opening = SlidePicture.of(small_slide.image, small_slide.channels).with_labels(small_slide.labels)
    assert len(viewer.layers) == 3
    session.job_failed("open", SlideError("X of table 'table' is damaged"))
    assert len(viewer.layers) == 0 and session.state.opening is None and "damaged" in session.state.notice.text
    session.state.opening = SlidePicture.of(small_slide.image, small_slide.channels)
    session.job_changed(JobStatus("open", 1, running=False, cancelled=True))
    assert len(viewer.layers) == 0
    view.close()


def test_second_slide_replaces_the_first_and_leaves_other_layers(shown, tmp_path):
    viewer, session, _ = shown
    mine = viewer.add_points(np.zeros((1, 2)))
    session.select_cell("cell-1")
    session.show(app_fakes.make_slide(tmp_path / "other.zarr", grid=3))
    assert mine in viewer.layers
    assert sum(layer.name.startswith(layers.COLOURS) for layer in viewer.layers) == 1
    assert viewer.layers[layers.COLOURS].data[0].shape == (48, 48, 4)


def test_a_layer_that_a_person_removed_stays_away(shown):
    viewer, session, view = shown
    session.select_cell("cell-1")
    for name in (layers.COLOURS, layers.SELECTED, "DAPI"):
        viewer.layers.remove(name)
    session.colour_by("gene:GENE1")
    session.state.opacity = 0.3
    view.click(4.0, 4.0)
    assert layers.COLOURS not in viewer.layers


def test_two_viewers_show_two_sessions(shown, fake_backend, tmp_path):
    viewer, session, _ = shown
    other = ViewerModel()
    second = Session(backend=fake_backend, sidecar=tmp_path / "second")
    view = SlideView(other, second)
    second.show(app_fakes.make_slide(tmp_path / "second.zarr"))
    second.colour_by("gene:GENE0")
    assert colour_at(other, 4.0, 12.0) != colour_at(viewer, 4.0, 12.0)
    assert session.state.colour == "obs:cell_type"
    view.close()


def test_cell_without_a_label_is_marked_at_its_centre(shown, small_slide):
    _, session, _ = shown
    from dataclasses import replace

    moved = replace(small_slide, instance_id=small_slide.instance_id + 1000)
    outline = layers.cell_outline(moved, session.opened.pixels.labels[0], 5)
    assert np.allclose(outline.mean(axis=0), small_slide.centers_um[5])


def test_cells_that_do_not_pass_are_not_painted(shown):
    viewer, session, _ = shown
    session.filter_categories("obs:cell_type", ["acinar"])
    assert colour_at(viewer, 4.0, 4.0)[3] == 255 and colour_at(viewer, 4.0, 12.0)[3] == 0
    session.clear_filters()
    assert colour_at(viewer, 4.0, 12.0)[3] == 255


def square(viewer, level=0):
    """Alpha of the first cell and its surroundings: it lies from pixel 2 to 13 of the finest level."""
    return np.asarray(viewer.layers[layers.COLOURS].data[level][0:16, 0:16])[..., 3]


def test_cells_are_painted_as_outlines_or_with_a_faint_fill(shown):
    viewer, session, _ = shown
    drawn = []
    viewer.layers[layers.COLOURS].events.set_data.connect(drawn.append)
    session.set_cell_style("outline")
    assert drawn, "the layer is drawn anew"
    edge = np.zeros((16, 16), bool)
    edge[2:14, 2:14] = True
    edge[3:13, 3:13] = False
    assert np.array_equal(square(viewer) == 255, edge) and square(viewer)[8, 8] == 0
    session.set_cell_style("both")
    assert (square(viewer)[edge] == 255).all() and 0 < square(viewer)[8, 8] < 128 and square(viewer)[0, 0] == 0
    session.set_cell_style("fill")
    assert (square(viewer)[2:14, 2:14] == 255).all()


def test_an_outline_does_not_follow_the_border_of_the_screen(shown):
    viewer, session, _ = shown
    whole = square(viewer)
    session.set_cell_style("outline")
    fine = viewer.layers[layers.COLOURS].data[0]
    part = np.asarray(fine[6:10, 2:6])[..., 3]
    assert part.tolist() == [[255, 0, 0, 0]] * 4, "cut through the cell, whose left edge is at pixel 2"
    assert np.asarray(fine[8, 8])[3] == whole[8, 8], "the value under the mouse is that of the cell"
    assert np.array_equal(np.asarray(fine[0:16:2, 0:16:2])[..., 3], square(viewer)[::2, ::2])


def test_outlines_follow_new_colours_and_filters(shown):
    viewer, session, _ = shown
    session.set_cell_style("outline")
    session.filter_categories("obs:cell_type", ["T_cell"])
    assert not square(viewer).any()
    session.clear_filters()
    session.colour_by("gene:GENE0")
    assert (square(viewer) > 0).sum() == 44


def test_touching_cells_are_told_apart_by_their_edges():
    labels = np.array([[1, 1, 1, 2, 2, 2]] * 3)
    assert label_edges(labels).tolist() == [[False, False, True, True, False, False]] * 3
    assert not label_edges(np.full((3, 3), 7)).any() and label_edges(np.zeros((1, 1), int)).shape == (1, 1)
