"""The main job by script: simulate, open, predict, edit, annotate, export, reopen; with the shipped model."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.errors import SlideError
from napari_spatia.inference.registry import list_shipped
from napari_spatia.session.session import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("sim-small" not in list_shipped(), reason="this checkout ships no checkpoint 'sim-small'"),
]


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    path = tmp_path_factory.mktemp("tissue") / "tissue.zarr"
    simulate_slide(path, num_cells=200, seed=77)
    return path


def test_open_predict_edit_annotate_export_reopen(tissue, tmp_path):
    session = Session(sidecar=tmp_path / "journal")
    session.open(tissue)
    session.load_checkpoint("sim-small", "cpu")
    session.predict(tasks=("embed", "annotate", "cluster"))
    session.save_prediction()

    cell_id = str(session.slide.cell_id[10])
    session.select_cell(cell_id)
    state = session.state
    assert np.array_equal(state.counterfactual.image, state.cell.zero_edit), "a zero edit changes no pixel"
    gene = state.edit.present.terms[0][0]
    session.set_log2_fc(gene, 3.0)
    session.render()
    assert not np.array_equal(state.counterfactual.image, state.cell.zero_edit)
    session.examine()
    assert 0 <= state.evidence.reach_percentile <= 100

    session.add_class("mine", (1, 2, 3))
    session.annotate(cell_id, "mine")
    session.save_annotations()
    session.export(tmp_path / "out", ["geojson", "csv", "h5ad"])
    assert all(path.stat().st_size for path in state.exported)
    features = json.loads(next(path for path in state.exported if path.suffix == ".geojson").read_text())["features"]
    assert len(features) == session.slide.num_cells

    reference = tmp_path / "reference.h5ad"
    panel, further = session.slide.panel.genes[:150], ("BEYOND1", "BEYOND2")
    counts = np.hstack([session.slide.counts[:, :150].toarray(), session.slide.counts[:, :2].toarray()])
    ad.AnnData(counts, var=pd.DataFrame(index=[*panel, *further])).write_h5ad(reference)
    session.predict(tasks=("annotate", "impute"), inputs=("genes", "niche"), reference=reference)
    prediction = session.state.prediction
    assert prediction.provenance["options"]["inputs"] == ["genes", "niche"]
    assert prediction.imputed_genes[-2:] == further and prediction.provenance["reference"]["cells"] == 200
    with pytest.raises(SlideError, match="nowhere.h5ad' cannot be read"):
        session.predict(inputs=("genes",), reference=tmp_path / "nowhere.h5ad", tasks=("impute",))
    assert session.state.prediction is prediction

    again = Session(sidecar=tmp_path / "other-journal")
    again.open(tissue)
    assert again.state.colour == "type" and np.array_equal(again.state.prediction.cell_type, state.prediction.cell_type)
    assert dict(again.state.annotations.assigned) == {cell_id: "mine"}
    assert again.state.annotations.find("mine").colour == (1, 2, 3)
