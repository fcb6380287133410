"""The simulated slide: what is written, that it is written again the same, and that its parts agree."""

from pathlib import Path

import numpy as np
import pytest
import spatialdata
from skimage.draw import polygon2mask
from sklearn.linear_model import LogisticRegression

from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.simulate.catalogue import CELL_TYPES, CHANNELS, NICHE_NAMES, PANEL, TYPE_NAMES
from napari_spatia.data.simulate.rules import RULE_GENES
from napari_spatia.data.simulate.slide import simulate_cells
from napari_spatia.errors import Cancelled, SlideError

NUM_CELLS, UM_PER_PX = 240, 0.32


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slide(tmp_path_factory.mktemp("simulated") / "slide.zarr", num_cells=NUM_CELLS, seed=3)


@pytest.fixture(scope="module")
def store(path: Path) -> spatialdata.SpatialData:
    return spatialdata.read_zarr(path)


def pixels(element) -> np.ndarray:
    return element["scale0"].image.values


def test_the_store_has_the_elements_of_a_real_slide(store):
    assert list(store.images) == ["morphology"]
    assert list(store.labels) == ["cell_labels"]
    assert list(store.shapes) == ["cell_boundaries"]
    assert tuple(store.images["morphology"]["scale0"].image.coords["c"].values) == CHANNELS
    assert store.coordinate_systems == ["global"]
    assert store.tables["table"].shape == (NUM_CELLS, len(PANEL))
    assert len(PANEL) >= 200 and len(CELL_TYPES) >= 8


def test_it_opens_as_a_slide_without_any_option(path):
    slide = open_slide(path)
    assert slide.num_cells == NUM_CELLS
    assert slide.channels == CHANNELS
    assert slide.image.um_per_px == pytest.approx(UM_PER_PX)
    assert slide.panel.genes == PANEL.genes
    y0, x0, y1, x1 = slide.image.extent_um
    assert ((slide.centers_um >= (y0, x0)) & (slide.centers_um <= (y1, x1))).all()


def test_labels_table_and_polygons_agree(store):
    labels, table = pixels(store.labels["cell_labels"]), store.tables["table"]
    shapes = store.shapes["cell_boundaries"]
    number, count = np.unique(labels[labels > 0], return_counts=True)
    np.testing.assert_array_equal(number, table.obs["instance"])
    np.testing.assert_array_equal(shapes.index, table.obs["instance"])
    np.testing.assert_allclose(count * UM_PER_PX**2, table.obs["cell_area_um2"])
    assert (table.obs["nucleus_area_um2"] < table.obs["cell_area_um2"] + 3).all()
    assert shapes.geometry.is_valid.all()
    for row in range(0, NUM_CELLS, 20):
        x, y = np.asarray(shapes.geometry.iloc[row].exterior.coords).T
        filled = polygon2mask(labels.shape, np.stack([y, x], axis=1) - 0.5)
        assert np.count_nonzero(filled & (labels == row + 1)) >= 0.95 * count[row]


def test_a_cell_lies_where_the_table_says(store):
    labels, table = pixels(store.labels["cell_labels"]), store.tables["table"]
    column, row = np.floor(table.obsm["spatial"].T / UM_PER_PX).astype(int)
    assert np.mean(labels[row, column] == table.obs["instance"]) > 0.98


def test_counts_are_sparse_integers_and_rule_genes_are_well_expressed(store):
    counts = store.tables["table"].X.toarray()
    assert (counts == np.rint(counts)).all() and counts.min() == 0
    assert 15 <= np.median((counts > 0).sum(axis=1)) <= 60
    mean = counts[:, PANEL.indices(RULE_GENES)].mean(axis=0)
    assert ((mean >= 3) & (mean <= 20)).all()


def test_types_can_be_told_from_counts():
    cells = simulate_cells(1600, seed=9, um_per_px=UM_PER_PX)
    x, y = np.log1p(cells.counts), cells.placement.type_idx
    half = len(y) // 2
    order = np.random.default_rng(0).permutation(len(y))
    model = LogisticRegression(max_iter=300).fit(x[order[:half]], y[order[:half]])
    assert model.score(x[order[half:]], y[order[half:]]) >= 0.97


def test_a_slide_of_the_usual_size_has_every_type_and_niche():
    placement = simulate_cells(2000, seed=0, um_per_px=UM_PER_PX).placement
    assert np.bincount(placement.type_idx, minlength=len(TYPE_NAMES)).min() >= 20
    assert np.bincount(placement.niche_idx, minlength=len(NICHE_NAMES)).min() >= 20
    assert len(np.unique(placement.region_idx)) == 3


def test_neighbours_are_more_alike_than_chance(store):
    table = store.tables["table"]
    place, kind = table.obsm["spatial"], table.obs["cell_type"].to_numpy()
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1) + 1e9 * np.eye(NUM_CELLS)
    same = np.mean(kind[apart.argmin(axis=1)] == kind)
    chance = np.sum(np.square(table.obs["cell_type"].value_counts(normalize=True)))
    assert same > 1.8 * chance


def test_the_picture_looks_like_tissue(store):
    image, labels = pixels(store.images["morphology"]).astype(float), pixels(store.labels["cell_labels"])
    assert image.min() >= 0 and 1000 < image.max() < 20000
    for channel in image:
        assert channel[labels > 0].mean() > channel[labels == 0].mean()
    assert np.mean(labels > 0) > 0.7


def test_same_seed_same_slide_other_seed_other_slide(path, store, tmp_path):
    again = spatialdata.read_zarr(simulate_slide(tmp_path / "again.zarr", num_cells=NUM_CELLS, seed=3))
    other = spatialdata.read_zarr(simulate_slide(tmp_path / "other.zarr", num_cells=NUM_CELLS, seed=4))
    image = pixels(store.images["morphology"])
    np.testing.assert_array_equal(image, pixels(again.images["morphology"]))
    np.testing.assert_array_equal(pixels(store.labels["cell_labels"]), pixels(again.labels["cell_labels"]))
    assert (store.tables["table"].X != again.tables["table"].X).nnz == 0
    assert (store.tables["table"].X != other.tables["table"].X).nnz > 0
    different = pixels(other.images["morphology"])
    height, width = np.minimum(image.shape[1:], different.shape[1:])
    assert (image[:, :height, :width] != different[:, :height, :width]).any()


def test_every_cell_of_a_small_slide_is_seen(tmp_path):
    path = simulate_slide(tmp_path / "small.zarr", num_cells=60, seed=3)  # its first tissue hides a cell
    labels = spatialdata.read_zarr(path).labels["cell_labels"].values
    assert set(np.unique(labels)) >= set(range(1, 61))


@pytest.mark.parametrize("stop_at", [0.02, 0.3, 0.8])
def test_cancel_leaves_nothing(tmp_path, stop_at):
    def progress(fraction: float, doing: str) -> None:
        if fraction >= stop_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        simulate_slide(tmp_path / "slide.zarr", num_cells=60, progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_progress_runs_from_start_to_end(tmp_path):
    seen: list[float] = []
    simulate_slide(tmp_path / "slide.zarr", num_cells=60, progress=lambda fraction, doing: seen.append(fraction))
    assert seen == sorted(seen) and seen[0] == 0.0 and seen[-1] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_cells": 10}, "at least 50 cells; 10 were asked for"),
        ({"seed": -1}, "found -1"),
        ({"um_per_px": 3.0}, "found 3.0 µm"),
    ],
)
def test_bad_options_are_said(tmp_path, options, message):
    with pytest.raises(SlideError, match=message):
        simulate_slide(tmp_path / "slide.zarr", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_path_is_kept_unless_asked(tmp_path):
    taken = tmp_path / "slide.zarr"
    taken.mkdir()
    (taken / "precious.txt").write_text("mine")
    with pytest.raises(SlideError, match="exists already"):
        simulate_slide(taken, num_cells=60)
    assert (taken / "precious.txt").read_text() == "mine"
    simulate_slide(taken, num_cells=60, overwrite=True)
    assert open_slide(taken).num_cells == 60
