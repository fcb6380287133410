import threading

import numpy as np
import pytest

from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.store import write_obsm
from napari_spatia.errors import SpatiaError
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.scatter import Ink, Window, draw, nearest
from napari_spatia.session.session import Session


@pytest.fixture
def ready(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    session.load_checkpoint("fake")
    return session


def test_without_an_embedding_nothing_is_shown_and_it_is_said_why(ready):
    assert ready.state.plot is None and ready.plot_choices() == {} and ready.map_scales() == ()
    with pytest.raises(SpatiaError, match="no embedding 'pca:cell'.*none yet.*Predict first"):
        ready.show_plot("pca:cell")
    with pytest.raises(SpatiaError, match="no embedding of 'cell' to map"):
        ready.compute_map()


def test_a_prediction_is_shown_by_its_first_components(ready):
    ready.predict()
    assert ready.state.plot.key == "pca:cell" and ready.map_scales() == ("cell",)
    embedding = ready.state.prediction.embedding["cell"]
    centred = embedding - embedding.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2]
    assert np.allclose(np.linalg.norm(ready.state.plot.points, axis=0), spread, rtol=1e-4)


def test_a_computed_map_is_shown_and_goes_with_its_prediction(ready):
    ready.predict()
    ready.compute_map("cell", seed=1)
    assert ready.state.plot.key == "tsne:cell" and ready.state.plot.points.shape == (16, 2)
    assert np.isfinite(ready.state.plot.points).all()
    assert list(ready.plot_choices()) == ["tsne:cell", "pca:cell"]
    ready.predict(seed=5)
    assert ready.state.plot.key == "pca:cell" and list(ready.plot_choices()) == ["pca:cell"]


def test_a_map_in_the_background_can_be_stopped(ready):
    ready.predict()
    started = threading.Event()
    ready.state.events.jobs.connect(lambda jobs: started.set() if "map" in jobs else None)
    jobs = ready.jobs = ThreadJobs(lambda call: call())
    jobs.watcher = ready
    ready.compute_map()
    assert started.wait(10)
    jobs.cancel("map")
    assert jobs.wait(20)
    assert ready.state.plot.key == "pca:cell" and list(ready.plot_choices()) == ["pca:cell"]
    assert ready.state.jobs["map"].cancelled and ready.state.notice is None
    ready.close()


def test_arrays_of_the_table_are_listed_and_read_in_the_order_of_the_cells(tmp_path, fake_backend):
    simulate_slide(tmp_path / "a.zarr", num_cells=60, seed=3)
    slide = open_slide(tmp_path / "a.zarr")
    num = slide.num_cells
    pca, umap = np.random.default_rng(0).normal(size=(2, num, 5))
    write_obsm(slide.path, slide.table_name, {"X_pca": pca, "X_umap": umap[:, :2], "X_thin": umap[:, :1]})
    write_obsm(slide.path, slide.table_name, {"spatia_cell": pca})
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(slide.path)
    assert list(session.plot_choices()) == ["obsm:X_pca", "obsm:X_umap", "obsm:simulation_plan"]
    assert list(session.plot_choices().items())[:2] == [("obsm:X_pca", "X_pca 1, 2"), ("obsm:X_umap", "X_umap")]
    assert session.state.plot.key == "obsm:X_umap", "a map is shown before components"
    session.show_plot("obsm:X_pca")
    written = dict(zip(slide.cell_id, pca[:, :2], strict=True))
    expected = np.array([written[cell] for cell in session.slide.cell_id], np.float32)
    assert np.array_equal(session.state.plot.points, expected)


def test_a_window_goes_both_ways_and_keeps_the_point_under_the_wheel():
    points = np.array([(0, 0), (10, 0), (10, 5), (np.nan, 1)], np.float32)
    window = Window.around(points, (100, 200))
    column, row = window.to_px(points[:3])
    assert row[0] > row[2] and 0 < column[0] < column[1] < 200, "y is up"
    assert np.allclose(window.to_plot(np.c_[column, row]), points[:3], atol=1e-4)
    zoomed = window.zoomed(3.0, (30.0, 40.0))
    assert np.allclose(zoomed.to_plot([(30.0, 40.0)]), window.to_plot([(30.0, 40.0)]))
    moved = window.moved(12, -7)
    assert np.allclose(moved.to_plot([(42.0, 33.0)]), window.to_plot([(30.0, 40.0)]))


def test_a_scatter_has_each_cells_colour_at_its_place_and_the_chosen_on_top():
    points = np.array([(0, 0), (10, 10), (10, 10), (5, 5), (np.nan, 0)], np.float32)
    rgba = np.array([(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (9, 9, 9, 0), (9, 9, 9, 255)], np.uint8)
    window = Window.around(points, (60, 80))
    ink, (column, row) = Ink.of(rgba), (np.nan_to_num(axis).astype(int) for axis in window.to_px(points))
    picture = draw(points, ink, None, window)
    assert picture.shape == (60, 80, 4)
    assert picture[row[0], column[0]].tolist() == [255, 0, 0, 255]
    assert picture[row[1], column[1]].tolist() == [0, 128, 128, 255], "two cells share a pixel"
    assert picture[row[3], column[3], 3] == 0, "a hidden cell is not drawn"
    picture = draw(points, ink, np.array([2]), window)
    assert picture[row[2], column[2]].tolist() == [0, 0, 255, 255]
    assert picture[row[0], column[0], 3] == 63


def test_the_nearest_painted_cell_is_picked_within_reach():
    points = np.array([(0, 0), (1, 0), (100, 0)], np.float32)
    rgba = np.full((3, 4), 255, np.uint8)
    window = Window((50.0, 0.0), 1.0, (50, 200))
    column, row = window.to_px(points)
    at = (float(column[1]) + 1.0, float(row[1]))
    assert nearest(points, rgba, window, at, 6.0) == 1
    rgba[1, 3] = 0
    assert nearest(points, rgba, window, at, 6.0) == 0
    assert nearest(points, rgba, window, (at[0] + 40, at[1]), 6.0) is None
