"""A SpatialData store as a tree of named elements, and how one is chosen. Reads attributes only, never pixels."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_spatia.data import ngff
from napari_spatia.errors import SlideError

KINDS = ("images", "labels", "shapes", "tables")
_GROUP_FILES = ("zarr.json", ".zgroup")
_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError)
"""What zarr, numcodecs, anndata and pyarrow raise over a file that is cut short or is not what its neighbour says."""


@dataclass(frozen=True, slots=True)
class SlideStore:
    """An open SpatialData zarr, read-only. Element names are listed from the folders, so a stale index does no harm."""

    path: Path
    root: zarr.Group

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of the elements of one of `KINDS`, sorted."""
        folder = self.path / kind
        if not folder.is_dir():
            return ()
        return tuple(sorted(entry.name for entry in folder.iterdir() if is_zarr_group(entry)))

    def group(self, kind: str, name: str) -> zarr.Group:
        """One element."""
        node = self.root[f"{kind}/{name}"]
        if not isinstance(node, zarr.Group):
            raise SlideError(f"'{self.path / kind / name}' is an array; expected a SpatialData element (a group).")
        return node

    def attrs(self, kind: str, name: str) -> dict[str, Any]:
        """The attributes of one element."""
        return self.group(kind, name).attrs.asdict()

    def transforms(self, kind: str, name: str) -> list[dict[str, Any]]:
        """The coordinate transformations of an image, labels, shapes or points element."""
        attrs = self.attrs(kind, name)
        owner = attrs if kind in ("shapes", "points") else ngff.multiscale_of(attrs)
        return list(owner.get("coordinateTransformations", ()))


def is_zarr_group(folder: Path) -> bool:
    """Whether a folder is a zarr group, v2 or v3."""
    return any((folder / name).is_file() for name in _GROUP_FILES)


@contextmanager
def damage_named(path: Path, what: str) -> Iterator[None]:
    """Turn what the reading libraries raise over damaged files into one clear `SlideError`."""
    try:
        yield
    except _DAMAGE as error:
        detail = (str(error).strip().splitlines() or ["no further word"])[0].rstrip(".")
        raise SlideError(
            f"Cannot read {what} of '{path}': {detail} ({type(error).__name__}). Expected a complete SpatialData zarr; "
            "the store is truncated or damaged. Copy or write it again. Nothing was changed."
        ) from error


def open_store(path: Path) -> SlideStore:
    """Open a folder as SpatialData. Raises `SlideError` when it is missing, not a zarr, or not SpatialData."""
    if not path.exists():
        raise SlideError(f"No slide at '{path}'. Expected the folder of a SpatialData zarr; check the path.")
    if not path.is_dir() or not is_zarr_group(path):
        found = "a folder without zarr.json or .zgroup" if path.is_dir() else "a file"
        raise SlideError(
            f"'{path}' is not a zarr store: expected the folder of a SpatialData zarr, found {found}. "
            "Convert the folder of an instrument with spatialdata-io first."
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise SlideError(f"'{path}' may not be read by this user. Change its permissions.")
    with damage_named(path, "the root"):
        root = zarr.open_group(path, mode="r", use_consolidated=False)
    if not any((path / kind).is_dir() for kind in KINDS):
        found = ", ".join(sorted(entry.name for entry in path.iterdir() if entry.is_dir())[:6]) or "nothing"
        raise SlideError(
            f"'{path}' is a zarr store but not SpatialData: expected groups images, labels, shapes or tables; "
            f"found {found}. Write it with spatialdata, or convert an instrument's folder with spatialdata-io."
        )
    return SlideStore(path, root)


def choose(store: SlideStore, what: str, names: Sequence[str], wanted: str | None, keyword: str) -> str:
    """The wanted name, or the only one. Raises `SlideError`, listing the choices, when it is neither."""
    listed = ", ".join(names) or "none"
    option = "--" + keyword.replace("_", "-")
    if wanted is not None:
        if wanted not in names:
            raise SlideError(f"Slide '{store.path.name}' has no {what} '{wanted}'. It has: {listed}.")
        return wanted
    if not names:
        raise SlideError(
            f"Slide '{store.path.name}' has no {what}. Expected at least one; found: {contents(store)}. "
            f"Add one with spatialdata, or open another slide."
        )
    if len(names) > 1:
        raise SlideError(
            f"Slide '{store.path.name}' has {len(names)} choices of {what}: {listed}. Name one with {keyword}= "
            f"({option})."
        )
    return names[0]


def contents(store: SlideStore) -> str:
    """One line that lists a store's elements, for messages."""
    parts = [f"{kind} {', '.join(store.names(kind))}" for kind in KINDS if store.names(kind)]
    return "; ".join(parts) or "an empty store"


def stored_levels(store: SlideStore, kind: str, name: str) -> tuple[zarr.Array, ...]:
    """The pyramid of a raster, finest first. Checks shapes only; no chunk is read."""
    group = store.group(kind, name)
    multiscale = ngff.multiscale_of(group.attrs.asdict())
    expected = ("c", "y", "x") if kind == "images" else ("y", "x")
    axes = tuple(axis if isinstance(axis, str) else axis["name"] for axis in multiscale.get("axes", ()))
    if axes != expected:
        raise SlideError(
            f"{kind}/{name} of slide '{store.path.name}' has axes ({', '.join(axes)}). Expected "
            f"({', '.join(expected)}): a two-dimensional element. Choose one z plane or a projection first."
        )
    levels = tuple(group[dataset["path"]] for dataset in multiscale["datasets"])
    if not levels or any(level.ndim != len(expected) for level in levels):
        raise SlideError(f"{kind}/{name} of slide '{store.path.name}' has arrays that do not fit its axes {axes}.")
    return levels


def lazy(array: Any) -> da.Array:
    """A zarr array as dask, one chunk a block; random name, so that no cache mistakes a rewritten store for the old."""
    meta = np.empty((0,) * array.ndim, dtype=array.dtype)
    return da.from_array(array, chunks=array.chunks, name=False, meta=meta)
