"""Nearest cells and the reach percentile, on points whose distances are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from napari_spatia.errors import Cancelled
from napari_spatia.inference import neighbours, reach
from napari_spatia.inference.neighbours import NearestCells
from napari_spatia.inference.reach import Reach


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)


def brute(points, query, k):
    distance = np.linalg.norm(points - query, axis=1)
    rows = np.argsort(distance)[:k]
    return distance[rows], rows


def test_a_query_of_few_points_is_exact(points):
    index = NearestCells(points)
    for query in (points[7], np.full(8, 0.3, np.float32)):
        distance, rows = index.query(query, 5)
        expected, expected_rows = brute(points, query, 5)
        assert (rows == expected_rows).all() and distance == pytest.approx(expected, abs=1e-5)
    assert index.query(points[7], 1)[0][0] == 0  # the point itself, not what rounding left of it


def test_a_query_of_many_points_finds_nearly_all_neighbours(points, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_CELLS", 1000)
    monkeypatch.setattr(neighbours, "QUERY_PROBED_LISTS", 16)
    index = NearestCells(points)
    found = [np.isin(index.query(query, 10)[1], brute(points, query, 10)[1]).mean() for query in points[::60]]
    assert np.mean(found) > 0.9


def test_more_neighbours_than_a_few_lists_hold_are_found(points, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_CELLS", 1000)
    monkeypatch.setattr(neighbours, "QUERY_PROBED_LISTS", 1)
    distance, rows = NearestCells(points).query(points[0], 500)
    assert len(set(rows.tolist())) == 500 and (np.diff(distance) >= 0).all()


def test_grouping_many_points_can_be_cancelled(points, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_CELLS", 1000)

    def cancel(fraction, doing):
        raise Cancelled

    with pytest.raises(Cancelled):
        NearestCells(points, progress=cancel)


def test_cells_like_those_seen_have_uniform_percentiles_and_farther_ones_higher(points):
    seen = Reach(points[:2000], np.arange(2000))
    found = np.array([seen.percentile(point) for point in points[2000:]])
    assert kstest(found / 100, "uniform").statistic < 0.06
    away = [np.mean([seen.percentile(point + step) for point in points[2000:2100]]) for step in (0.0, 0.5, 1.0, 2.0)]
    assert away == sorted(away) and away[-1] > 95


def test_the_cell_itself_is_no_evidence(points):
    rows = np.arange(0, 600, 3)
    seen = Reach(points[rows], rows)
    assert seen.percentile(points[30]) == 0.0
    assert seen.percentile(points[30], apart_from=30) > 0.0
    distance, cells = seen.nearest(points[30], 4, apart_from=30)
    assert len(cells) == 4 and 30 not in cells and set(cells) <= set(rows)
    assert (np.diff(distance) >= 0).all()


def test_a_large_slide_is_sampled_until_a_prediction_has_embedded_it(points, monkeypatch):
    monkeypatch.setattr(reach, "MOST_CELLS_EMBEDDED", 100)
    read = []
    embeddings = SimpleNamespace(
        cells=torch.from_numpy(points), has_cell=np.zeros(3000, bool), of_cells=lambda cells: read.append(len(cells))
    )
    sampled = Reach.of_slide(embeddings)
    assert sum(read) == len(sampled.cell_idx) == 100 and not sampled.can_grow(embeddings)
    embeddings.has_cell[:2950] = True
    assert sampled.can_grow(embeddings)
    assert len(Reach.of_slide(embeddings).cell_idx) == 3000
