"""A slide's cells in other programs' formats: GeoJSON (QuPath), CSV (spreadsheets), h5ad (scanpy)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import NAMESPACE_URL, uuid5

import anndata as ad
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from napari_spatia.data import keys
from napari_spatia.data.colors import Rgb, from_hex, palette_color
from napari_spatia.data.ids import IdRows
from napari_spatia.data.outlines import cell_outlines
from napari_spatia.data.slide import Slide
from napari_spatia.data.store import read_ids, read_obsm, read_uns, storable
from napari_spatia.errors import SlideError
from napari_spatia.files import staged_file
from napari_spatia.progress import Progress, part, silent

_CSV_COLUMNS = {
    "cell_type": keys.OBS_CELL_TYPE,
    "confidence": keys.OBS_CELL_TYPE_CONFIDENCE,
    "cluster": keys.OBS_CLUSTER,
    "domain": keys.OBS_DOMAIN,
    "annotation": keys.OBS_ANNOTATION,
}


class PredictedCells(Protocol):
    """What is exported of a prediction: arrays of n cells, None where a task was not run."""

    @property
    def cell_id(self) -> NDArray[np.str_]: ...

    @property
    def cell_type(self) -> NDArray[np.str_] | None: ...

    @property
    def confidence(self) -> NDArray[np.float32] | None: ...

    @property
    def cluster(self) -> NDArray[np.str_] | None: ...

    @property
    def domain(self) -> NDArray[np.str_] | None: ...

    @property
    def embedding(self) -> dict[str, NDArray[np.float32]]: ...

    @property
    def provenance(self) -> dict[str, Any]: ...


def export_slide(
    slide: Slide,
    out_dir: str | Path,
    formats: Sequence[str],
    prediction: PredictedCells | None = None,
    progress: Progress = silent,
    *,
    colors: Mapping[str, Rgb] | None = None,
    geojson_frame: Literal["px", "um"] = "px",
) -> list[Path]:
    """Write ``NAME.geojson``, ``NAME.csv``, ``NAME.h5ad`` into a folder; each file appears whole or not at all.

    The columns are those of ``slide.obs``, over them those of ``prediction``. A cell's class in GeoJSON is a person's
    annotation, else the predicted type, else the slide's own.

    Parameters
    ----------
    formats
        Any of "geojson", "csv", "h5ad".
    colors
        Colour of each class in GeoJSON; classes without one get the slide's stored colour or one of a palette.
    geojson_frame
        Unit of the outlines: pixels of the image, as QuPath reads them, or µm of the slide's frame.

    Returns
    -------
        The files written, in the order of ``formats``.
    """
    writers: dict[str, Callable[[Path, Progress], None]] = {
        "geojson": lambda path, told: _write_geojson(path, slide, cells, colors or {}, geojson_frame, told),
        "csv": lambda path, told: _write_csv(path, slide, cells),
        "h5ad": lambda path, told: _write_h5ad(path, slide, cells, prediction),
    }
    unknown = [name for name in formats if name not in writers]
    if unknown:
        raise SlideError(f"Cannot export '{unknown[0]}'. Expected any of {', '.join(writers)}.")
    cells = _cell_columns(slide, prediction)
    out = Path(out_dir)
    written = []
    for number, name in enumerate(dict.fromkeys(formats)):
        told = part(progress, number / len(formats), (number + 1) / len(formats))
        told(0.0, f"Writing {name}")
        path = out / f"{slide.name}.{name}"
        try:
            with staged_file(path) as staged:
                writers[name](staged, told)
        except OSError as error:
            raise SlideError(
                f"Cannot write '{path}': {error.strerror or error}. Name a folder that can be written."
            ) from error
        written.append(path)
    progress(1.0, "Exported")
    return written


def _cell_columns(slide: Slide, prediction: PredictedCells | None) -> pd.DataFrame:
    """The obs columns with those of a prediction over them, row by row the slide's cells, by their ids."""
    obs = slide.obs.set_axis(pd.Index(slide.cell_id.astype(object)), axis=0)
    if prediction is None:
        return obs
    rows = pd.Index(prediction.cell_id).get_indexer(slide.cell_id)
    columns = {
        keys.OBS_CELL_TYPE: prediction.cell_type,
        keys.OBS_CELL_TYPE_CONFIDENCE: prediction.confidence,
        keys.OBS_CLUSTER: prediction.cluster,
        keys.OBS_DOMAIN: prediction.domain,
    }
    for name, values in columns.items():
        if values is not None:
            obs[name] = pd.Series(values).reindex(rows).to_numpy()
    return obs


def _text(cells: pd.DataFrame, column: str) -> NDArray[np.object_]:
    """`(N,)` text of a column, "" where it is missing."""
    if column not in cells:
        return np.full(len(cells), "", dtype=object)
    values = cells[column].astype(object)
    return values.where(values.notna(), "").astype(str).to_numpy(dtype=object)


def cell_classes(cells: pd.DataFrame) -> NDArray[np.object_]:
    """`(N,)` class of each cell: annotation, else predicted type, else the slide's own type, else ""."""
    known = next((name for name in keys.OBS_KNOWN_CELL_TYPE if name in cells), "")
    classes = _text(cells, known)
    for column in (keys.OBS_CELL_TYPE, keys.OBS_ANNOTATION):
        better = _text(cells, column)
        classes = np.where(better != "", better, classes)
    return classes


def _write_csv(path: Path, slide: Slide, cells: pd.DataFrame) -> None:
    table = pd.DataFrame({"cell_id": slide.cell_id, "instance_id": slide.instance_id})
    table["y_um"], table["x_um"] = slide.centers_um[:, 0], slide.centers_um[:, 1]
    for header, column in _CSV_COLUMNS.items():
        table[header] = cells[column].to_numpy() if header == "confidence" and column in cells else _text(cells, column)
    table["num_counts"] = np.asarray(slide.counts.sum(axis=1)).ravel().astype(np.int64)
    table["num_genes"] = slide.counts.getnnz(axis=1)
    table.to_csv(path, index=False, float_format="%.6g")


def _write_h5ad(path: Path, slide: Slide, cells: pd.DataFrame, prediction: PredictedCells | None) -> None:
    obs = cells.set_axis(slide.cell_id.astype(object), axis=0)
    for name in obs.columns[[column.dtype == object for _, column in obs.items()]]:
        obs[name] = pd.Categorical([text or None for text in _text(obs, name)])
    table = ad.AnnData(X=slide.counts, obs=obs, var=pd.DataFrame(index=pd.Index(slide.panel.genes, dtype=object)))
    table.obsm[keys.OBSM_SPATIAL] = slide.centers_um[:, ::-1].copy()
    for key, values in _embeddings(slide, prediction).items():
        table.obsm[key] = values
    provenance = (
        prediction.provenance if prediction is not None else read_uns(slide.path, slide.table_name, keys.UNS_SPATIA)
    )
    if provenance:
        table.uns[keys.UNS_SPATIA] = storable(provenance)
    table.uns["spatia_slide"] = {
        "name": slide.name,
        "um_per_px": slide.image.um_per_px,
        "channels": np.array(slide.channels),
    }
    table.write_h5ad(path, compression="gzip")


def _embeddings(slide: Slide, prediction: PredictedCells | None) -> dict[str, NDArray[np.float32]]:
    """`(N, D)` arrays by their obsm key, of the prediction or of the slide's store."""
    if prediction is not None:
        rows = pd.Index(prediction.cell_id).get_indexer(slide.cell_id)
        # reindex: a cell that was not predicted (-1) gets NaN
        embedding = prediction.embedding.items()
        return {keys.EMBEDDINGS[scale]: pd.DataFrame(values).reindex(rows).to_numpy() for scale, values in embedding}
    rows = IdRows(read_ids(slide.path, slide.table_name)).rows(slide.cell_id)
    stored = {key: read_obsm(slide.path, slide.table_name, key) for key in keys.EMBEDDINGS.values()}
    return {key: values[rows] for key, values in stored.items() if values is not None}


def _write_geojson(
    path: Path, slide: Slide, cells: pd.DataFrame, colors: Mapping[str, Rgb], frame: str, progress: Progress
) -> None:
    outlines = cell_outlines(slide, part(progress, 0.0, 0.6))
    if frame == "px":
        um_per_px, (y0, x0) = slide.image.um_per_px, slide.image.origin_um
        outlines = np.asarray(shapely.transform(outlines, lambda xy: (xy - (x0, y0)) / um_per_px))
    features = _features(slide, cells, outlines, _class_colors(slide, cells, colors))
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(features):
            if number % 1000 == 0:
                progress(0.6 + 0.4 * number / slide.num_cells, "Writing the outlines")
            file.write(",\n" if number else "\n")
            file.write(json.dumps(feature, ensure_ascii=False))
        file.write("\n]}\n")


def _class_colors(slide: Slide, cells: pd.DataFrame, colors: Mapping[str, Rgb]) -> dict[str, Rgb]:
    """Colour of each class: the given one, else the slide's stored one, else the next of the palette."""
    stored: dict[str, Rgb] = {}
    for column in (*keys.OBS_KNOWN_CELL_TYPE, keys.OBS_CELL_TYPE, keys.OBS_ANNOTATION):
        hexes = read_uns(slide.path, slide.table_name, keys.colors_of(column)) if column in cells else None
        if hexes is not None and isinstance(cells[column].dtype, pd.CategoricalDtype):
            stored.update(zip(cells[column].cat.categories.astype(str), map(from_hex, map(str, hexes)), strict=False))
    names = sorted(set(cell_classes(cells)) - {""})
    return {name: colors.get(name, stored.get(name, palette_color(idx))) for idx, name in enumerate(names)}


def _features(
    slide: Slide, cells: pd.DataFrame, outlines: NDArray[np.object_], colors: Mapping[str, Rgb]
) -> Iterator[dict[str, Any]]:
    """One GeoJSON feature a cell, as QuPath 0.4 and later read them; cells without an outline are left out."""
    classes = cell_classes(cells)
    metadata = {name: _text(cells, _CSV_COLUMNS[name]) for name in ("cluster", "domain") if _CSV_COLUMNS[name] in cells}
    measured = {
        "counts": np.asarray(slide.counts.sum(axis=1)).ravel(),
        "genes": slide.counts.getnnz(axis=1),
        "centre x µm": slide.centers_um[:, 1],
        "centre y µm": slide.centers_um[:, 0],
    }
    if keys.OBS_CELL_TYPE_CONFIDENCE in cells:
        measured["confidence"] = cells[keys.OBS_CELL_TYPE_CONFIDENCE].to_numpy(dtype=float)
    for idx in np.flatnonzero(~shapely.is_empty(outlines)):
        properties: dict[str, Any] = {
            "objectType": "cell",
            "name": str(slide.cell_id[idx]),
            "measurements": {name: round(float(of[idx]), 4) for name, of in measured.items() if np.isfinite(of[idx])},
        }
        if classes[idx]:
            properties["classification"] = {"name": classes[idx], "color": list(colors[classes[idx]])}
        if metadata:
            properties["metadata"] = {name: values[idx] for name, values in metadata.items() if values[idx]}
        yield {
            "type": "Feature",
            "id": str(uuid5(NAMESPACE_URL, f"{slide.name}/{slide.cell_id[idx]}")),
            "geometry": _geometry(outlines[idx]),
            "properties": properties,
        }


def _geometry(outline: shapely.Geometry) -> dict[str, Any]:
    """GeoJSON of a (multi)polygon, to a hundredth of its unit; outer rings turn counter-clockwise as RFC 7946 asks."""
    parts = [
        [np.round(np.asarray(ring.coords)[:, :2], 2).tolist() for ring in (piece.exterior, *piece.interiors)]
        for piece in shapely.get_parts(shapely.orient_polygons(outline))
    ]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}
