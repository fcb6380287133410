"""Opening a slide: a SpatialData zarr, v3 or the older v2, becomes one validated `Slide`.

Attributes, the table and a small window of the labels are read; images and labels stay lazy, points stay closed.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from anndata.io import read_elem
from numpy.typing import NDArray

from napari_spatia.data import keys, ngff
from napari_spatia.data.centers import place_centers
from napari_spatia.data.elements import SlideStore, choose, damage_named, lazy, open_store, stored_levels
from napari_spatia.data.ngff import Placement
from napari_spatia.data.quick_reading import quick_reading
from napari_spatia.data.rasterize import rasterize_shapes
from napari_spatia.data.regions import label_centroids
from napari_spatia.data.shapes import label_values, read_shapes, shape_centroids
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.data.table import (
    Annotation,
    as_label_ids,
    choose_table,
    instance_values,
    read_annotation,
    read_cells,
    read_counts,
)
from napari_spatia.data.transaction import recover
from napari_spatia.errors import SlideError
from napari_spatia.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class SlideRasters:
    """Image and labels of a slide; no ``labels`` where they have to be drawn from shapes first."""

    image_name: str
    image: Raster
    channels: tuple[str, ...]
    labels_name: str
    labels: Raster | None


@dataclass(frozen=True, slots=True)
class _CellSource:
    """The element that draws the cells, the region whose rows are read and the obs column (None: the index) of ids."""

    kind: str
    name: str
    region: str | None
    column: str | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """The slide's frame: a coordinate system of the store and the µm in one of its units."""

    store: SlideStore
    coordinate_system: str
    um_per_unit: float

    def placement(self, kind: str, name: str) -> Placement:
        """Map from an element's own frame (pixels of a raster) to the slide's µm."""
        inner = ngff.placement(self.store.transforms(kind, name), self.coordinate_system, f"{kind}/{name}")
        return inner.enlarged(self.um_per_unit)


@dataclass(frozen=True, slots=True)
class _Elements:
    """The elements of a store that make one slide, and the frame that they share."""

    store: SlideStore
    annotation: Annotation
    source: _CellSource
    frame: _Frame
    image_name: str
    image: Raster
    channels: tuple[str, ...]


def open_slide(
    path: str | Path,
    *,
    image: str | None = None,
    labels: str | None = None,
    table: str | None = None,
    coordinate_system: str | None = None,
    um_per_px: float | None = None,
    progress: Progress = silent,
) -> Slide:
    """Open a SpatialData zarr as a `Slide`.

    What is not named is chosen where there is one choice: the table (napari-spatia's own are passed over), the labels
    or shapes that the table says it annotates, the image, the coordinate system that they share. A table that
    annotates shapes is drawn from the labels whose ids it holds in an obs column of the labels' name (as Xenium readers
    write it), otherwise the shapes are drawn once into a cached pyramid of labels.

    The coordinate system must be in µm. One in pixels needs ``um_per_px``, the edge of a pixel of the image: then the
    whole coordinate system, labels and shapes included, is scaled with it. Centres come from ``obsm["spatial"]`` in
    the frame in which they lie on their cells (see `centers.place_centers`), otherwise from polygons or labels.

    Raises
    ------
    SlideError
        For everything that keeps the store from being a slide; nothing is written into the store.
    """
    found = _find_elements(path, image, labels, table, coordinate_system, um_per_px)
    store, annotation, source, frame = found.store, found.annotation, found.source, found.frame
    table_name, image_raster = annotation.table_name, found.image
    with damage_named(store.path, f"table '{table_name}'"):
        with ThreadPoolExecutor(2) as beside, quick_reading():  # the counts are as much work as all the rest
            reading = beside.submit(read_counts, store, table_name)
            placing = beside.submit(_read_spatial, store, table_name)
            obs, cell_id, rows = read_cells(store, annotation, source.region)
            values = instance_values(store, annotation, obs, cell_id, source.column)
            stored_yx, (counts, panel) = placing.result(), reading.result()
        if len(rows) < counts.shape[0]:
            counts, stored_yx = counts[rows], None if stored_yx is None else stored_yx[rows]
    with damage_named(store.path, f"{source.kind} '{source.name}'"):
        labels_raster, instance_id = _read_labels(frame, source, values, image_raster, progress)
        names = obs.get(annotation.instance_key, values)
        centers_um = _find_centers(frame, source, names, stored_yx, labels_raster, instance_id, image_raster)
    placed = _placed(centers_um, table_name, store)
    return Slide(
        path=store.path,
        name=store.path.name.removesuffix(".zarr"),
        coordinate_system=frame.coordinate_system,
        image_name=found.image_name,
        labels_name=source.name,
        table_name=table_name,
        image=image_raster,
        channels=found.channels,
        labels=labels_raster,
        cell_id=cell_id if placed.all() else cell_id[placed],
        instance_id=instance_id[placed],
        centers_um=centers_um[placed],
        counts=counts if placed.all() else counts[np.flatnonzero(placed)],
        panel=panel,
        obs=obs if placed.all() else obs.loc[placed].reset_index(drop=True),
    )


def open_rasters(
    path: str | Path,
    *,
    image: str | None = None,
    labels: str | None = None,
    table: str | None = None,
    coordinate_system: str | None = None,
    um_per_px: float | None = None,
) -> SlideRasters:
    """The pixels of `open_slide`, long before the rows and counts of its table are read."""
    found = _find_elements(path, image, labels, table, coordinate_system, um_per_px)
    source = found.source
    with damage_named(found.store.path, f"{source.kind} '{source.name}'"):
        cells = _raster(found.frame, "labels", source.name) if source.kind == "labels" else None
    return SlideRasters(found.image_name, found.image, found.channels, source.name, cells)


def _find_elements(
    path: str | Path,
    image: str | None,
    labels: str | None,
    table: str | None,
    coordinate_system: str | None,
    um_per_px: float | None,
) -> _Elements:
    """What a slide is made of. Reads attributes only."""
    store = open_store(Path(path))
    recover(store.path)
    with damage_named(store.path, "the elements"):
        annotation = read_annotation(store, choose_table(store, table))
        source = _choose_source(store, annotation, labels)
        image_name = _choose_image(store, image, source, coordinate_system)
        frame = _choose_frame(store, image_name, source, coordinate_system, um_per_px)
        raster, channels = _read_image(frame, image_name)
    return _Elements(store, annotation, source, frame, image_name, raster, channels)


def _choose_source(store: SlideStore, annotation: Annotation, wanted: str | None) -> _CellSource:
    """The labels, or the shapes to draw, that hold the table's cells."""
    all_labels, all_shapes = store.names("labels"), store.names("shapes")
    columns = store.group("tables", annotation.table_name)["obs"].attrs.get("column-order", [])
    regions = [name for name in annotation.regions if name in (*all_labels, *all_shapes)]
    if wanted is not None:
        name = choose(store, "labels element", (*all_labels, *regions), wanted, "labels")
        if name in regions:
            return _CellSource("labels" if name in all_labels else "shapes", name, name, annotation.instance_key)
        region = choose(store, "region of the table", regions, None, "labels") if len(regions) > 1 else None
        return _CellSource("labels", name, region, name if name in columns else annotation.instance_key)
    if not all_labels and not all_shapes:
        choose(store, "labels or shapes element", (), None, "labels")
    if not regions and annotation.regions:
        raise SlideError(
            f"Table '{annotation.table_name}' of slide '{store.path.name}' annotates {', '.join(annotation.regions)}, "
            f"which the slide does not have (labels: {', '.join(all_labels) or 'none'}; shapes: "
            f"{', '.join(all_shapes) or 'none'}). Name the labels that hold its cells with labels= (--labels)."
        )
    if not regions:
        return _CellSource("labels", choose(store, "labels element", all_labels, None, "labels"), None, None)
    region = choose(store, "region that the table annotates", regions, None, "labels")
    if region in all_labels:
        return _CellSource("labels", region, region, annotation.instance_key)
    linked = [name for name in all_labels if name in columns]
    if len(linked) == 1:
        return _CellSource("labels", linked[0], region, linked[0])
    return _CellSource("shapes", region, region, annotation.instance_key)


def _choose_image(store: SlideStore, wanted: str | None, source: _CellSource, coordinate_system: str | None) -> str:
    """The wanted image, or the only one that shares a coordinate system with the cells."""
    names = store.names("images")
    if wanted is None and len(names) > 1:
        shared = set(ngff.coordinate_systems(store.transforms(source.kind, source.name)))
        shared &= {coordinate_system} if coordinate_system else shared
        near = [name for name in names if shared & set(ngff.coordinate_systems(store.transforms("images", name)))]
        names = tuple(near) or names
    return choose(store, "image", names, wanted, "image")


def _choose_frame(
    store: SlideStore, image_name: str, source: _CellSource, wanted: str | None, um_per_px: float | None
) -> _Frame:
    """The coordinate system that image and cells share, and the µm in one of its units."""
    image_transforms = store.transforms("images", image_name)
    cell_transforms = store.transforms(source.kind, source.name)
    of_cells = ngff.coordinate_systems(cell_transforms)
    shared = [name for name in ngff.coordinate_systems(image_transforms) if name in of_cells]
    if not shared:
        raise SlideError(
            f"Image '{image_name}' and {source.kind} '{source.name}' of slide '{store.path.name}' share no coordinate "
            f"system: {', '.join(ngff.coordinate_systems(image_transforms)) or 'none'} against "
            f"{', '.join(of_cells) or 'none'}. Register them, or name others with image= and labels=."
        )
    name = choose(store, "coordinate system", shared, wanted, "coordinate_system")
    image_scale = ngff.placement(image_transforms, name, f"images/{image_name}").scale
    if um_per_px is not None:
        if not (np.isfinite(um_per_px) and um_per_px > 0):
            raise SlideError(f"um_per_px is {um_per_px}. Expected the edge of an image pixel in µm, such as 0.2125.")
        return _Frame(store, name, um_per_px / image_scale)
    stated = ngff.um_per_unit(image_transforms, name)
    if stated is not None:
        return _Frame(store, name, stated)
    scales = [image_scale]
    if source.kind == "labels":
        scales.append(ngff.placement(cell_transforms, name, f"labels/{source.name}").scale)
    if min(scales) >= 1.0 and 1.0 in scales:
        raise SlideError(
            f"Image '{image_name}' has no physical pixel size in coordinate system '{name}'. "
            "Pass um_per_px (--um-per-px) (Xenium: 0.2125)."
        )
    return _Frame(store, name, 1.0)


def _raster(frame: _Frame, kind: str, name: str) -> Raster:
    stored = stored_levels(frame.store, kind, name)
    where = frame.placement(kind, name)
    return Raster(tuple(lazy(level) for level in stored), where.scale, where.shift, stored)


def _read_image(frame: _Frame, name: str) -> tuple[Raster, tuple[str, ...]]:
    raster = _raster(frame, "images", name)
    return raster, ngff.channel_names(frame.store.attrs("images", name), raster.levels[0].shape[0])


def _read_spatial(store: SlideStore, table_name: str) -> NDArray[np.float64] | None:
    """The stored centre of each row, turned from (x, y) to (y, x); None when the table has none."""
    group = store.group("tables", table_name)
    if f"obsm/{keys.OBSM_SPATIAL}" not in group:
        return None
    xy = np.asarray(read_elem(group[f"obsm/{keys.OBSM_SPATIAL}"]), dtype=np.float64)
    return xy[:, 1::-1] if xy.ndim == 2 and xy.shape[1] >= 2 else None


def _read_labels(
    frame: _Frame, source: _CellSource, values: pd.Series, image: Raster, progress: Progress
) -> tuple[Raster, NDArray[np.int64]]:
    """The labels and each cell's value in them, which is unique and > 0."""
    if source.kind == "shapes":
        index = read_shapes(frame.store, source.name).index
        label_of = label_values(index)
        if label_of.index.dtype != values.dtype:
            label_of.index = label_of.index.astype(str)
            values = values.astype(str)
        # A row without a shape gets a value that no shape has, so that ids stay unique and it stays unlabelled.
        beyond = label_of.max() + 1 + np.arange(len(values)) if len(label_of) else 1 + np.arange(len(values))
        known = label_of.reindex(values.to_numpy()).to_numpy(dtype=float)
        instance_id = np.where(np.isnan(known), beyond, np.nan_to_num(known)).astype(np.int64)
        placement = frame.placement("shapes", source.name)
        return rasterize_shapes(frame.store, source.name, placement, image, progress=progress), instance_id
    label_ids = as_label_ids(values)
    if label_ids is None:
        raise SlideError(
            f"The cells of slide '{frame.store.path.name}' are named '{values.iloc[0]}', … but labels "
            f"'{source.name}' hold "
            "whole numbers. Expected an obs column with each cell's label value; name it as the instance_key."
        )
    if (label_ids <= 0).any():
        raise SlideError(
            f"{int((label_ids <= 0).sum())} cells of slide '{frame.store.path.name}' have an instance id ≤ 0 in labels "
            f"'{source.name}', where 0 is the background. Drop these rows and write the table again."
        )
    return _raster(frame, "labels", source.name), label_ids


def _find_centers(
    frame: _Frame,
    source: _CellSource,
    names: pd.Series,
    stored_yx: NDArray[np.float64] | None,
    labels: Raster,
    instance_id: NDArray[np.int64],
    image: Raster,
) -> NDArray[np.float64]:
    """`(N, 2)` centres in µm, NaN for a cell that has no place."""
    region_kind = "shapes" if source.region in frame.store.names("shapes") else "labels"
    if stored_yx is not None:
        frames = [
            Placement(frame.um_per_unit),
            frame.placement(region_kind, source.region or source.name),
            Placement(labels.um_per_px, labels.origin_um),
            Placement(image.um_per_px, image.origin_um),
            Placement(),
        ]
        placed = place_centers(stored_yx, list(dict.fromkeys(frames)), labels, instance_id)
        if placed is not None:
            return placed
    if region_kind == "shapes" and source.region is not None:
        return _shape_centers(frame, source.region, names)
    return label_centroids(labels, instance_id)


def _shape_centers(frame: _Frame, name: str, names: pd.Series) -> NDArray[np.float64]:
    """`(N, 2)` centroids (y, x) in µm of the cells' shapes, NaN where a cell has none."""
    shapes = read_shapes(frame.store, name)
    rows = shapes.index.astype(str).get_indexer(names.astype(str))
    centroids = shape_centroids(shapes, frame.placement("shapes", name))
    return np.where(rows[:, None] >= 0, centroids[rows], np.nan)


def _placed(centers_um: NDArray[np.float64], table_name: str, store: SlideStore) -> NDArray[np.bool_]:
    """`(N,)` whether each cell has a place; says how many have none."""
    placed = np.asarray(np.isfinite(centers_um).all(axis=1))
    if not placed.any():
        raise SlideError(
            f"No cell of table '{table_name}' of slide '{store.path.name}' has a place: obsm['spatial'] is missing "
            "or off the slide, and no label or shape has a cell's id. Check that the table belongs to these labels."
        )
    if not placed.all():
        warnings.warn(
            f"{int((~placed).sum())} of {len(placed)} cells of table '{table_name}' of slide '{store.path.name}' "
            "have no centre, label or shape; they are left out.",
            stacklevel=3,
        )
    return placed
