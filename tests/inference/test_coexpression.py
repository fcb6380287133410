import numpy as np
import pytest
from scipy.sparse import csr_matrix

from napari_spatia.inference.coexpression import Coexpression, shrinkage

GENES = 40


def planted(num_cells: int, seed: int = 0) -> np.ndarray:
    """`(n, 40)` positive values: gene 1 goes with gene 0 by 0.8, gene 2 by -0.5, gene 3 with gene 4 by 0.6."""
    rng = np.random.default_rng(seed)
    values = 6 + 0.3 * rng.normal(size=(num_cells, GENES))
    values[:, 1] += 0.8 * (values[:, 0] - 6)
    values[:, 2] -= 0.5 * (values[:, 0] - 6)
    values[:, 3] += 0.6 * (values[:, 4] - 6)
    return values


def test_planted_slopes_are_found_and_other_genes_stay():
    change = Coexpression(csr_matrix(planted(4000))).follow({0: 2.0})
    assert change[0] == 2.0
    assert change[1] == pytest.approx(1.6, abs=0.15) and change[2] == pytest.approx(-1.0, abs=0.15)
    assert np.abs(change[3:]).max() < 0.15


def test_several_edited_genes_are_conditioned_on_together():
    """Gene 1 is edited itself, so gene 0 must tell nothing new of it, and gene 3 follows gene 4 alone."""
    learned = Coexpression(csr_matrix(planted(4000)))
    change = learned.follow({0: 1.0, 1: 0.8, 4: -2.0})
    assert change[[0, 1, 4]].tolist() == [1.0, 0.8, -2.0]
    assert change[2] == pytest.approx(-0.5, abs=0.15) and change[3] == pytest.approx(-1.2, abs=0.2)


def test_following_is_graded():
    learned = Coexpression(csr_matrix(planted(4000)))
    np.testing.assert_allclose(learned.follow({0: 2.0})[:3], 2 * learned.follow({0: 1.0})[:3], atol=1e-9)
    assert not learned.follow({0: 0.0}).any()


def test_depth_moves_all_genes_and_is_no_coexpression():
    rng = np.random.default_rng(1)
    depth = rng.normal(size=(3000, 1))
    values = np.maximum(6 + depth + 0.3 * rng.normal(size=(3000, GENES)), 0)
    assert np.corrcoef(values[:, 0], values[:, 1])[0, 1] > 0.8
    assert np.abs(Coexpression(csr_matrix(values)).follow({0: 2.0})[1:]).max() < 0.2


def test_few_unrelated_cells_teach_nothing():
    values = np.random.default_rng(2).poisson(1.0, (60, GENES)).astype(float)
    correlation = np.corrcoef(values.T)[:, [0]]
    assert shrinkage(correlation, (0,), 60) > 0.7
    assert shrinkage(np.corrcoef(planted(4000).T)[:, [0]], (0,), 4000) < 0.05


def test_a_gene_that_hardly_any_cell_expresses_is_followed_by_none():
    values = planted(300)
    values[:, 7] = 0
    values[:5, 7] = 1
    learned = Coexpression(csr_matrix(values))
    assert not learned.tells(7) and learned.tells(0)
    change = learned.follow({7: 3.0})
    assert change[7] == 3.0 and np.count_nonzero(change) == 1
    assert np.count_nonzero(learned.follow({0: 2.0, 7: 3.0})) > 2, "the other edited gene is still followed"
