import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from napari_spatia.data.counts import TARGET_LIBRARY, GeneColumns, align_counts, gene_rows, log2_counts, normalised
from napari_spatia.data.panel import Panel


def random_counts(seed: int, cells: int = 7, genes: int = 11) -> csr_matrix:
    return csr_matrix(np.random.default_rng(seed).poisson(0.7, (cells, genes)).astype(np.float32))


@given(seed=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_padded_rows_hold_every_count(seed):
    counts = random_counts(seed)
    rows = gene_rows(log2_counts(counts))
    back = np.zeros(counts.shape)
    for cell in range(len(back)):
        own = rows.present[cell]
        back[cell, rows.gene_idx[cell, own]] = np.exp2(rows.value[cell, own]) - 1
    assert np.allclose(back, counts.toarray(), atol=1e-4)
    assert np.allclose(np.exp2(rows.library) - 1, counts.toarray().sum(1), atol=1e-3)


def test_a_cell_without_counts_is_padded_and_not_divided_by_zero():
    counts = csr_matrix((3, 4), dtype=np.float32)
    rows = gene_rows(log2_counts(counts))
    assert rows.gene_idx.shape == (3, 1) and not rows.present.any() and (rows.library == 0).all()
    assert np.array_equal(normalised(counts).toarray(), np.zeros((3, 4)))


@given(seed=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_a_gene_has_the_same_counts_before_and_after_it_is_sorted(seed):
    counts = random_counts(seed, cells=9)
    columns = GeneColumns(counts)
    before = [columns.column(gene) for gene in range(counts.shape[1])]
    columns.sort()
    after = [columns.column(gene) for gene in range(counts.shape[1])]
    for found in (before, after):
        assert np.array_equal(np.stack(found, axis=1), counts.toarray()) and found[0].dtype == np.float32


def test_counts_that_stand_twice_in_a_row_are_added():
    counts = csr_matrix((np.float32([2, 3, 4]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    columns = GeneColumns(counts)
    assert columns.column(1).tolist() == [5, 0] and columns.column(0).tolist() == [0, 4]
    columns.sort()
    assert columns.column(1).tolist() == [5, 0]


def test_normalised_cells_have_the_same_library():
    counts = random_counts(3)
    assert np.allclose(np.expm1(normalised(counts).toarray()).sum(1), TARGET_LIBRARY, rtol=1e-4)


def test_panels_are_matched_by_name():
    counts, panel = random_counts(5, genes=4), Panel(("A", "B", "C", "D"))
    aligned = align_counts(counts, panel, Panel(("C", "X", "A"))).toarray()
    dense = counts.toarray()
    assert np.array_equal(aligned, np.stack([dense[:, 2], np.zeros(7), dense[:, 0]], axis=1))
