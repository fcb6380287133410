import numpy as np
import pytest
from scipy.sparse import csr_matrix

from napari_spatia.data import view_genes
from napari_spatia.data.counts import normalised
from napari_spatia.data.view_genes import GeneContrast, sum_genes


@pytest.fixture
def slide():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (200, 30)).astype(np.float32)
    inside = np.arange(200) < 40
    counts[:40, 7] += 8
    counts[:40, 21] += 3
    counts[:40, 3] = 0
    counts[199] = 0
    counts = csr_matrix(counts)
    return counts, np.asarray(counts.sum(axis=1), np.float32).ravel(), inside


def test_sums_are_those_of_normalised_expression_in_any_parts(slide, monkeypatch):
    counts, totals, inside = slide
    monkeypatch.setattr(view_genes, "ROWS_AT_ONCE", 7)
    sums = sum_genes(counts, totals, np.flatnonzero(inside))
    dense = normalised(counts[inside]).toarray()
    np.testing.assert_allclose(sums.expression, dense.sum(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(sums.expressing, (dense > 0).sum(axis=0))
    assert sums.num_cells == 40


def test_the_genes_of_the_cells_inside_come_first(slide):
    counts, totals, inside = slide
    contrast = GeneContrast(counts, totals)
    genes = contrast.telling(inside, 5)
    assert genes[:2].tolist() == [7, 21] and len(genes) <= 5 and 3 not in genes
    assert contrast.telling(~inside, 3)[0] == 3, "where most cells are inside the few outside are summed"


def test_the_rank_is_that_of_the_formula(slide):
    counts, totals, inside = slide
    values = normalised(counts).toarray()
    means = [values[part].mean(axis=0) + view_genes.SMALLEST_MEAN for part in (inside, ~inside)]
    score = np.log2(means[0] / means[1]) * (values[inside] > 0).mean(axis=0)
    expected = [idx for idx in np.argsort(-score) if score[idx] > 0][:6]
    assert GeneContrast(counts, totals).telling(inside, 6).tolist() == expected


def test_all_cells_or_none_have_no_genes_of_their_own(slide):
    counts, totals, inside = slide
    contrast = GeneContrast(counts, totals)
    assert not len(contrast.telling(np.ones_like(inside), 5)) and not len(contrast.telling(np.zeros_like(inside), 5))
