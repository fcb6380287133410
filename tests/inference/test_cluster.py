"""Clusters and domains find what was put in, whatever the order and the seed."""

import random

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from napari_spatia.errors import Cancelled
from napari_spatia.inference import neighbours
from napari_spatia.inference.cluster import cluster_cells, named_by_size, shared_neighbour_graph
from napari_spatia.inference.domains import find_domains, smooth
from napari_spatia.inference.neighbours import nearest_cells


@pytest.fixture
def blobs():
    """400 points of four groups of 160, 120, 80 and 40, and their group."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), [160, 120, 80, 40])
    return (rng.normal(size=(4, 20))[group] * 4 + rng.normal(size=(400, 20))).astype(np.float32), group


def test_clusters_are_the_groups_named_by_size(blobs):
    points, group = blobs
    assert (cluster_cells(points) == (group + 1).astype(str)).all()


def test_the_same_seed_gives_the_same_clusters_and_leaves_python_s_random_alone(blobs):
    noise = np.random.default_rng(1).normal(size=(300, 10)).astype(np.float32)
    random.seed(4)
    expected = random.Random(4).random()
    assert (cluster_cells(noise, seed=7) == cluster_cells(noise, seed=7)).all()
    assert random.random() == expected


def test_more_resolution_gives_more_clusters():
    noise = np.random.default_rng(1).normal(size=(500, 10)).astype(np.float32)
    assert len(set(cluster_cells(noise, resolution=3.0))) > len(set(cluster_cells(noise, resolution=0.3)))


@pytest.mark.parametrize("num_cells", [1, 2, 3, 5])
def test_a_few_cells_and_equal_cells_are_clustered(num_cells):
    assert len(cluster_cells(np.ones((num_cells, 8)))) == num_cells


def test_clustering_can_be_cancelled(blobs):
    def cancel(fraction, doing):
        raise Cancelled

    with pytest.raises(Cancelled):
        cluster_cells(blobs[0], progress=cancel)


def test_few_points_are_compared_exactly(blobs):
    points = blobs[0]
    expected = NearestNeighbors(n_neighbors=11).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    assert (np.sort(nearest_cells(points, 10)) == np.sort(expected)).all()


def test_many_points_find_most_of_their_neighbours_and_never_themselves(monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_CELLS", 500)
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(2000, 5)) @ rng.normal(size=(5, 20))).astype(np.float32)
    points[:3] += 100  # lists of one outlier
    found = nearest_cells(points, 15)
    exact = NearestNeighbors(n_neighbors=16).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    assert (found != np.arange(2000)[:, None]).all()
    assert all(len(set(row)) == 15 for row in found)
    assert np.mean([len(set(a) & set(b)) / 15 for a, b in zip(found, exact, strict=True)]) > 0.8


def test_equal_points_are_not_their_own_neighbours():
    found = nearest_cells(np.zeros((30, 3), np.float32), 5)
    assert (found != np.arange(30)[:, None]).all()


def test_the_graph_weighs_edges_by_shared_neighbours():
    graph = shared_neighbour_graph(np.array([[1, 2], [0, 2], [0, 1], [0, 1]]))
    weight = {edge.tuple: edge["weight"] for edge in graph.es}
    assert weight[0, 1] == pytest.approx(1.0)  # both have {0, 1, 2}
    assert weight[0, 3] == pytest.approx(2 / 4)  # {0, 1, 2} and {3, 0, 1}
    assert (2, 3) not in weight


def test_names_go_by_size():
    assert named_by_size(np.array([5, 5, 2, 2, 2, 9])).tolist() == ["2", "2", "1", "1", "1", "3"]


def test_domains_are_areas_of_like_niches():
    rng = np.random.default_rng(0)
    centers_um = rng.uniform(0, 600, (900, 2))
    area = (centers_um[:, 0] // 200).astype(int)
    embedding = rng.normal(size=(3, 16))[area] + rng.normal(size=(900, 16))
    found = find_domains(embedding, centers_um)
    assert set(found) == {"1", "2", "3"}
    assert adjusted_rand_score(area, found) > 0.85
    assert (find_domains(embedding, centers_um) == found).all()


def test_the_number_of_domains_can_be_named():
    rng = np.random.default_rng(0)
    assert len(set(find_domains(rng.normal(size=(400, 8)), rng.uniform(0, 2000, (400, 2)), num_domains=5))) == 5


def test_smoothing_keeps_a_lonely_cell_and_averages_neighbours():
    centers_um = np.array([[0, 0], [0, 10], [5000, 5000]])
    assert smooth(np.array([[1.0], [3.0], [7.0]]), centers_um).ravel().tolist() == [2.0, 2.0, 7.0]


def test_very_few_cells_are_one_domain():
    assert find_domains(np.eye(5), np.zeros((5, 2))).tolist() == ["1"] * 5
