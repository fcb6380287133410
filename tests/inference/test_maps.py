import threading

import numpy as np
import pytest

from napari_spatia.errors import Cancelled, SpatiaError
from napari_spatia.inference.maps import first_components, map_cells


def two_groups(num=120, width=8):
    rng = np.random.default_rng(0)
    group = np.arange(num) % 2
    return (rng.normal(size=(num, width)) + 30 * group[:, None]).astype(np.float32), group


def test_cells_that_are_alike_lie_together_also_those_that_are_placed_afterwards():
    embedding, group = two_groups()
    told = []
    places = map_cells(embedding, seed=1, progress=lambda done, doing: told.append(done), most_placed=60)
    assert places.shape == (120, 2) and places.dtype == np.float32 and np.isfinite(places).all()
    middles = np.array([places[group == number].mean(axis=0) for number in (0, 1)])
    nearer = np.linalg.norm(places[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearer == group).mean() > 0.95
    assert told[-1] == 1.0 and told == sorted(told)


def test_a_map_that_is_no_longer_wanted_ends():
    embedding, _ = two_groups()

    def stop(done, doing):
        raise Cancelled("map")

    before = threading.active_count()
    with pytest.raises(Cancelled):
        map_cells(embedding, progress=stop)
    assert threading.active_count() == before


def test_too_few_cells_are_said():
    with pytest.raises(SpatiaError, match="needs 4 cells or more"):
        map_cells(np.zeros((3, 5), np.float32))


def test_first_components_of_narrow_embeddings_are_padded():
    found = first_components(np.array([[1.0], [3.0]], np.float32))
    assert found.shape == (2, 2) and np.allclose(np.abs(found), [[1, 0], [1, 0]])
