"""The benchmarks of reach and of missing inputs, on a small slide and a tiny untrained model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from napari_spatia.benchmark import missing as missing_module
from napari_spatia.benchmark.missing import missing
from napari_spatia.benchmark.reach import LOG2_FC, calibration, latency
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import silent


@pytest.fixture(scope="module")
def predictor(slide, tmp_path_factory):
    types = tuple(sorted(set(slide.obs["cell_type"].astype(str))))
    config = ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, types)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SpatiaModel(config).eval()
        columns = sum(model.readings.size.values())  # whatever is seen tells something of every gene
        seen = torch.randn(400, 60) @ torch.rand(60, columns)
        model.readings.solve_expression(seen, csr_matrix(seen[:, : len(config.panel)].numpy()))
    y0, x0, y1, x1 = slide.image.extent_um
    provenance = {
        "slides": [slide.name],
        "splits": [{"validation": [[y0, x0, y1, (x0 + x1) / 2]], "test": [], "margin_um": 0.0}],
    }
    intensity = {"black": (0.0,) * 4, "mean": (5.0,) * 4, "std": (2.0,) * 4}
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_checkpoint(
        folder, model, CheckpointConfig(name="tiny", model=config, intensity=intensity, provenance=provenance)
    )
    return Predictor.load(folder, "cpu")


def test_calibration_scores_both_spaces(predictor, slide):
    found = calibration(predictor.bind(slide, inputs=("genes",)), 20, 0)
    assert found["left_out_cells"] == 20 and found["seen_cells"] + 20 + found["validation_cells"] <= slide.num_cells
    for space in ("gene_encoder", "principal_components"):
        scores = found[space]
        assert 0 < scores["ks_left_out"] < 1 and 0.4 < scores["unreal_auc"] <= 1
        of_edits = scores["mean_percentile_of_edits"]
        assert len(of_edits) == len(LOG2_FC) and of_edits["4"] >= of_edits["0"]


def test_latency_of_few_points_is_exact():
    found = latency(np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32), 500, 0)
    assert found["recall_at_10"] == 1.0 and found["points"] == 500
    assert found["index"]["p50_ms"] > 0 and found["all"]["own_work_p95_ms"] >= 0


def test_each_way_of_reading_has_a_row_and_reads_what_it_says(predictor, slide, monkeypatch):
    monkeypatch.setattr(missing_module, "HIDDEN_GENES", 10)
    panel, cells = slide.panel.genes[:100], np.arange(40)
    found = missing(predictor, slide, panel, cells, 0, silent)
    rows, num_genes = found["rows"], len(slide.panel)
    assert rows["everything"]["genes_read"] == num_genes - 10
    assert rows["panel"]["genes_read"] == 100 - len(set(panel) & set(found["hidden_genes"]))
    assert rows["image"]["genes_read"] == 0
    expression = {name: row["hidden_genes_pearson"] for name, row in rows.items()}
    assert len(set(expression.values())) == len(rows)  # each way gives the model something else to read
    with pytest.raises(SpatiaError, match="no column of known types"):
        missing(predictor, replace(slide, obs=slide.obs[["niche"]]), panel, cells, 0, silent)
