"""A slide's table: what it annotates, its cells, its raw counts."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata.io import read_elem
from anndata.utils import make_index_unique
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from napari_spatia.data import keys
from napari_spatia.data.elements import SlideStore, choose
from napari_spatia.data.ids import IdRows, read_texts
from napari_spatia.data.panel import Panel
from napari_spatia.errors import SlideError

_CHECKED_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a table says about itself: the elements its rows belong to and the column that names their cells."""

    table_name: str
    regions: tuple[str, ...]
    region_key: str | None
    instance_key: str | None


def choose_table(store: SlideStore, wanted: str | None) -> str:
    """The slide's own table; tables that napari-spatia wrote beside it are passed over unless named."""
    names = store.names("tables")
    own = tuple(name for name in names if not name.startswith(f"{keys.PREFIX}_"))
    return choose(store, "table", names if wanted in names else own, wanted, "table")


def read_annotation(store: SlideStore, table_name: str) -> Annotation:
    """The region and instance keys of a table, from its attributes or from its ``uns``."""
    group = store.group("tables", table_name)
    attrs = group.attrs.asdict()
    if attrs.get("region") is None and f"uns/{keys.UNS_SPATIALDATA}" in group:
        attrs = {key: _plain(value) for key, value in read_elem(group[f"uns/{keys.UNS_SPATIALDATA}"]).items()}
    region = attrs.get("region")
    regions = (region,) if isinstance(region, str) else tuple(str(name) for name in region or ())
    return Annotation(table_name, regions, attrs.get("region_key"), attrs.get("instance_key"))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def read_cells(
    store: SlideStore, annotation: Annotation, region: str | None
) -> tuple[pd.DataFrame, NDArray[np.str_], NDArray[np.intp]]:
    """The obs of the rows that belong to ``region`` (all rows for None), their `(N,)` ids and places in the table.

    The ids are no index of the obs: as Python's texts they would take as long as all of its columns.
    """
    group = store.group("tables", annotation.table_name)["obs"]
    cell_id = read_texts(group[group.attrs["_index"]])
    columns = {name: read_elem(group[name]) for name in group.attrs["column-order"]}
    obs = pd.DataFrame(columns, index=pd.RangeIndex(len(cell_id)))
    twice = IdRows(cell_id).twice()
    if twice is not None:
        raise SlideError(
            f"Table '{annotation.table_name}' of slide '{store.path.name}' names cell '{twice}' more than once. "
            "Expected a unique index; call obs_names_make_unique() and write the table again."
        )
    rows = np.arange(len(obs))
    if region is not None and annotation.region_key in obs:
        rows = np.flatnonzero(_is_value(obs[annotation.region_key], region))
        obs = obs if len(rows) == len(obs) else obs.iloc[rows].reset_index(drop=True)
    if not len(obs):
        raise SlideError(
            f"Table '{annotation.table_name}' of slide '{store.path.name}' has no cell of region '{region}'. "
            f"Expected rows with obs['{annotation.region_key}'] == '{region}'."
        )
    return obs, cell_id if len(rows) == len(cell_id) else cell_id[rows], rows


def _is_value(column: pd.Series, text: str) -> NDArray[np.bool_]:
    """Where a column reads ``text``; of categories only their names are compared.

    No `pd.Series` is given to numpy: it asks for attributes that there are not, and pandas then hashes the index.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        meant = np.flatnonzero(column.cat.categories.astype(str) == text)
        return np.isin(column.cat.codes.to_numpy(), meant)
    return (column.astype(str) == text).to_numpy()


def instance_values(
    store: SlideStore, annotation: Annotation, obs: pd.DataFrame, cell_id: NDArray[np.str_], column: str | None
) -> pd.Series:
    """`(N,)` unique, present names of the cells in an element: a column of obs, or the ids for None."""
    if column is None:
        return pd.Series(cell_id.astype(object))
    where = f"Table '{annotation.table_name}' of slide '{store.path.name}'"
    if column not in obs:
        raise SlideError(
            f"{where} has no instance column '{column}', which its attributes name. Columns: "
            f"{', '.join(map(str, obs.columns[:12]))}. Add it, or set the instance_key with spatialdata."
        )
    values = obs[column]
    if values.isna().any():
        raise SlideError(
            f"{where}: {int(values.isna().sum())} of {len(values)} instance ids in obs['{column}'] are missing. "
            "Expected one for each cell; drop these rows and write the table again."
        )
    if values.duplicated().any():
        raise SlideError(
            f"{where}: instance id {values[values.duplicated()].iloc[0]} stands more than once in obs['{column}']. "
            "Expected unique ids within a region; remove the double rows."
        )
    return values


def as_label_ids(values: pd.Series) -> NDArray[np.int64] | None:
    """`(N,)` int64 label values, or None when the names are not whole numbers."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return values.to_numpy(dtype=np.int64)
    numbers = pd.to_numeric(values.astype(str), errors="coerce")
    if numbers.isna().any() or (numbers % 1 != 0).any():
        return None
    return np.array([int(float(value)) if "." in value else int(value) for value in values.astype(str)], np.int64)


def read_counts(store: SlideStore, table_name: str) -> tuple[csr_matrix, Panel]:
    """Raw counts `(N, G)` float32 CSR of all rows, and the panel.

    Taken from ``X``, or from a layer of `keys.COUNT_LAYERS`, or from ``raw.X``: the first that holds whole numbers.
    Control features stay out where ``var["feature_types"]`` tells them from genes.
    """
    matrix, where = _find_counts(store, table_name)
    genes, is_gene = _features(store, table_name, "raw/var" if where == "raw/X" else "var", matrix.shape[1])
    if not is_gene.all():
        matrix = matrix[:, np.flatnonzero(is_gene)]
    matrix.sort_indices()
    return matrix, Panel(tuple(genes[is_gene]))


def _find_counts(store: SlideStore, table_name: str) -> tuple[csr_matrix, str]:
    group = store.group("tables", table_name)
    example: float | None = None
    for where in ("X", *(f"layers/{layer}" for layer in keys.COUNT_LAYERS), "raw/X"):
        stored = read_elem(group[where]) if where in group else None
        if stored is None:
            continue
        matrix = (
            csr_matrix(stored, dtype=np.float32) if issparse(stored) else csr_matrix(np.asarray(stored, np.float32))
        )
        num_stored = group[f"{where}/data"].shape[0] if issparse(stored) else matrix.nnz
        if matrix.nnz != num_stored or not _is_well_formed(matrix):
            raise SlideError(
                f"{where} of table '{table_name}' of slide '{store.path.name}' is damaged: its rows do not add up. "
                "Copy or write the store again. Nothing was changed."
            )
        odd = first_non_count(matrix)
        if odd is None:
            return matrix, where
        example = odd if example is None else example
    found = "no matrix at all" if example is None else f"values such as {example:.4g} in X"
    raise SlideError(
        f"Table '{table_name}' of slide '{store.path.name}' has no raw counts: expected whole numbers ≥ 0 in X, or "
        f"in a layer {', '.join(keys.COUNT_LAYERS)}; found {found}. Put the raw counts in layers['counts']."
    )


def _is_well_formed(matrix: csr_matrix) -> bool:
    indptr, indices = matrix.indptr, matrix.indices
    if indptr[0] != 0 or indptr[-1] != len(indices) or len(indices) != len(matrix.data) or (np.diff(indptr) < 0).any():
        return False
    return not len(indices) or (indices.min() >= 0 and indices.max() < matrix.shape[1])


def first_non_count(matrix: csr_matrix) -> float | None:
    """A value that is no whole number ≥ 0, among at most `_CHECKED_VALUES` spread over the matrix."""
    values = matrix.data[:: max(1, len(matrix.data) // _CHECKED_VALUES)]
    odd = ~np.isfinite(values) | (values < 0) | (values % 1 != 0)
    return float(values[odd.argmax()]) if odd.any() else None


def _features(
    store: SlideStore, table_name: str, var_path: str, num_features: int
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """`(F,)` unique names of the features and whether each is a gene."""
    group = store.group("tables", table_name)
    if var_path not in group:
        warnings.warn(
            f"Table '{table_name}' of slide '{store.path.name}' names no genes ({var_path} is missing); its "
            f"{num_features} genes are called 0, 1, 2, … here and no checkpoint will know them.",
            stacklevel=2,
        )
        return np.arange(num_features).astype(str), np.ones(num_features, bool)
    var = read_elem(group[var_path])
    if len(var) != num_features:
        raise SlideError(
            f"Table '{table_name}' of slide '{store.path.name}' names {len(var)} genes for {num_features} columns of "
            "counts. The store is damaged; copy or write it again."
        )
    index = var.index.astype(str)
    if index.has_duplicates:
        twice = sorted(set(index[index.duplicated()]))
        warnings.warn(
            f"Table '{table_name}' of slide '{store.path.name}' has {len(twice)} gene names more than once "
            f"({', '.join(twice[:3])}); the later ones are called '{twice[0]}-1', … here.",
            stacklevel=2,
        )
        index = make_index_unique(index)
    is_gene = np.ones(num_features, bool)
    if keys.VAR_FEATURE_TYPES in var:
        typed = (var[keys.VAR_FEATURE_TYPES].astype(str) == keys.GENE_FEATURE_TYPE).to_numpy()
        is_gene = typed if typed.any() else is_gene
    return index.to_numpy(dtype=str), is_gene
