import csv

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import mannwhitneyu

from napari_spatia.data import differential
from napari_spatia.data.differential import COLUMNS, compare_genes, write_gene_test
from napari_spatia.errors import Cancelled, SpatiaError

GENES = tuple(f"G{idx}" for idx in range(40))


@pytest.fixture
def cells():
    """300 cells × 40 genes of a common level, empty cells among them; the first 100 have more of G7 and less of G9."""
    rng = np.random.default_rng(3)
    counts = rng.poisson(0.6, (300, 40)).astype(np.float32)
    counts[:100, 7] += rng.poisson(3.0, 100)
    counts[:100, 9] = 0
    counts[100:, 9] += 1
    counts[:, 11] = 0
    counts[[5, 250]] = 0
    return counts, counts.sum(axis=1)


def compare(counts, totals, a, b, **options):
    return compare_genes(csr_matrix(counts), totals, GENES, np.asarray(a), np.asarray(b), **options)


def test_genes_of_either_group_are_found_and_the_rest_is_not(cells):
    test = compare(*cells, range(100), range(100, 300))
    assert test.genes[0] == "G7" and test.genes[-1] == "G9" and (np.diff(test.auc) <= 0).all()
    found = {gene for gene, p in zip(test.genes, test.p_adjusted, strict=True) if p < 0.01}
    assert found == {"G7", "G9"}
    at = {gene: idx for idx, gene in enumerate(test.genes)}
    assert test.log2_fc[at["G7"]] > 1 and test.log2_fc[at["G9"]] < -3
    assert test.share_a[at["G9"]] == 0 and test.share_b[at["G9"]] == pytest.approx(199 / 200)
    assert test.auc[at["G11"]] == 0.5 and test.p_adjusted[at["G11"]] == 1 and test.log2_fc[at["G11"]] == 0
    assert (test.num_a, test.num_b, test.tested_a, test.tested_b) == (100, 200, 100, 200)


def test_the_groups_exchanged_turn_the_table_round(cells):
    test, turned = compare(*cells, range(100), range(100, 300)), compare(*cells, range(100, 300), range(100))
    back = [turned.genes.index(gene) for gene in test.genes]
    assert np.allclose(test.auc, 1 - turned.auc[back]) and np.allclose(test.log2_fc, -turned.log2_fc[back])
    assert np.allclose(test.p_adjusted, turned.p_adjusted[back])
    assert np.array_equal(test.share_a, turned.share_b[back])


def test_it_is_the_rank_sum_test_of_normalised_expression(cells):
    counts, totals = cells
    test = compare(counts, totals, range(100), range(100, 300))
    expression = np.log1p(100 * np.round(counts / np.maximum(totals, 1)[:, None].astype(float), 12))
    p = [mannwhitneyu(expression[:100, idx], expression[100:, idx], method="asymptotic").pvalue for idx in range(40)]
    ordered = np.argsort(p)
    adjusted = np.minimum.accumulate((np.sort(p) * 40 / np.arange(1, 41))[::-1])[::-1]
    expected = dict(zip((GENES[idx] for idx in ordered), adjusted, strict=True))
    assert np.allclose(test.p_adjusted, [expected[gene] for gene in test.genes])


def test_a_large_group_is_drawn_from_and_says_so(cells, monkeypatch):
    monkeypatch.setattr(differential, "MOST_TESTED", 50)
    test, again = (compare(*cells, range(100), range(100, 300), seed=1) for _ in range(2))
    other = compare(*cells, range(100), range(100, 300), seed=2)
    assert (test.num_a, test.tested_a, test.num_b, test.tested_b) == (100, 50, 200, 50)
    assert np.array_equal(test.auc, again.auc) and not np.array_equal(test.auc, other.auc)
    by_gene = dict(zip(test.genes, test.log2_fc, strict=True))
    assert by_gene == dict(zip(other.genes, other.log2_fc, strict=True)), "means are those of all cells"


def test_too_few_cells_are_refused_and_work_can_be_stopped(cells):
    with pytest.raises(SpatiaError, match="Group B has 2 cells. Expected at least 3"):
        compare(*cells, range(100), [200, 201])

    def stop(fraction, doing):
        if doing.startswith("ranking"):
            raise Cancelled("compare")

    with pytest.raises(Cancelled):
        compare(*cells, range(100), range(100, 300), progress=stop)


def test_the_table_is_written_whole(cells, tmp_path):
    test = compare(*cells, range(100), range(100, 300))
    write_gene_test(tmp_path / "genes.csv", test)
    with (tmp_path / "genes.csv").open() as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS and [row[0] for row in rows] == list(test.genes)
    assert np.allclose([float(row[2]) for row in rows], test.log2_fc, atol=1e-4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["genes.csv"]
    with pytest.raises(SpatiaError, match="Cannot write"):
        write_gene_test(tmp_path / "genes.csv" / "no.csv", test)
