"""What napari-spatia adds to a slide's store: columns, embeddings, notes and tables, each whole or not at all."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data import keys
from napari_spatia.data.elements import SlideStore, damage_named, open_store
from napari_spatia.data.ids import as_text
from napari_spatia.data.table import read_annotation
from napari_spatia.data.transaction import Transaction, recover, transaction, zarr_format
from napari_spatia.errors import SlideError
from napari_spatia.files import staged_folder

_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_TABLE_VERSION = {2: "0.1", 3: "0.2"}


@dataclass(frozen=True, slots=True)
class ExpressionTable:
    """Values of some genes in some cells: ``matrix`` `(n, K)` float32, ``cell_id`` `(n,)` str, ``genes`` `(K,)`.

    ``of_genes`` has columns `(K,)` that describe the genes; they are written into the table's var.
    """

    cell_id: NDArray[np.str_]
    genes: tuple[str, ...]
    matrix: NDArray[np.float32]
    of_genes: Mapping[str, ArrayLike] = field(default_factory=dict)


def write_cells(
    slide_path: str | Path,
    table_name: str,
    *,
    cell_id: ArrayLike | None = None,
    obs: Mapping[str, ArrayLike] | None = None,
    obsm: Mapping[str, ArrayLike] | None = None,
    uns: Mapping[str, Any] | None = None,
    tables: Mapping[str, ExpressionTable] | None = None,
) -> None:
    """Write obs columns, obsm arrays, uns entries and further tables into a slide's store, all of them or none.

    Parameters
    ----------
    cell_id
        `(n,)` ids of the rows that are given; cells of the table that are not named get missing values. None: the rows
        are the table's, all and in order (a pandas Series is aligned by its own index instead).
    obs
        Columns `(n,)`. Text becomes categorical; None, NaN and "" in text are missing.
    obsm
        Arrays `(n, d)`.
    uns
        Entries: nested dicts of text, numbers, arrays, lists, None.
    tables
        New tables that annotate the same region, such as imputed expression.

    Raises
    ------
    SlideError
        For a store that is read-only, busy or damaged, a missing table, a bad name, or rows that do not fit.
    """
    path = Path(slide_path)
    recover(path)
    store = open_store(path)
    index = _index_of(store, table_name)
    frame = f"tables/{table_name}"
    with transaction(path) as change:
        for name, values in (obs or {}).items():
            _check_name(name, store.group("tables", table_name)["obs"].attrs["column-order"], "obs column")
            change.list_column(f"{frame}/obs", name)
            _stage(change, f"{frame}/obs/{name}", _column(name, values, cell_id, index))
        for name, array in (obsm or {}).items():
            _check_name(name, (), "obsm key")
            _stage(change, f"{frame}/obsm/{name}", _rows(name, array, cell_id, index))
        for name, value in (uns or {}).items():
            _check_name(name, (), "uns key")
            _stage(change, f"{frame}/uns/{name}", storable(value))
        for name, table in (tables or {}).items():
            _check_name(name, store.names("tables"), "table")
            _stage_table(change, name, _table_like(store, table_name, table))


def write_obs_columns(
    slide_path: str | Path,
    table_name: str,
    columns: Mapping[str, ArrayLike],
    uns: Mapping[str, Any] | None = None,
    *,
    cell_id: ArrayLike | None = None,
) -> None:
    """Write obs columns, and uns entries with them; see `write_cells`."""
    write_cells(slide_path, table_name, obs=columns, uns=uns, cell_id=cell_id)


def write_obsm(
    slide_path: str | Path, table_name: str, arrays: Mapping[str, ArrayLike], *, cell_id: ArrayLike | None = None
) -> None:
    """Write obsm arrays; see `write_cells`."""
    write_cells(slide_path, table_name, obsm=arrays, cell_id=cell_id)


def write_table(slide_path: str | Path, name: str, table: ExpressionTable, *, like: str) -> None:
    """Write a table that annotates the same cells as table ``like``, replacing one of the same name."""
    write_cells(slide_path, like, tables={name: table})


def read_obs(slide_path: str | Path, table_name: str, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    """The obs of a table, all columns or those of the named ones that are there; nothing else is read."""
    store = _open_for_reading(slide_path, table_name)
    with damage_named(store.path, f"obs of table '{table_name}'"):
        group = store.group("tables", table_name)["obs"]
        if columns is None:
            frame = read_elem(group)
        else:
            listed = [name for name in columns if name in group.attrs["column-order"]]
            frame = pd.DataFrame({name: read_elem(group[name]) for name in listed}, index=_index_of(store, table_name))
    frame.index = frame.index.astype(str)
    return frame


def read_ids(slide_path: str | Path, table_name: str) -> NDArray[np.str_]:
    """`(table rows,)` the ids of a table's cells."""
    return _ids_of(_open_for_reading(slide_path, table_name), table_name)


def read_obsm(slide_path: str | Path, table_name: str, key: str) -> NDArray[Any] | None:
    """One obsm array `(table rows, d)`, or None."""
    found = _read_entry(slide_path, table_name, "obsm", key)
    return None if found is None else np.asarray(found)


def read_uns(slide_path: str | Path, table_name: str, key: str) -> Any | None:
    """One uns entry, or None."""
    return _read_entry(slide_path, table_name, "uns", key)


def read_table(slide_path: str | Path, name: str) -> ExpressionTable | None:
    """A table that `write_table` wrote, or None when the slide has none of that name."""
    path = Path(slide_path)
    recover(path)
    store = open_store(path)
    if name not in store.names("tables"):
        return None
    with damage_named(path, f"table '{name}'"):
        group = store.group("tables", name)
        matrix = read_elem(group["X"])
        matrix = matrix.toarray() if isinstance(matrix, csr_matrix) else np.asarray(matrix)
        var = read_elem(group["var"])
        of_genes = {str(column): values.to_numpy() for column, values in var.items()}
        return ExpressionTable(
            _ids_of(store, name),
            tuple(var.index.astype(str)),
            matrix.astype(np.float32, copy=False),
            of_genes,
        )


def copy_store(slide_path: str | Path, out: str | Path) -> Path:
    """Copy a whole store to ``out``, which must not exist; writable whatever the original's permissions."""
    source, out = Path(slide_path), Path(out)
    open_store(source)
    recover(source)
    if out.exists():
        raise SlideError(
            f"'{out}' exists already. Expected a new path; remove it or name another. Nothing was changed."
        )
    with staged_folder(out) as staged:
        shutil.copytree(source, staged, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for folder in (staged, *(entry for entry in staged.rglob("*") if entry.is_dir())):
            folder.chmod(0o755)
    return out


def _open_for_reading(slide_path: str | Path, table_name: str) -> SlideStore:
    path = Path(slide_path)
    recover(path)
    store = open_store(path)
    _require_table(store, table_name)
    return store


def _require_table(store: SlideStore, table_name: str) -> None:
    if table_name not in store.names("tables"):
        raise SlideError(
            f"Slide '{store.path.name}' has no table '{table_name}'. It has: "
            f"{', '.join(store.names('tables')) or 'none'}."
        )


def _read_entry(slide_path: str | Path, table_name: str, kind: str, key: str) -> Any | None:
    store = _open_for_reading(slide_path, table_name)
    with damage_named(store.path, f"{kind}['{key}'] of table '{table_name}'"):
        group = store.group("tables", table_name)
        return read_elem(group[f"{kind}/{key}"]) if f"{kind}/{key}" in group else None


def _index_of(store: SlideStore, table_name: str) -> pd.Index:
    return pd.Index(_ids_of(store, table_name).astype(object))


def _ids_of(store: SlideStore, table_name: str) -> NDArray[np.str_]:
    _require_table(store, table_name)
    with damage_named(store.path, f"the index of table '{table_name}'"):
        obs = store.group("tables", table_name)["obs"]
        return as_text(read_elem(obs[obs.attrs["_index"]]))


def _check_name(name: str, taken: Any, what: str) -> None:
    """SpatialData's rule: letters, digits, ``-._``; unique whatever the case."""
    if not _NAME.fullmatch(name) or name in (".", "..", "_index") or name.startswith("__"):
        raise SlideError(f"'{name}' is no name for a {what}. Expected letters, digits and - . _ only.")
    alike = [other for other in taken if other.lower() == name.lower() and other != name]
    if alike:
        raise SlideError(
            f"A {what} '{alike[0]}' exists; SpatialData tells names apart whatever their case. Not '{name}'."
        )


def _positions(cell_id: ArrayLike, index: pd.Index, what: str) -> NDArray[np.intp]:
    """`(n,)` rows of the table that hold the given cells."""
    ids = pd.Index(np.asarray(cell_id).astype(str))
    positions = index.get_indexer(ids) if index.is_unique else np.full(len(ids), -1)
    if (positions < 0).any() or ids.has_duplicates:
        odd = "given twice" if ids.has_duplicates else f"not in the table, such as '{ids[int(np.argmin(positions))]}'"
        raise SlideError(f"{what} cannot be written: it has cells {odd}. Expected ids of the table's index, each once.")
    return np.asarray(positions, dtype=np.intp)


def _check_length(length: int, expected: int, what: str) -> None:
    if length != expected:
        raise SlideError(f"{what} has {length} rows; expected {expected}, one for each cell. Nothing was changed.")


def _column(name: str, values: ArrayLike, cell_id: ArrayLike | None, index: pd.Index) -> Any:
    """A column of the whole table in the form in which AnnData stores it."""
    given = values if isinstance(values, pd.Series) else pd.Series(values)
    if cell_id is None and isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        cell_id = values.index
    what = f"obs column '{name}'"
    if cell_id is not None:
        _check_length(len(given), len(np.asarray(cell_id)), what)
        order = np.full(len(index), -1)
        order[_positions(cell_id, index, what)] = np.arange(len(given))
        given = given.reset_index(drop=True).reindex(order).reset_index(drop=True)
    _check_length(len(given), len(index), what)
    if isinstance(given.dtype, pd.CategoricalDtype):
        return pd.Categorical(given)
    if pd.api.types.is_bool_dtype(given.dtype) or pd.api.types.is_numeric_dtype(given.dtype):
        return given.to_numpy()
    text = given.astype(object).where(given.notna(), None)
    return pd.Categorical([str(value) if value not in (None, "") else None for value in text])


def _rows(name: str, array: ArrayLike, cell_id: ArrayLike | None, index: pd.Index) -> NDArray[Any]:
    """An obsm array of the whole table; cells that are not given get NaN."""
    given, what = np.asarray(array), f"obsm['{name}']"
    if given.ndim != 2:
        raise SlideError(f"{what} has {given.ndim} dimensions; expected 2, a row for each cell.")
    if cell_id is None:
        _check_length(len(given), len(index), what)
        return given
    _check_length(len(given), len(np.asarray(cell_id)), what)
    full = np.full((len(index), given.shape[1]), np.nan, np.result_type(given.dtype, np.float32))
    full[_positions(cell_id, index, what)] = given
    return full


def storable(value: Any) -> Any:
    """A value that AnnData can store: tuples and lists become arrays, paths text."""
    if isinstance(value, Mapping):
        return {str(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) or item is None for item in value):
            return {str(idx): storable(item) for idx, item in enumerate(value)}
        return np.array([str(item) if isinstance(item, Path) else item for item in value], dtype=None if value else str)
    return str(value) if isinstance(value, Path) else value


def _stage(change: Transaction, target: str, value: Any) -> None:
    write_elem(change.group, change.stage(target), value)


def _table_like(store: SlideStore, table_name: str, table: ExpressionTable) -> ad.AnnData:
    """The table as AnnData with the region and instance columns of the slide's own table."""
    annotation = read_annotation(store, table_name)
    rows = _positions(table.cell_id, _index_of(store, table_name), "the table")
    columns = tuple(name for name in (annotation.region_key, annotation.instance_key) if name is not None)
    obs = read_obs(store.path, table_name, columns).iloc[rows]
    uns: dict[str, Any] = {}
    if annotation.region_key and annotation.instance_key:
        regions = [name for name in annotation.regions if name in set(obs[annotation.region_key].astype(str))]
        uns[keys.UNS_SPATIALDATA] = {
            "region": regions[0] if len(regions) == 1 else np.array(regions),
            "region_key": annotation.region_key,
            "instance_key": annotation.instance_key,
        }
    var = pd.DataFrame(dict(table.of_genes), index=pd.Index(table.genes, dtype=object))
    return ad.AnnData(X=np.asarray(table.matrix, np.float32), obs=obs, var=var, uns=uns)


def _stage_table(change: Transaction, name: str, table: ad.AnnData) -> None:
    key = change.stage(f"tables/{name}")
    write_elem(change.group, key, table)
    attrs = table.uns.get(keys.UNS_SPATIALDATA, {"region": None, "region_key": None, "instance_key": None})
    region = attrs["region"]
    change.group[key].attrs.update(
        {
            **attrs,
            "region": region.tolist() if isinstance(region, np.ndarray) else region,
            "spatialdata-encoding-type": "ngff:regions_table",
            "version": _TABLE_VERSION[zarr_format(change.store)],
        }
    )
