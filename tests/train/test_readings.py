from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import Features
from napari_spatia.model.readings import Readings
from napari_spatia.train.readings import Cells, hidden_gene_scores, solve

NUM_GENES, NUM_CELLS = 12, 600


def cells(seed: int) -> Cells:
    """Two programmes of six genes each, three types told by them; the image knows the first programme."""
    g = torch.Generator().manual_seed(seed)
    programme = torch.randn(NUM_CELLS, 2, generator=g)
    own = 3 + programme.repeat_interleave(6, 1) + 0.3 * torch.randn(NUM_CELLS, NUM_GENES, generator=g)
    image = torch.zeros(NUM_CELLS, 32)
    image[:, 0] = programme[:, 0]
    noise = torch.randn(NUM_CELLS, NUM_GENES + 33, generator=g)
    features = torch.cat([own, noise[:, :1], noise[:, 1 : NUM_GENES + 1], image, noise[:, NUM_GENES + 1 :]], 1)
    told = programme[:, 0] + 0.3 * torch.randn(NUM_CELLS, generator=g)  # so that nothing is certain
    cell_type = (told > 0.3).long() + (told > 1.2).long()
    return Cells(features, csr_matrix(own.numpy()), cell_type)


@pytest.fixture(scope="module")
def fitted() -> tuple[Readings, dict]:
    genes = tuple(f"G{i}" for i in range(NUM_GENES))
    readings = Readings(ModelConfig.from_preset("tiny", genes, ("DAPI",), ("a", "b", "c")))
    return readings, solve(readings, cells(0), cells(1))


def features_of(found: Cells, readings: Readings, *blocks: str, measured: torch.Tensor | None = None) -> Features:
    split = dict(zip(readings.size, found.features.split(list(readings.size.values()), dim=1), strict=True))
    measured = torch.ones(NUM_GENES, dtype=torch.bool) if measured is None else measured
    return Features(NUM_CELLS, measured, **{block: split[block] for block in blocks})


def test_types_are_read_from_what_tells_them(fitted):
    readings, scores = fitted
    assert scores["type_balanced_accuracy_both"] > 0.7 and scores["type_balanced_accuracy_image"] > 0.7
    found = cells(2)
    logits = readings.type_logits(features_of(found, readings, "own", "library", "around", "fused"))
    assert (logits.argmax(1) == found.cell_type).float().mean() > 0.7


def test_a_hidden_gene_is_imputed_from_its_programme_and_never_read(fitted):
    readings, _ = fitted
    found, measured = cells(2), torch.arange(NUM_GENES) != 3
    features = features_of(found, readings, "own", "library", "around", measured=measured)
    expectation = readings.given(readings.seen(features))
    imputed = readings.expression(features, expectation)
    assert np.corrcoef(imputed[:, 3], found.features[:, 3])[0, 1] > 0.85
    assert not expectation.weight[3].any()
    changed = found.features.clone()
    changed[:, 3] += 7
    other = features_of(replace(found, features=changed), readings, "own", "library", "around", measured=measured)
    assert torch.equal(readings.expression(other, expectation), imputed)


def test_some_genes_are_told_as_among_all(fitted):
    readings, _ = fitted
    features = features_of(cells(2), readings, "own", "library")
    seen, some = readings.seen(features), np.array([7, 2])
    every = readings.expression(features, readings.given(seen))
    assert torch.allclose(readings.expression(features, readings.given(seen, some)), every[:, some], atol=1e-5)


def test_the_image_alone_imputes_what_it_knows_and_nothing_else(fitted):
    readings, _ = fitted
    found = cells(2)
    features = features_of(found, readings, "image")
    imputed = readings.expression(features, readings.given(readings.seen(features)))
    correlation = [abs(np.corrcoef(imputed[:, g], found.features[:, g])[0, 1]) for g in (0, 11)]
    assert correlation[0] > 0.85 and correlation[1] < 0.25


def test_scores_of_hidden_genes_are_of_hidden_genes(fitted):
    readings, scores = fitted
    assert len(scores["imputed_gene_pearson"]) == NUM_GENES and min(scores["imputed_gene_pearson"]) > 0.8
    found = cells(1)
    shuffled = found.features
    for gene in range(NUM_GENES):  # each gene of another cell
        order = torch.randperm(NUM_CELLS, generator=torch.Generator().manual_seed(gene))
        shuffled[:, gene] = shuffled[order, gene]
    null = hidden_gene_scores(readings, replace(found, expression=csr_matrix(shuffled[:, :NUM_GENES].numpy())))
    assert abs(float(np.mean(null))) < 0.1


def test_temperature_mends_logits_that_are_too_sure(fitted):
    readings, _ = fitted
    found = cells(3)
    view = features_of(found, readings, "image")
    at = readings.view_of(view)
    logits = readings.type_logits(view) * readings.temperature[at]
    found_temperature = []
    for factor in (1, 3):
        readings.calibrate("image", factor * logits, found.cell_type)
        found_temperature.append(readings.temperature[at].item())
    assert found_temperature[1] == pytest.approx(3 * found_temperature[0], rel=0.05)


def test_genes_beyond_those_that_are_read_are_told_by_them(fitted):
    """Of a panel read in part: the same programmes, with the second half of the genes unread."""
    whole, _ = fitted
    genes = tuple(f"G{i}" for i in range(NUM_GENES))
    read = genes[:3] + genes[6:9]
    config = ModelConfig.from_preset("tiny", genes, ("DAPI",), ("a", "b", "c"), read_genes=read)
    readings = Readings(config)
    columns = torch.ones(len(whole.mean), dtype=torch.bool)
    for block in (0, NUM_GENES + 1):  # own, around
        for gene in set(range(NUM_GENES)) - set(config.read_idx):
            columns[block + gene] = False
    learned, checked = (replace(some, features=some.features[:, columns]) for some in (cells(0), cells(1)))
    scores = solve(readings, learned, checked)
    assert len(scores["imputed_gene_pearson"]) == NUM_GENES and min(scores["imputed_gene_pearson"]) > 0.8
    assert scores["type_balanced_accuracy_genes"] > 0.7
