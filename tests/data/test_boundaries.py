import geopandas as gpd
import numpy as np
import pytest
import shapely

from napari_spatia.data import boundaries
from napari_spatia.data.boundaries import open_boundaries
from napari_spatia.data.io import open_slide
from napari_spatia.data.outlines import cell_outlines


def add_nuclei(elements):
    """Discs of half the radius, of all cells but the last."""
    nuclei = elements["shapes"]["cell_boundaries"].iloc[:-1].copy()
    nuclei["geometry"] = nuclei.centroid.buffer(2)
    elements["shapes"]["nucleus_boundaries"] = nuclei


@pytest.fixture
def slide(build):
    return open_slide(build(change=add_nuclei))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "boundaries"


def rings(yx):
    """The rings between the NaN, as closed (x, y) polygons."""
    ends = np.flatnonzero(np.isnan(yx[:, 0]))
    return [shapely.Polygon(part[:-1, ::-1]) for part in np.split(yx, ends + 1)[:-1]]


def test_the_outline_of_each_cell_and_nucleus_is_that_of_the_store(slide):
    cells, nuclei = open_boundaries(slide)
    assert (cells.name, nuclei.name) == ("cell_boundaries", "nucleus_boundaries")
    expected = cell_outlines(slide)
    for row in range(slide.num_cells - 1):
        yx, of_cell = cells.read(np.array([row]))
        (ring,) = rings(yx)
        assert (of_cell == row).all()
        assert shapely.hausdorff_distance(ring, expected[row]) < 1e-3
        (inner,) = rings(nuclei.read(np.array([row]))[0])
        assert ring.contains(inner) and inner.centroid.distance(shapely.Point(slide.centers_um[row, ::-1])) < 1
    assert not len(nuclei.read(np.array([slide.num_cells - 1]))[0])


def test_some_cells_come_in_the_order_asked_for(slide):
    cells = open_boundaries(slide)[0]
    yx, of_cell = cells.read(np.array([5, 2]))
    apart = [cells.read(np.array([row]))[0] for row in (5, 2)]
    np.testing.assert_array_equal(yx, np.concatenate(apart))
    assert of_cell.tolist() == [5] * len(apart[0]) + [2] * len(apart[1])
    nothing, of_nothing = cells.read(np.zeros(0, np.intp))
    assert nothing.shape == (0, 2) and of_nothing.shape == (0,)


def test_they_are_read_once_and_anew_when_the_shapes_changed(slide, cache, monkeypatch):
    first = open_boundaries(slide)[0].read(np.array([3]))[0]
    assert len(list(cache.iterdir())) == 2
    read, keep = [], boundaries._read_element
    monkeypatch.setattr(boundaries, "_read_element", lambda *args: (read.append(args[1]), keep(*args))[1])
    open_boundaries(slide)
    assert read == []
    file = slide.path / "shapes" / "cell_boundaries" / "shapes.parquet"
    frame = gpd.read_parquet(file)
    frame.geometry = frame.geometry.scale(0.5, 0.5)
    frame.to_parquet(file)
    changed = open_boundaries(slide)[0].read(np.array([3]))[0]
    assert read == ["cell_boundaries"]
    assert rings(changed)[0].area == pytest.approx(rings(first)[0].area / 4, rel=1e-3)


def test_that_circles_are_no_polygons_is_known_the_second_time(build, monkeypatch):
    slide = open_slide(build(shapes="circles"))
    assert open_boundaries(slide) == ()
    monkeypatch.setattr(boundaries, "_read_element", lambda *args: pytest.fail("read again"))
    assert open_boundaries(slide) == ()


def test_holes_and_cells_without_a_polygon(build):
    def change(elements):
        frame = elements["shapes"]["cell_boundaries"]
        middle = frame.geometry.iloc[0].centroid
        frame.geometry = [frame.geometry.iloc[0].difference(middle.buffer(0.5)), *frame.geometry.iloc[1:]]
        elements["shapes"]["cell_boundaries"] = frame.iloc[:-1]

    slide = open_slide(build(change=change))
    (found,) = open_boundaries(slide)
    lengths = [len(rings(found.read(np.array([row]))[0])) for row in range(slide.num_cells)]
    assert lengths == [2, *[1] * (slide.num_cells - 2), 0]


def test_a_slide_without_shapes_has_none(build):
    assert open_boundaries(open_slide(build(shapes=None))) == ()


def moved(frame):
    frame.geometry = frame.translate(500, 500)


def renamed(frame):
    frame.index = frame.index + 10_000


@pytest.mark.parametrize("change", [moved, renamed])
def test_shapes_that_lie_elsewhere_or_name_other_things_are_not_taken(build, change):
    slide = open_slide(build(change=lambda elements: change(elements["shapes"]["cell_boundaries"])))
    assert open_boundaries(slide) == ()
