import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from spatialdata import SpatialData
from spatialdata.models import PointsModel
from spatialdata.transformations import Scale

from napari_spatia.data import transcripts
from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.transcripts import open_index, points_elements
from napari_spatia.errors import Cancelled, PanelError

EVERYWHERE = (-1e6, -1e6, 1e6, 1e6)


@pytest.fixture
def simulated(slide_with_transcripts):
    return slide_with_transcripts


@pytest.fixture
def cache(transcript_cache):
    return transcript_cache


def test_each_count_is_a_transcript_inside_its_cell(simulated, cache):
    slide = open_slide(simulated)
    (element,) = points_elements(slide)
    assert (element.name, element.gene_column) == ("transcripts", "feature_name")
    index = open_index(element)
    labels = np.asarray(slide.labels.levels[0])
    for gene in ("EPCAM", "VIM"):
        column = slide.counts[:, slide.panel.index(gene)].toarray().ravel()
        places = index.read(gene, EVERYWHERE)
        y, x = np.floor(places / slide.labels.um_per_px).astype(int).T
        found = np.bincount(labels[y, x], minlength=slide.num_cells + 1)
        assert np.abs(found[slide.instance_id] - column).sum() <= 2, "float32 may round a place over a pixel's edge"
        assert found.sum() == column.sum()
    assert len(index.y) == slide.counts.sum()


def test_the_same_seed_gives_the_same_transcripts(simulated, tmp_path):
    again = simulate_slide(tmp_path / "again.zarr", num_cells=120, seed=4, transcripts=True)
    first, second = (pd.read_parquet(path / "points" / "transcripts" / "points.parquet") for path in (simulated, again))
    pd.testing.assert_frame_equal(first, second)


def test_a_window_holds_what_lies_in_it_whatever_the_tiles(simulated, cache, monkeypatch):
    monkeypatch.setattr(transcripts, "TILE_UM", 30.0)
    slide = open_slide(simulated)
    index = open_index(points_elements(slide)[0])
    assert index.grid[0] > 2 and index.grid[1] > 2
    frame = pd.read_parquet(simulated / "points" / "transcripts" / "points.parquet")
    for window in ((20.0, 10.0, 70.0, 45.0), (-50.0, -50.0, 31.0, 31.0), (60.0, 60.0, 500.0, 500.0)):
        y0, x0, y1, x1 = window
        for gene in ("EPCAM", "VIM"):
            own = frame[frame.feature_name == gene]
            own = own[own.y.between(y0, y1) & own.x.between(x0, x1)]
            expected = np.sort(own.y.to_numpy(np.float32))
            np.testing.assert_array_equal(np.sort(index.read(gene, window)[:, 0]), expected)
    with pytest.raises(PanelError, match="'NOBODY' has no transcript"):
        index.read("NOBODY", EVERYWHERE)


def test_the_index_is_made_once_and_anew_when_the_points_change(simulated, cache):
    (element,) = points_elements(open_slide(simulated))
    open_index(element)
    (made,) = cache.iterdir()
    before = made.stat().st_mtime_ns
    open_index(element)
    assert [made] == list(cache.iterdir()) and made.stat().st_mtime_ns == before
    files = [element.path, *element.path.rglob("*.parquet")]
    times = [file.stat().st_mtime_ns for file in files]
    for file in files:
        os.utime(file, ns=(1, 1))
    open_index(element)
    assert len(list(cache.iterdir())) == 2
    for file, time in zip(files, times, strict=True):
        os.utime(file, ns=(time, time))


def test_an_index_that_was_interrupted_leaves_nothing(simulated, cache):
    (element,) = points_elements(open_slide(simulated))

    def stop(fraction, doing):
        if doing == "sorting transcripts":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        open_index(element, stop)
    assert not list(cache.iterdir())
    assert len(open_index(element).y)


def test_parts_with_other_genes_and_another_unit(simulated, cache, tmp_path):
    """Two parquet parts, the second with a gene that the first has not, placed by a scale."""
    slide = open_slide(simulated)
    frame = pd.DataFrame({"x": np.arange(8.0), "y": 10.0 + np.arange(8.0), "gene": list("aabbbccd")})
    points = PointsModel.parse(frame, npartitions=2, transformations={"global": Scale([2.0, 2.0], axes=("x", "y"))})
    folder = tmp_path / "other.zarr"
    SpatialData(points={"spots": points, "plain": PointsModel.parse(frame[["x", "y"]])}).write(folder)
    (folder / "points" / "transcripts").mkdir()
    (folder / "images").symlink_to(simulated / "images")
    (element,) = points_elements(replace(slide, path=folder))
    assert (element.name, element.gene_column, element.placement.scale) == ("spots", "gene", 2.0)
    index = open_index(element)
    assert set(index.genes) == set("abcd")
    np.testing.assert_allclose(index.read("c", EVERYWHERE), [[30.0, 10.0], [32.0, 12.0]])
    assert len(index.read("b", (27.0, 0.0, 100.0, 100.0))) == 1


def test_points_of_a_real_slide(shared_data, cache):
    with pytest.warns(UserWarning, match="names no genes"):
        slide = open_slide(shared_data / "xenium_prime_tiny" / "slide.zarr", um_per_px=0.2125)
    (element,) = points_elements(slide)
    index = open_index(element)
    y0, x0, y1, x1 = slide.image.extent_um
    inside = (index.y >= y0) & (index.y <= y1) & (index.x >= x0) & (index.x <= x1)
    assert len(index.y) > 1000 and inside.mean() > 0.9


def test_a_slide_in_memory_has_no_transcripts(small_slide):
    assert points_elements(small_slide) == ()
