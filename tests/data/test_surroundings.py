import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data.surroundings import REGION_CELLS, surroundings


def around(centers: np.ndarray, **options) -> object:
    settings = {"num_neighbours": 4, "radius_um": 30.0, "region_um": 100.0, "window": 3} | options
    return surroundings(centers, **settings)


@given(seed=st.integers(0, 100), num=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_neighbours_are_the_nearest_others_within_the_radius(seed, num):
    centers = np.random.default_rng(seed).uniform(0, 200, (num, 2))
    found = around(centers)
    distance = np.linalg.norm(centers[:, None] - centers, axis=2)
    for cell in range(num):
        order = [c for c in np.argsort(distance[cell]) if c != cell and distance[cell, c] <= 30][:4]
        mine = found.neighbour[cell]
        assert sorted(mine[mine >= 0]) == sorted(order)
        assert (mine[len(order) :] == -1).all()


def test_cells_at_one_place_do_not_become_their_own_neighbours():
    found = around(np.zeros((6, 2)))
    assert all(cell not in found.neighbour[cell] for cell in range(6))
    assert (found.neighbour >= 0).all()


def test_offsets_point_from_the_cell_and_are_zero_where_nothing_is():
    found = around(np.array([[0.0, 0.0], [10.0, -20.0], [500.0, 500.0]]))
    offset = found.neighbour_offset_um(np.array([0, 2]))
    assert offset[0, 0].tolist() == [10.0, -20.0]
    assert not offset[0, 1:].any() and not offset[1].any()


def test_regions_are_squares_with_their_window():
    centers = np.array([[10.0, 10.0], [20.0, 90.0], [150.0, 50.0], [950.0, 950.0]])
    found = around(centers)
    assert found.region_of_cell[0] == found.region_of_cell[1] != found.region_of_cell[2]
    seen = found.regions_around(np.array([0]))[0]
    assert set(seen[seen >= 0]) == {found.region_of_cell[0], found.region_of_cell[2]}
    offset = found.region_offset_um(np.array([0]))[0]
    assert offset[seen == found.region_of_cell[2]].tolist() == [[140.0, 40.0]]
    lonely = found.regions_around(np.array([3]))[0]
    assert (lonely >= 0).sum() == 1


def test_a_region_stands_on_a_bounded_even_sample_of_its_cells():
    centers = np.random.default_rng(0).uniform(0, 99, (200, 2))
    found = around(centers)
    members = found.region_members(np.array([0]))
    assert len(members) == len(set(members)) == REGION_CELLS
    assert np.array_equal(members, found.region_members(np.array([0])))
    assert len(around(centers[:5]).region_members(np.array([0]))) == 5
