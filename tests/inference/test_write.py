"""A prediction survives the store; the store survives a write."""

from dataclasses import replace

import numpy as np
import pytest
import spatialdata

from napari_spatia.data import keys
from napari_spatia.data.io import open_slide
from napari_spatia.errors import SlideError
from napari_spatia.inference.predict import predict
from napari_spatia.inference.write import read_prediction, write_prediction


def test_nothing_is_read_where_nothing_was_written(simulated):
    assert read_prediction(simulated) is None


def test_a_prediction_comes_back_whole(bound):
    written = predict(bound)
    assert write_prediction(bound.slide, written) == bound.slide.path
    found = read_prediction(open_slide(bound.slide.path))
    for name in ("cell_id", "cell_type", "cluster", "domain"):
        assert (getattr(found, name) == getattr(written, name)).all(), name
    assert np.allclose(found.confidence, written.confidence)
    assert np.allclose(found.type_probability, written.type_probability)
    assert found.cell_types == written.cell_types
    assert found.imputed_genes == written.imputed_genes
    assert np.allclose(found.imputed, written.imputed)
    assert list(found.of_imputed[keys.VAR_SOURCE]) == list(written.of_imputed[keys.VAR_SOURCE])
    assert all(np.allclose(found.embedding[scale], written.embedding[scale]) for scale in ("cell", "niche", "tissue"))
    assert found.provenance["checkpoint"] == written.provenance["checkpoint"]
    assert found.provenance["options"] == written.provenance["options"]


def test_other_tools_find_the_columns_where_they_are_promised(bound):
    written = predict(bound)
    write_prediction(bound.slide, written)
    store = spatialdata.read_zarr(bound.slide.path)
    table = store.tables[bound.slide.table_name]
    assert (table.obs["spatia_cell_type"].astype(str) == written.cell_type).all()
    assert np.allclose(table.obs["spatia_cell_type_confidence"], written.confidence)
    assert {"spatia_cluster", "spatia_domain", "cell_type", "niche"} <= set(table.obs.columns)
    assert list(table.obs["spatia_cluster"].cat.categories) == [str(i + 1) for i in range(len(set(written.cluster)))]
    assert {"spatia_cell", "spatia_niche", "spatia_tissue"} <= set(table.obsm)
    assert table.uns["spatia"]["checkpoint"]["sha256"] == "0" * 64
    assert float(table.uns["spatia"]["checkpoint"]["held_out"]["type_accuracy"]) == 0.9
    imputed = store.tables[keys.TABLE_IMPUTED]
    assert imputed.shape == written.imputed.shape
    assert (bound.slide.counts != table.X).nnz == 0


def test_a_later_task_keeps_the_earlier_and_each_says_its_checkpoint(bound):
    write_prediction(bound.slide, predict(bound, tasks=("annotate",)))
    later = predict(bound, tasks=("cluster",), seed=9)
    later.provenance["checkpoint"]["name"] = "another"
    write_prediction(bound.slide, later)
    found = read_prediction(open_slide(bound.slide.path))
    assert found.cell_type is not None and found.cluster is not None and found.cell_types == bound.types
    tasks = found.provenance["tasks"]
    assert tasks["annotate"]["checkpoint"] == "fake" and tasks["cluster"]["checkpoint"] == "another"
    assert tasks["cluster"]["seed"] == 9


def test_out_is_a_copy_and_the_slide_stays_as_it_was(bound, tmp_path):
    out = write_prediction(bound.slide, predict(bound, tasks=("annotate",)), tmp_path / "new" / "copy.zarr")
    assert read_prediction(bound.slide) is None
    copy = open_slide(out)
    assert read_prediction(copy).cell_type is not None
    assert (copy.counts != bound.slide.counts).nnz == 0
    assert [entry.name for entry in out.parent.iterdir()] == ["copy.zarr"]


def test_an_existing_out_is_refused(bound, tmp_path):
    (tmp_path / "there.zarr").mkdir()
    with pytest.raises(SlideError, match="exists already"):
        write_prediction(bound.slide, predict(bound, tasks=("annotate",)), tmp_path / "there.zarr")


def test_a_copy_that_cannot_be_written_leaves_nothing(bound, tmp_path):
    prediction = predict(bound, tasks=("annotate",))
    short = replace(prediction, cell_type=prediction.cell_type[:-1])
    with pytest.raises(SlideError):
        write_prediction(bound.slide, short, tmp_path / "new" / "copy.zarr")
    assert list((tmp_path / "new").iterdir()) == []
