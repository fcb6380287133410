"""The elements of a store beside those that a slide is made of: listed with their sizes, read in the slide's µm."""

import shutil

import dask.dataframe as dd
import numpy as np
import pytest

from napari_spatia.data import element_picture
from napari_spatia.data.element_list import AS_CELLS, AS_IMAGE, AS_TABLE, list_elements
from napari_spatia.data.element_picture import ElementPixels, ElementPoints, read_element
from napari_spatia.data.io import open_slide
from napari_spatia.errors import Cancelled, SlideError


@pytest.fixture
def slide(slide_with_elements, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    return open_slide(slide_with_elements, image="morphology", table="table")


def test_every_element_is_listed_with_its_size_and_its_use(slide):
    listed = {entry.path: entry for entry in list_elements(slide)}
    assert {path: entry.size for path, entry in listed.items() if "transcripts" not in path} == {
        "images/afar": "3 c × 30 × 20 px",
        "images/he": "3 c × 30 × 20 px",
        "images/morphology": f"4 c × {slide.image.shape_px[0]} × {slide.image.shape_px[1]} px",
        "labels/cell_labels": f"{slide.labels.shape_px[0]} × {slide.labels.shape_px[1]} px",
        "labels/nuclei": "80 × 100 px",
        "shapes/cell_boundaries": "120 shapes",
        "shapes/regions": "2 shapes",
        "points/seeds": "2 points",
        "tables/again": f"120 cells × {len(slide.panel)} genes",
        "tables/table": f"120 cells × {len(slide.panel)} genes",
    }
    num_transcripts = len(dd.read_parquet(slide.path / "points" / "transcripts" / "points.parquet"))
    assert listed["points/transcripts"].size == f"{num_transcripts:,} points"
    uses = {path: entry.use for path, entry in listed.items() if entry.use}
    assert uses == {"images/morphology": AS_IMAGE, "labels/cell_labels": AS_CELLS, "tables/table": AS_TABLE}
    assert "elsewhere" in listed["images/afar"].problem and not listed["images/he"].problem
    assert [listed[path].could_be for path in ("images/he", "shapes/regions", "tables/again", "points/seeds")] == [
        AS_IMAGE, AS_CELLS, AS_TABLE, ""
    ]  # fmt: skip


def test_a_damaged_element_is_listed_with_what_is_wrong(slide_with_elements, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    path = shutil.copytree(slide_with_elements, tmp_path / "damaged.zarr")
    slide = open_slide(path, image="morphology", table="table")
    (path / "shapes" / "regions" / "shapes.parquet").write_bytes(b"cut")
    entry = next(entry for entry in list_elements(slide) if entry.path == "shapes/regions")
    assert entry.size == "cannot be read" and "shapes/regions cannot be read" in entry.problem
    with pytest.raises(SlideError, match="truncated or damaged"):
        read_element(slide, "shapes", "regions")


def corners_um(picture, shape):
    """Where the outer corners of a raster lie."""
    corners = np.array([[0, 0, 1], [shape[0], shape[1], 1]], float)
    return (picture.to_um @ corners.T).T[:, :2]


def test_an_image_that_lies_turned_keeps_its_colours_and_its_place(slide):
    picture = read_element(slide, "images", "he")
    assert isinstance(picture, ElementPixels) and picture.is_rgb and picture.channels[0][0].shape == (30, 20, 3)
    np.testing.assert_allclose(corners_um(picture, (30, 20)), [[60, 10], [20, 70]])
    with pytest.raises(SlideError, match="'global', in which the slide is shown"):
        read_element(slide, "images", "afar")


def test_a_stained_image_has_a_pyramid_for_each_channel(slide, monkeypatch):
    picture = read_element(slide, "images", "morphology")
    assert picture.channel_names == slide.channels and not picture.note
    finest = np.asarray(slide.image.levels[0])
    assert all(np.array_equal(picture.channels[idx][0][:], finest[idx]) for idx in range(4))
    assert [len(levels) for levels in picture.channels] == [len(slide.image.levels)] * 4
    monkeypatch.setattr(element_picture, "MOST_CHANNELS", 2)
    fewer = read_element(slide, "images", "morphology")
    assert len(fewer.channels) == 2 == len(fewer.limits) and "4 channels; the first 2" in fewer.note


def test_labels_and_shapes_become_labels_in_um(slide):
    nuclei = read_element(slide, "labels", "nuclei")
    np.testing.assert_allclose(corners_um(nuclei, (80, 100)), [[0, 0], [40, 50]])
    regions = read_element(slide, "shapes", "regions")
    drawn = np.asarray(regions.channels[0][0])
    for (y_um, x_um), value in {(10, 10): 1, (30, 40): 2, (17, 25): 0}.items():
        row, col = (np.linalg.inv(regions.to_um) @ [y_um, x_um, 1])[:2].astype(int)
        assert drawn[row, col] == value


def test_few_points_are_points_and_many_are_the_density_of_all(slide, monkeypatch):
    seeds = read_element(slide, "points", "seeds")
    assert isinstance(seeds, ElementPoints)
    np.testing.assert_allclose(seeds.yx[np.argsort(seeds.yx[:, 0])], [[3, 2], [5, 10]])
    points = read_element(slide, "points", "transcripts")
    monkeypatch.setattr(element_picture, "MOST_POINTS", 10)
    density = read_element(slide, "points", "transcripts")
    (pixels,) = density.channels[0]
    y0, x0, y1, x1 = slide.image.extent_um
    inside = ((points.yx >= (y0, x0)) & (points.yx < (y1, x1))).all(axis=1)
    assert pixels.sum() == inside.sum() > 1000 and "density" in density.note
    row, col = np.unravel_index(pixels.argmax(), pixels.shape)
    low, high = ((density.to_um @ [row + step, col + step, 1])[:2] for step in (0, 1))
    assert ((points.yx >= low - 1e-3) & (points.yx <= high + 1e-3)).all(axis=1).sum() >= pixels.max()


def test_reading_can_be_stopped_and_tables_have_no_picture(slide):
    def stop(fraction, doing):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_element(slide, "points", "transcripts", stop)
    with pytest.raises(SlideError, match="Colour the cells by its columns"):
        read_element(slide, "tables", "table")
    with pytest.raises(SlideError, match="no shapes/none"):
        read_element(slide, "shapes", "none")
