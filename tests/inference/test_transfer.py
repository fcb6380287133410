"""Genes carried over from a reference whose rule is known: one further gene follows shared genes, one is noise."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from napari_spatia.data.panel import Panel
from napari_spatia.data.reference import Reference, read_reference
from napari_spatia.errors import PanelError, SlideError
from napari_spatia.inference import transfer as module
from napari_spatia.inference.transfer import transfer

SHARED = tuple(f"G{number}" for number in range(24))
GENES = (*SHARED, "FOLLOWS", "NOISE")


def draw_counts(num_cells, seed, capture=None):
    """Two programmes of twelve genes each; FOLLOWS is driven by the first. `capture` thins each gene."""
    rng = np.random.default_rng(seed)
    state = rng.gamma(2.0, 1.0, (num_cells, 2))
    rate = np.concatenate([np.repeat(state, 12, axis=1), 3 * state[:, :1], np.full((num_cells, 1), 0.1)], axis=1)
    return csr_matrix(rng.poisson(rate * (1 if capture is None else capture)).astype(np.float32))


@pytest.fixture
def reference():
    return Reference("ref.h5ad", draw_counts(1500, 0), Panel(GENES))


@pytest.fixture
def slide_counts():
    """Another platform: each gene is caught with an efficiency of its own."""
    return draw_counts(400, 1, capture=np.random.default_rng(2).uniform(0.3, 1.0, len(GENES)))


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


def test_a_gene_that_follows_is_carried_over_and_scored_so_and_noise_is_not(reference, slide_counts):
    found = transfer(slide_counts[:, :24], Panel(SHARED), reference, ["FOLLOWS", "NOISE"])
    assert found.genes == ("FOLLOWS", "NOISE") and found.expression.shape == (400, 2)
    assert (found.expression >= 0).all() and found.shared_genes == SHARED
    truth = np.log1p(slide_counts[:, 24].toarray().ravel())
    assert correlation(found.expression[:, 0], truth) > 0.5
    assert found.score.pearson[0] > 0.5 > 0.2 > abs(found.score.pearson[1])
    assert found.shared_score.pearson.shape == (24,) and np.median(found.shared_score.pearson) > 0.25
    assert np.median(found.shared_score.spearman) > 0.25


def test_shuffled_slide_counts_score_nothing(reference, slide_counts):
    rng = np.random.default_rng(0)
    shuffled = csr_matrix(rng.permuted(slide_counts[:, :24].toarray(), axis=0))
    found = transfer(shuffled, Panel(SHARED), reference, ["FOLLOWS"])
    assert abs(np.median(found.shared_score.pearson)) < 0.15


def test_the_order_of_genes_and_of_the_panel_does_not_matter(reference, slide_counts):
    order = np.random.default_rng(3).permutation(24)
    panel = Panel(tuple(SHARED[idx] for idx in order))
    first = transfer(slide_counts[:, :24], Panel(SHARED), reference, ["FOLLOWS"])
    second = transfer(slide_counts[:, order], panel, reference, ["FOLLOWS"])
    assert second.expression == pytest.approx(first.expression, abs=1e-4)


def test_of_too_many_genes_the_best_told_are_kept(reference, slide_counts, monkeypatch):
    monkeypatch.setattr(module, "MOST_GENES", 1)
    found = transfer(slide_counts[:, :24], Panel(SHARED), reference, ["NOISE", "FOLLOWS"])
    assert found.genes == ("FOLLOWS",) and len(found.score.pearson) == found.expression.shape[1] == 1


def test_what_cannot_be_carried_over_is_said(reference, slide_counts):
    with pytest.raises(PanelError, match=r"shares 5 of its 26 genes with the slide's 5; at least 20"):
        transfer(slide_counts[:, :5], Panel(SHARED[:5]), reference, ["NOISE"])
    with pytest.raises(PanelError, match="has no gene beyond"):
        transfer(slide_counts, Panel(GENES), reference, [])
    with pytest.raises(PanelError, match="'NOWHERE' is not in the panel of 26 genes"):
        transfer(slide_counts[:, :24], Panel(SHARED), reference, ["NOWHERE"])


def test_a_reference_is_read_from_x_or_a_layer_and_else_refused(tmp_path):
    counts, var = draw_counts(30, 0), pd.DataFrame(index=list(GENES))
    ad.AnnData(counts, var=var).write_h5ad(tmp_path / "raw.h5ad")
    logged = ad.AnnData(counts.log1p(), var=var)
    logged.write_h5ad(tmp_path / "logged.h5ad")
    logged.layers["counts"] = counts
    logged.write_h5ad(tmp_path / "layered.h5ad")
    for name in ("raw.h5ad", "layered.h5ad"):
        found = read_reference(tmp_path / name)
        assert (found.counts != counts).nnz == 0 and found.panel.genes == GENES and found.name == name
    with pytest.raises(SlideError, match=r"'logged.h5ad' has no raw counts"):
        read_reference(tmp_path / "logged.h5ad")
    (tmp_path / "text.h5ad").write_text("no table")
    with pytest.raises(SlideError, match=r"cannot be read.*AnnData file"):
        read_reference(tmp_path / "text.h5ad")
    with pytest.raises(SlideError, match="cannot be read"):
        read_reference(tmp_path / "nowhere.h5ad")
