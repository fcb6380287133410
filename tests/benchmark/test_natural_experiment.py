"""A tissue whose pictures follow from counts by a known law, and models that know it, ignore it or have it reversed."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from napari_spatia.benchmark import matched_pairs
from napari_spatia.benchmark import natural_experiment as module
from napari_spatia.benchmark.condition_use import HeldOut
from napari_spatia.benchmark.matched_pairs import RICH_BY, find_pairs
from napari_spatia.benchmark.natural_experiment import Design, natural_experiment, shift_scores
from napari_spatia.data.counts import log2_counts
from napari_spatia.data.panel import Panel
from napari_spatia.errors import SpatiaError

NUM_CELLS, NUM_GENES, CROP_PX = 900, 8, 12
LAW = np.linspace(-1.0, 1.0, NUM_GENES)
"""How a stain's intensity changes with log2(1 + counts) of each gene."""


def lawful_edits(bound, cell_idx, edits, nfe):
    """As `edit_each`, of cells whose noise is their own."""
    before = bound.values[cell_idx].toarray()
    after = before.copy()
    for row, edit in enumerate(edits):
        for gene, fc in edit.log2_fc.items():
            after[row, bound.predictor.info.panel.index(gene)] += fc
    white = torch.from_numpy(np.stack([bound.noise(cell, 7, 0) for cell in cell_idx]))
    drawn = [
        bound.restore(bound.draw(white, torch.from_numpy((values @ LAW).astype(np.float32)), nfe))
        for values in (before, after)
    ]
    (images, masks), (edited, edited_masks) = drawn
    return SimpleNamespace(before=images, was_cell=masks >= 0.5, after=edited, mask=edited_masks)


class LawfulBound:
    """Paints each cell's stain as its counts say, times ``gain``."""

    def __init__(self, gain: float):
        random = np.random.default_rng(0)
        counts = csr_matrix(random.poisson(random.choice([0.3, 3.0], (NUM_CELLS, NUM_GENES))))
        self.gain, self.values, self.notes = gain, log2_counts(counts), ()
        obs = pd.DataFrame({"cell_type": random.choice(["a", "b"], NUM_CELLS)})
        self.slide = SimpleNamespace(
            name="lawful", counts=counts, obs=obs, num_cells=NUM_CELLS, cell_id=np.arange(NUM_CELLS).astype(str),
            centers_um=random.uniform(0, 500, (NUM_CELLS, 2)), known_types=lambda: obs["cell_type"].to_numpy(dtype=str),
            known_type_column="cell_type",
        )  # fmt: skip
        self.surroundings = SimpleNamespace(neighbour=random.integers(-1, NUM_CELLS, (NUM_CELLS, 4)))
        info = SimpleNamespace(
            name="lawful", sha256="0", channels=("DAPI",), um_per_px=1.0, panel=Panel(tuple("ABCDEFGH")),
        )  # fmt: skip
        self.predictor = SimpleNamespace(info=info, device="cpu")
        self.scale = SimpleNamespace(standardise=lambda images: images)

    def noise(self, cell, seed, sample_no):
        return np.random.default_rng([seed, cell, sample_no]).normal(size=(2, CROP_PX, CROP_PX)).astype(np.float32)

    def condition(self, cells, genes):
        values = torch.zeros(len(cells), NUM_GENES).scatter_add(1, genes.gene_idx, genes.value * genes.present)
        return values @ torch.tensor(LAW, dtype=torch.float32)

    def draw(self, white, condition, nfe):
        return white + self.gain * condition[:, None, None, None]

    def many_at_once(self):
        return nullcontext()

    def restore(self, drawn):
        masks = np.zeros((len(drawn), CROP_PX, CROP_PX), np.float32)
        masks[:, 3:9, 3:9] = 1
        return drawn.numpy()[:, :1], masks

    def real_pictures(self, cells, progress):
        truth = self.values[cells].toarray() @ LAW
        noise = np.stack([self.noise(cell, 99, 0) for cell in cells])
        images, masks = self.restore(torch.from_numpy((noise + truth[:, None, None, None]).astype(np.float32)))
        yield np.arange(len(cells)), images, masks >= 0.5


@pytest.fixture
def found_with(monkeypatch):
    monkeypatch.setattr(module, "real_pictures", lambda bound, cells, progress: bound.real_pictures(cells, progress))
    monkeypatch.setattr(module, "edit_each", lawful_edits)

    def run(gain, **design):
        held_out = HeldOut(np.arange(400), np.arange(400, NUM_CELLS), "a test")
        found = natural_experiment(LawfulBound(gain), held_out, Design(cells_per_gene=4, samples=1, **design))
        return json.loads(json.dumps(found))

    return run


def test_a_model_that_knows_the_law_scores_1_and_one_that_reverses_it_scores_minus_1(found_with):
    known, reversed_ = (found_with(gain)["scores"]["DAPI"] for gain in (1.0, -1.0))
    assert known["model"]["value"] > 0.95 and known["model"]["low"] > 0.5
    assert reversed_["model"]["value"] < -0.95 and reversed_["from_noise"]["value"] < -0.95
    assert known["from_noise"]["value"] > 0.95
    assert known["ridge"]["value"] > 0.95 and known["elsewhere"]["value"] > 0.9
    assert abs(known["shuffled"]["value"]) < 0.1
    assert known["shuffled"]["low"] < 0 < known["shuffled"]["high"]
    assert known["reliability"]["whole"] > known["reliability"]["split_half"] > 0.9


def test_a_model_that_ignores_the_genes_has_no_score(found_with):
    scores = found_with(0.0)["scores"]
    assert scores["DAPI"]["model"]["value"] is None  # it never moves
    assert scores["DAPI"]["ridge"]["value"] > 0.95


def test_pairs_are_alike_but_for_the_gene():
    bound = LawfulBound(1.0)
    types = bound.slide.obs["cell_type"].to_numpy(dtype=str)
    cells = np.arange(0, NUM_CELLS, 2)
    pairs = find_pairs(bound, cells, types[cells], cells[:, None].astype(float), most_genes=3)
    assert len(pairs) == 3 and len({p.gene for p in pairs}) == 3
    values = bound.values.toarray()
    for p in pairs:
        assert np.isin(p.poor, cells).all() and np.isin(p.rich, cells).all()
        assert (values[p.poor, p.gene] == 0).all() and (values[p.rich, p.gene] >= RICH_BY).all()
        assert (types[p.poor] == types[p.rich]).all()
        others = np.delete(np.arange(NUM_GENES), p.gene)
        apart = np.linalg.norm(values[p.rich][:, others] - values[p.poor][:, others], axis=1).mean()
        random = np.random.default_rng(0).permutation(p.poor)
        assert apart < 0.8 * np.linalg.norm(values[p.rich][:, others] - values[random][:, others], axis=1).mean()


def test_a_stain_that_drifts_over_the_slide_is_no_gene_s_doing():
    """Every cell looks as its place does, and the genes differ from place to place."""
    bound = LawfulBound(1.0)
    random = np.random.default_rng(1)
    place = bound.slide.centers_um[:, 1] / 500
    bound.values = log2_counts(csr_matrix(random.poisson(0.5 + 3 * place[:, None] * np.ones(NUM_GENES))))
    cells, types, features = np.arange(NUM_CELLS), np.full(NUM_CELLS, "a"), (10 * place)[:, None]
    shifts = [p.shift()[0] for p in find_pairs(bound, cells, types, features, NUM_GENES)]
    rich_less_poor = [features[rich].mean() - features[~rich].mean() for rich in (bound.values.toarray() >= RICH_BY).T]
    assert np.mean(np.abs(shifts)) < 0.25 * np.mean(rich_less_poor)


def test_what_matching_leaves_is_taken_off():
    """A feature that follows the cells' total alone has no shift of its own in any gene."""
    bound = LawfulBound(1.0)
    cells = np.arange(NUM_CELLS)
    values = bound.values.toarray()
    total = np.log2(1 + np.asarray(bound.slide.counts.sum(axis=1)).ravel())
    pairs = find_pairs(bound, cells, bound.slide.obs["cell_type"].to_numpy(dtype=str), total[:, None], NUM_GENES)
    for p in pairs:
        own = total[p.rich] - np.log2(1 + np.exp2(total[p.rich]) - 1 - (np.exp2(values[p.rich, p.gene]) - 1))
        assert p.shift()[0] == pytest.approx(own.mean(), abs=0.15)


def test_what_all_genes_share_earns_nothing():
    random = np.random.default_rng(0)
    observed, noise = random.normal(size=(2, 300, 2))
    offset = np.array([5.0, -5.0])  # every edit moves the two features alike
    scores = shift_scores(["x", "y"], observed + offset, {"model": noise + offset}, (observed, observed))
    assert abs(scores["all"]["model"]["value"]) < 0.15
    assert scores["all"]["reliability"]["highest_score"] == 1.0


def test_too_few_genes_are_said(found_with, monkeypatch):
    monkeypatch.setattr(matched_pairs, "LEAST_PAIRS", 10_000)
    monkeypatch.setattr(module, "LEAST_PAIRS", 10_000)
    with pytest.raises(SpatiaError, match="Only 0 genes of slide 'lawful' have 10000 matched pairs among 400 cells"):
        found_with(1.0)
