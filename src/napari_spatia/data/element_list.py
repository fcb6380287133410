"""What a slide's store holds, element by element, and what the slide makes of each. Reads attributes, never pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zarr

from napari_spatia.data import ngff
from napari_spatia.data.elements import SlideStore, open_store
from napari_spatia.data.shapes import shapes_file
from napari_spatia.data.slide import Slide
from napari_spatia.data.transcripts import points_file
from napari_spatia.errors import SlideError

KINDS = ("images", "labels", "shapes", "points", "tables")
AS_IMAGE, AS_CELLS, AS_TABLE = "image", "cells", "table"
"""What a slide is made of: the stains, the labels or shapes of its cells, and their table."""


@dataclass(frozen=True, slots=True)
class StoredElement:
    """One element of a store: its size in words, the coordinate systems that it lies in.

    ``use`` is what the slide uses it as, one of `AS_IMAGE`, `AS_CELLS`, `AS_TABLE`, or empty. ``problem`` says why it
    cannot be shown, and is empty where it can.
    """

    kind: str
    name: str
    size: str
    coordinate_systems: tuple[str, ...] = ()
    use: str = ""
    problem: str = ""

    @property
    def path(self) -> str:
        """Where it lies in the store, such as ``images/morphology``: its name among all elements."""
        return f"{self.kind}/{self.name}"

    @property
    def could_be(self) -> str:
        """What a slide could use it as: one of `AS_IMAGE`, `AS_CELLS`, `AS_TABLE`, or nothing."""
        return {"images": AS_IMAGE, "labels": AS_CELLS, "shapes": AS_CELLS, "tables": AS_TABLE}.get(self.kind, "")


def list_elements(slide: Slide) -> tuple[StoredElement, ...]:
    """All elements of the slide's store, kind by kind; none for a slide that is only in memory."""
    if not slide.path.exists():
        return ()
    store = open_store(slide.path)
    return tuple(_listed(store, slide, kind, name) for kind in KINDS for name in store.names(kind))


def own_elements(slide: Slide, store: SlideStore) -> dict[str, str]:
    """What the slide is made of: the path of each element and its use."""
    kind_of_cells = "labels" if slide.labels_name in store.names("labels") else "shapes"
    return {
        f"images/{slide.image_name}": AS_IMAGE,
        f"{kind_of_cells}/{slide.labels_name}": AS_CELLS,
        f"tables/{slide.table_name}": AS_TABLE,
    }


def _listed(store: SlideStore, slide: Slide, kind: str, name: str) -> StoredElement:
    """One element; what is damaged is listed too, with what is wrong with it."""
    use = own_elements(slide, store).get(f"{kind}/{name}", "")
    try:
        size = _SIZE_OF[kind](store, kind, name)
        systems = () if kind == "tables" else ngff.coordinate_systems(store.transforms(kind, name))
        axes = _axes(store, kind, name) if kind in ("images", "labels") else ()
    except (SlideError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        return StoredElement(kind, name, "cannot be read", use=use, problem=f"{kind}/{name} cannot be read: {error}")
    problem = ""
    if not set(axes) <= {"c", "y", "x"}:
        problem = f"{kind}/{name} has axes {', '.join(axes)}; only c, y and x can be shown."
    elif kind != "tables" and slide.coordinate_system not in systems:
        problem = (
            f"{kind}/{name} lies in {', '.join(systems) or 'no coordinate system'}, not in "
            f"'{slide.coordinate_system}', in which the slide is shown."
        )
    return StoredElement(kind, name, size, systems, use, problem)


def _axes(store: SlideStore, kind: str, name: str) -> tuple[str, ...]:
    axes = ngff.multiscale_of(store.attrs(kind, name))["axes"]
    return tuple(axis if isinstance(axis, str) else axis["name"] for axis in axes)


def _raster_size(store: SlideStore, kind: str, name: str) -> str:
    group = store.group(kind, name)
    finest = group[ngff.multiscale_of(group.attrs.asdict())["datasets"][0]["path"]]
    lengths = dict(zip(_axes(store, kind, name), finest.shape, strict=True))
    others = [f"{length} {axis} ×" for axis, length in lengths.items() if axis not in "yx"]
    return " ".join([*others, f"{lengths['y']:,} × {lengths['x']:,} px"])


def _num_shapes(store: SlideStore, kind: str, name: str) -> str:
    return f"{_num_rows(shapes_file(store, name)):,} shapes"


def _num_points(store: SlideStore, kind: str, name: str) -> str:
    return f"{num_points(store, name):,} points"


def _table_size(store: SlideStore, kind: str, name: str) -> str:
    group = store.group("tables", name)
    rows, columns = (_index_length(group, frame) for frame in ("obs", "var"))
    return f"{rows:,} cells × {columns:,} genes"


def _index_length(group: zarr.Group, frame: str) -> int:
    index = group[f"{frame}/{group[frame].attrs['_index']}"]
    values = index if isinstance(index, zarr.Array) else index["values"]  # nullable text is a group
    return int(values.shape[0])


_SIZE_OF: dict[str, Callable[[SlideStore, str, str], str]] = {
    "images": _raster_size,
    "labels": _raster_size,
    "shapes": _num_shapes,
    "points": _num_points,
    "tables": _table_size,
}


def num_points(store: SlideStore, name: str) -> int:
    """How many points an element holds."""
    return _num_rows(points_file(store, name))


def _num_rows(parquet: Path) -> int:
    """Rows of a parquet file or of a folder of them; dask takes it from the footers."""
    import dask.dataframe as dd

    return len(dd.read_parquet(parquet))
