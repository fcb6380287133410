"""Predictions into a slide's store and back. Columns, embeddings, imputed table and provenance appear together."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_spatia.data import keys
from napari_spatia.data.slide import Slide
from napari_spatia.data.store import ExpressionTable, copy_store, read_obs, read_obsm, read_table, read_uns, write_cells
from napari_spatia.errors import SlideError
from napari_spatia.inference.prediction import Prediction


def write_prediction(slide: Slide, prediction: Prediction, out: str | Path | None = None) -> Path:
    """Writes a prediction into the slide's store, or into a copy of it at ``out``; returns the store written to.

    Results of tasks that this prediction lacks stay as they are; ``uns["spatia"]["tasks"]`` says which checkpoint each
    task's results come from. A copy appears whole or not at all. Raises `SlideError` when ``out`` exists, or the store
    cannot be written.
    """
    if out is None:
        _write(slide.path, slide, prediction)
        return slide.path
    out = Path(out)
    if out.exists():
        raise SlideError(
            f"'{out}' exists already. Expected a new path; remove it or name another. Nothing was changed."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as staging:
        copy = copy_store(slide.path, Path(staging) / out.name)
        _write(copy, slide, prediction)
        copy.rename(out)
    return out


def read_prediction(slide: Slide) -> Prediction | None:
    """What `write_prediction` has left in the slide's store, None when there is nothing."""
    provenance = _plain(read_uns(slide.path, slide.table_name, keys.UNS_SPATIA))
    if not isinstance(provenance, dict) or "tasks" not in provenance:
        return None
    obs = read_obs(slide.path, slide.table_name, keys.PREDICTED_OBS)
    rows = obs.index.get_indexer(slide.cell_id)
    obs = obs.iloc[rows]
    probability = _obsm(slide, keys.OBSM_TYPE_PROBABILITY, rows)
    embedding = {scale: _obsm(slide, key, rows) for scale, key in keys.EMBEDDINGS.items()}
    table = read_table(slide.path, keys.TABLE_IMPUTED)
    imputed = np.empty((slide.num_cells, 0), np.float32)
    if table is not None:
        imputed = table.matrix[pd.Index(table.cell_id).get_indexer(slide.cell_id)]
    return Prediction(
        cell_id=slide.cell_id,
        cell_type=_text(obs, keys.OBS_CELL_TYPE),
        confidence=_number(obs, keys.OBS_CELL_TYPE_CONFIDENCE),
        type_probability=probability,
        cell_types=tuple(provenance.pop("cell_types", ())),
        cluster=_text(obs, keys.OBS_CLUSTER),
        domain=_text(obs, keys.OBS_DOMAIN),
        embedding={scale: values for scale, values in embedding.items() if values is not None},
        imputed=imputed,
        imputed_genes=() if table is None else table.genes,
        provenance=provenance,
        of_imputed={} if table is None else {name: np.asarray(values) for name, values in table.of_genes.items()},
    )


def names_written(slide: Slide, prediction: Prediction) -> tuple[str, ...]:
    """What `write_prediction` leaves in the store, as a person names it: columns, arrays and tables."""
    return (
        *(f'obs["{name}"]' for name in _obs(prediction)),
        *(f'obsm["{name}"]' for name in _obsm_arrays(prediction)),
        f'uns["{keys.UNS_SPATIA}"] of table {slide.table_name}',
        *((f"table {keys.TABLE_IMPUTED}",) if prediction.imputed_genes else ()),
    )


def _obs(prediction: Prediction) -> dict[str, Any]:
    """The columns of the tasks that were asked for."""
    columns = {
        keys.OBS_CELL_TYPE: prediction.cell_type,
        keys.OBS_CELL_TYPE_CONFIDENCE: prediction.confidence,
        keys.OBS_CLUSTER: _as_categories(prediction.cluster),
        keys.OBS_DOMAIN: _as_categories(prediction.domain),
    }
    return {name: column for name, column in columns.items() if column is not None}


def _obsm_arrays(prediction: Prediction) -> dict[str, Any]:
    arrays: dict[str, Any] = {keys.EMBEDDINGS[scale]: values for scale, values in prediction.embedding.items()}
    if prediction.type_probability is not None:
        arrays[keys.OBSM_TYPE_PROBABILITY] = prediction.type_probability
    return arrays


def _write(store: Path, slide: Slide, prediction: Prediction) -> None:
    tables = {}
    if prediction.imputed_genes:
        tables[keys.TABLE_IMPUTED] = ExpressionTable(
            prediction.cell_id, prediction.imputed_genes, prediction.imputed, prediction.of_imputed
        )
    write_cells(
        store,
        slide.table_name,
        cell_id=prediction.cell_id,
        obs=_obs(prediction),
        obsm=_obsm_arrays(prediction),
        uns={keys.UNS_SPATIA: _merged_provenance(store, slide.table_name, prediction)},
        tables=tables,
    )


def _merged_provenance(store: Path, table_name: str, prediction: Prediction) -> dict[str, Any]:
    """The newest run's provenance, and for each task the run that its results in the store come from."""
    before = _plain(read_uns(store, table_name, keys.UNS_SPATIA))
    before = before if isinstance(before, dict) else {}
    checkpoint = prediction.provenance["checkpoint"]
    run = {
        "checkpoint": checkpoint["name"],
        "sha256": checkpoint["sha256"],
        "seed": prediction.provenance["options"]["seed"],
        "date": prediction.provenance["date"],
    }
    tasks = {task: run for task in prediction.provenance["options"]["tasks"]}
    return {
        **prediction.provenance,
        "cell_types": list(prediction.cell_types) or before.get("cell_types", []),
        "tasks": {**before.get("tasks", {}), **tasks},
    }


def _as_categories(names: NDArray[np.str_] | None) -> pd.Categorical | None:
    """Group names as categories in the order of their numbers, "2" before "10"."""
    return None if names is None else pd.Categorical(names, categories=sorted(set(names.tolist()), key=int))


def _obsm(slide: Slide, key: str, rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    values = read_obsm(slide.path, slide.table_name, key)
    return None if values is None else np.asarray(values[rows], np.float32)


def _text(obs: pd.DataFrame, name: str) -> NDArray[np.str_] | None:
    return obs[name].astype(object).fillna("").to_numpy(dtype=str) if name in obs else None


def _number(obs: pd.DataFrame, name: str) -> NDArray[np.float32] | None:
    return obs[name].to_numpy(dtype=np.float32) if name in obs else None


def _plain(value: Any) -> Any:
    """Dicts, lists and Python's own numbers and text from what AnnData reads."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
