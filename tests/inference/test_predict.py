"""Every task on a whole slide: rows stay with their cells, and only what was asked for is there."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack

from napari_spatia.data import keys
from napari_spatia.data.counts import normalised
from napari_spatia.data.panel import Panel
from napari_spatia.data.reference import Reference
from napari_spatia.errors import Cancelled, PanelError, SpatiaError
from napari_spatia.inference import predict as module
from napari_spatia.inference.predict import TASKS, predict


def test_all_tasks_fill_every_field(bound):
    found, slide = predict(bound), bound.slide
    assert (found.cell_id == slide.cell_id).all()
    assert {scale: values.shape for scale, values in found.embedding.items()} == {
        "cell": (150, 24), "niche": (150, 12), "tissue": (150, 6),
    }  # fmt: skip
    best = found.type_probability.argmax(axis=1)
    assert (found.cell_type == np.array(bound.types)[best]).all()
    assert np.allclose(found.confidence, found.type_probability[np.arange(150), best])
    assert set(found.cluster) >= {"1"} and set(found.domain) >= {"1"}
    assert found.imputed_genes == slide.panel.genes
    assert found.imputed.shape == (150, len(slide.panel))


def test_rows_stay_with_their_cells_in_parts(bound, monkeypatch):
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 40)
    found = predict(bound, tasks=("embed", "impute"))
    assert bound.embedded == [38, 38, 37, 37]
    assert np.allclose(found.imputed, normalised(bound.slide.counts).toarray())
    assert np.allclose(found.embedding["cell"], bound.embed().cell, atol=1e-5)


def test_only_what_was_asked_for_is_there(bound):
    found = predict(bound, tasks=("annotate",))
    assert found.cell_type is not None
    assert found.cluster is None and found.domain is None and found.embedding == {}
    assert found.imputed.shape == (150, 0) and found.imputed_genes == ()
    assert predict(bound, tasks=("embed",)).cell_type is None


def test_named_and_hidden_genes_are_imputed(bound):
    genes = bound.slide.panel.genes
    assert predict(bound, ("impute",), genes=[genes[3], genes[1], genes[3]]).imputed_genes == (genes[3], genes[1])
    bound.hidden = (genes[7],)
    assert predict(bound, ("impute",)).imputed_genes == (genes[7],)
    found = predict(bound, ("impute",), genes=[genes[2]])
    assert found.imputed_genes == (genes[2], genes[7])
    assert np.allclose(found.imputed, normalised(bound.slide.counts).toarray()[:, [2, 7]])


def test_genes_have_no_score_where_less_is_read_than_when_they_were_scored(bound):
    bound.held_out = {"imputed_gene_pearson": [0.5] * len(bound.slide.panel)}
    genes = bound.slide.panel.genes[:2]
    whole = predict(bound, ("impute",), genes=genes)
    assert np.allclose(whole.of_imputed[keys.VAR_HELD_OUT[0]], 0.5)
    assert module.NOT_AS_SCORED not in whole.provenance["notes"]
    bound.seen_as_scored = False
    less = predict(bound, ("impute",), genes=genes)
    assert np.isnan(less.of_imputed[keys.VAR_HELD_OUT[0]]).all()
    assert module.NOT_AS_SCORED in less.provenance["notes"]
    assert module.NOT_AS_SCORED not in predict(bound, ("embed",)).provenance["notes"]


def test_of_a_large_panel_the_genes_told_best_are_imputed_and_scored(bound, monkeypatch):
    pearson = np.linspace(0.9, 0.1, len(bound.slide.panel)).round(3)
    bound.held_out = {"imputed_gene_pearson": pearson[::-1].tolist()}
    monkeypatch.setattr(module, "MOST_IMPUTED_GENES", 4)
    found = predict(bound, ("impute",))
    assert found.imputed_genes == bound.slide.panel.genes[-4:]
    assert np.allclose(found.of_imputed[keys.VAR_HELD_OUT[0]], pearson[:4][::-1])
    assert len(predict(bound, ("impute",), genes=bound.slide.panel.genes[:6]).imputed_genes) == 6


def test_what_cannot_be_done_is_said_before_any_work(bound):
    with pytest.raises(SpatiaError, match=r"Unknown task 'paint'.*embed,annotate,cluster,impute"):
        predict(bound, tasks=("embed", "paint"))
    with pytest.raises(SpatiaError, match="No task"):
        predict(bound, tasks=())
    with pytest.raises(PanelError, match="'NOPE'"):
        predict(bound, tasks=("impute",), genes=["NOPE"])
    assert bound.embedded == []


def test_a_model_without_types_annotates_nothing(bound):
    bound.types = ()
    found = predict(bound, tasks=("annotate", "embed"))
    assert found.cell_type is None and found.confidence is None


def test_provenance_is_plain_and_tells_how_to_repeat_it(bound):
    found = json.loads(json.dumps(predict(bound, tasks=("cluster", "embed"), seed=3).provenance))
    assert found["checkpoint"] == {
        "name": "fake", "sha256": "0" * 64, "preset": "tiny", "held_out": {"type_accuracy": 0.9},
    }  # fmt: skip
    assert found["options"]["tasks"] == ["embed", "cluster"]
    assert found["options"]["seed"] == 3
    assert found["notes"] == ["a note"]
    assert {"napari-spatia", "torch"} <= found["versions"].keys()


def test_progress_grows_from_task_to_task_and_cancels(bound):
    seen = []
    predict(bound, progress=lambda fraction, doing: seen.append((fraction, doing)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert [doing for _, doing in seen if doing.startswith("finding")][0] == "finding similar cells"

    def cancel_when_clustering(fraction, doing):
        if doing == "clustering cells":
            raise Cancelled

    with pytest.raises(Cancelled):
        predict(bound, TASKS, progress=cancel_when_clustering)


def test_a_reference_adds_the_genes_that_neither_slide_nor_checkpoint_has(bound):
    slide, further = bound.slide, ("BEYOND1", "BEYOND2")
    rng = np.random.default_rng(0)
    counts = hstack([slide.counts, csr_matrix(rng.poisson(1.0, (slide.num_cells, 2)).astype(np.float32))]).tocsr()
    reference = Reference("other.h5ad", counts, Panel((*slide.panel.genes, *further)))
    own = slide.panel.genes[:2]
    found = predict(bound, ("impute",), genes=[*own, "BEYOND2"], reference=reference)
    assert found.imputed_genes == (*own, "BEYOND2") and found.imputed.shape == (150, 3)
    assert list(found.of_imputed[keys.VAR_SOURCE]) == ["model fake", "model fake", "reference other.h5ad"]
    scores = found.of_imputed[keys.VAR_HELD_OUT[0]]
    assert np.isnan(scores[:2]).all() and np.isfinite(scores[2])
    everything = predict(bound, ("impute",), reference=reference)
    assert everything.imputed_genes == (*slide.panel.genes, *further)
    assert everything.provenance["reference"]["shared_genes"] == list(slide.panel.genes)
    bound.hidden = own
    assert own[0] not in predict(bound, ("impute",), reference=reference).provenance["reference"]["shared_genes"]
    with pytest.raises(SpatiaError, match="Add it to --tasks"):
        predict(bound, ("embed",), reference=reference)
    with pytest.raises(PanelError, match="'NOPE'"):
        predict(bound, ("impute",), genes=["NOPE"], reference=reference)
