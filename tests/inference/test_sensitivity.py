from dataclasses import replace

import numpy as np
import pytest

from napari_spatia.errors import Cancelled, SpatiaError
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.resolve import EditResolver
from napari_spatia.inference.sensitivity import rank_genes

CELL = 27


@pytest.fixture(scope="module")
def editor(tiny_predictor, grid_slide):
    return CellEditor(tiny_predictor.bind(grid_slide))


def test_genes_are_ranked_by_what_they_change_of_the_picture(editor, grid_slide):
    cell = editor.preview(f"cell-{CELL}")
    told = []
    ranking = rank_genes(editor, EditResolver(editor.bound), cell, lambda fraction, doing: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0
    assert ranking.cell_id == f"cell-{CELL}" and ranking.nfe == cell.nfe
    assert sorted(ranking.genes) == sorted(grid_slide.panel.genes)
    most = np.fmax(ranking.raised, ranking.knocked_out)
    assert (np.diff(most) <= 0).all() and most[0] > 0
    measured = editor.bound.values[CELL].toarray().ravel()
    expressed = [measured[grid_slide.panel.index(gene)] > 0 for gene in ranking.genes]
    assert np.array_equal(np.isfinite(ranking.knocked_out), expressed) and np.isfinite(ranking.raised).all()

    counts = [int((grid_slide.counts[:, grid_slide.panel.index(gene)] > 0).sum()) for gene in ranking.genes]
    assert ranking.num_cells.tolist() == counts and ranking.num_all == grid_slide.num_cells
    assert ranking.is_common.tolist() == [count >= 0.01 * grid_slide.num_cells for count in counts]
    assert replace(ranking, num_all=100 * max(counts)).is_common.sum() == counts.count(max(counts))

    gene = ranking.genes[0]
    pixels = np.argwhere(np.ones_like(cell.mask))
    away = np.linalg.norm(pixels[:, None] - np.argwhere(cell.mask), axis=-1).min(-1).reshape(cell.mask.shape)
    near = away * cell.um_per_px <= 2.0
    assert cell.mask.sum() < near.sum() < near.size
    scale = editor.bound.scale
    for log2_fc, told_change in (
        (1.0, ranking.raised[0]),
        (-float(measured[grid_slide.panel.index(gene)]), ranking.knocked_out[0]),
    ):
        if np.isfinite(told_change):
            drawn = editor.render(cell, {gene: log2_fc})
            change = (scale.standardise(drawn.image) - scale.standardise(cell.zero_edit))[:, near]
            assert told_change == pytest.approx(np.sqrt((change**2).mean()), rel=1e-3)


def test_a_ranking_can_be_stopped(editor):
    def stop(fraction, doing):
        raise Cancelled("sensitivity")

    with pytest.raises(Cancelled):
        rank_genes(editor, EditResolver(editor.bound), editor.preview(f"cell-{CELL}"), stop)


def test_a_model_without_genes_ranks_none(tiny_predictor, grid_slide):
    bound = tiny_predictor.bind(grid_slide, inputs=("image",))
    with pytest.raises(SpatiaError, match="No gene moves this cell"):
        rank_genes(CellEditor(bound), EditResolver(bound), None)
