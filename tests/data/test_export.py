"""Exports: read back with the readers of the formats, and against the slide."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import shapely

from napari_spatia.data import keys
from napari_spatia.data.export import cell_classes, export_slide
from napari_spatia.data.io import open_slide
from napari_spatia.data.outlines import cell_outlines
from napari_spatia.data.regions import bounding_boxes, outline
from napari_spatia.data.store import write_cells
from napari_spatia.errors import Cancelled, SlideError

from .conftest import GENES, RADIUS, UM_PER_PX, centers_px, counts

N = 42


@dataclass
class Predicted:
    """The part of a prediction that is exported."""

    cell_id: np.ndarray
    cell_type: np.ndarray | None = None
    confidence: np.ndarray | None = None
    cluster: np.ndarray | None = None
    domain: np.ndarray | None = None
    embedding: dict[str, np.ndarray] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def predicted() -> Predicted:
    return Predicted(
        cell_id=np.array([f"id{idx:03d}" for idx in range(N)]),
        cell_type=np.array(["tumour", "stroma", "T cell"] * 14),
        confidence=np.linspace(0.4, 1, N, dtype=np.float32),
        cluster=np.array([str(1 + idx % 2) for idx in range(N)]),
        embedding={"cell": np.arange(N * 2, dtype=np.float32).reshape(N, 2)},
        provenance={
            "checkpoint": {"name": "tiny", "sha256": "ab"},
            "options": {"tasks": ["embed"], "genes": None},
            "seed": 0,
        },
    )


def test_all_formats_name_the_slide_and_say_how_far_they_are(slide_path: Path, tmp_path: Path) -> None:
    told: list[float] = []
    files = export_slide(
        open_slide(slide_path), tmp_path / "out", ["geojson", "csv", "h5ad"], progress=lambda done, _: told.append(done)
    )
    assert [file.name for file in files] == ["slide.geojson", "slide.csv", "slide.h5ad"]
    assert sorted(tmp_path.joinpath("out").iterdir()) == sorted(files)
    assert told == sorted(told) and told[-1] == 1.0


@pytest.mark.parametrize(("frame", "um"), [("px", UM_PER_PX), ("um", 1.0)])
@pytest.mark.parametrize("shapes", ["polygons", "circles", None])
def test_geojson_outlines_lie_around_the_cells(build: Callable[..., Path], tmp_path: Path, frame, um, shapes) -> None:
    slide = open_slide(build(shapes=shapes, shift_um=(7.0, 3.0)))
    [file] = export_slide(slide, tmp_path, ["geojson"], geojson_frame=frame)
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    polygons = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features])
    assert shapely.is_valid(polygons).all() and shapely.is_ccw(shapely.get_exterior_ring(polygons)).all()
    shift = (0.0, 0.0) if frame == "px" else (7.0, 3.0)
    centers = centers_px() * (UM_PER_PX / um) + shift
    found = np.column_stack([shapely.get_y(shapely.centroid(polygons)), shapely.get_x(shapely.centroid(polygons))])
    np.testing.assert_allclose(found, centers, atol=0.3)
    np.testing.assert_allclose(shapely.area(polygons), np.pi * (RADIUS * UM_PER_PX / um) ** 2, rtol=0.05)


def test_geojson_properties_are_what_qupath_reads(slide_path: Path, tmp_path: Path, predicted: Predicted) -> None:
    write_cells(
        slide_path,
        "table",
        cell_id=["id000", "id001"],
        obs={keys.OBS_ANNOTATION: pd.Categorical(["odd", "tumour"])},
        uns={keys.UNS_ANNOTATION_COLORS: ["#0102ff", "#ff0000"]},
    )
    slide = open_slide(slide_path)
    [file] = export_slide(slide, tmp_path, ["geojson"], predicted, colors={"stroma": (9, 8, 7)})
    document = json.loads(file.read_text(encoding="utf-8"))
    first, second, third, fifth = (document["features"][idx] for idx in (0, 1, 2, 4))
    assert document["type"] == "FeatureCollection" and len(document["features"]) == N
    assert first["properties"]["objectType"] == "cell" and first["properties"]["name"] == "id000"
    assert first["properties"]["classification"] == {"name": "odd", "color": [1, 2, 255]}
    assert second["properties"]["classification"] == {"name": "tumour", "color": [255, 0, 0]}
    assert third["properties"]["classification"]["name"] == "T cell"
    assert fifth["properties"]["classification"] == {"name": "stroma", "color": [9, 8, 7]}
    assert first["properties"]["measurements"]["counts"] == counts()[0].sum()
    assert first["properties"]["measurements"]["confidence"] == pytest.approx(0.4)
    assert first["properties"]["metadata"] == {"cluster": "1"}
    assert len({feature["id"] for feature in document["features"]}) == N


def test_csv_has_a_row_for_each_cell(slide_path: Path, tmp_path: Path, predicted: Predicted) -> None:
    [file] = export_slide(open_slide(slide_path), tmp_path, ["csv"], predicted)
    table = pd.read_csv(file, keep_default_na=False)
    assert list(table.columns[:4]) == ["cell_id", "instance_id", "y_um", "x_um"]
    assert table["cell_type"].tolist() == predicted.cell_type.tolist()
    np.testing.assert_allclose(table[["y_um", "x_um"]], centers_px() * UM_PER_PX, rtol=1e-4)
    np.testing.assert_allclose(table["confidence"], predicted.confidence, rtol=1e-4)
    assert table["annotation"].eq("").all() and table["domain"].eq("").all()
    np.testing.assert_array_equal(table["num_counts"], counts().sum(axis=1).A1)


def test_h5ad_holds_counts_and_results(slide_path: Path, tmp_path: Path, predicted: Predicted) -> None:
    slide = open_slide(slide_path)
    [file] = export_slide(slide, tmp_path, ["h5ad"], predicted)
    table = ad.read_h5ad(file)
    assert (counts() != table.X).nnz == 0 and tuple(table.var_names) == GENES
    assert table.obs_names.tolist() == slide.cell_id.tolist()
    assert table.obs[keys.OBS_CELL_TYPE].astype(str).tolist() == predicted.cell_type.tolist()
    np.testing.assert_allclose(table.obsm["spatial"], centers_px()[:, ::-1] * UM_PER_PX)
    np.testing.assert_array_equal(table.obsm[keys.OBSM_CELL], predicted.embedding["cell"])
    assert table.uns[keys.UNS_SPATIA]["checkpoint"]["name"] == "tiny"


def test_h5ad_without_a_prediction_takes_the_store_s(slide_path: Path, tmp_path: Path) -> None:
    embedding = np.random.default_rng(0).random((N, 3)).astype(np.float32)
    write_cells(slide_path, "table", obsm={keys.OBSM_NICHE: embedding}, uns={keys.UNS_SPATIA: {"seed": 4}})
    [file] = export_slide(open_slide(slide_path), tmp_path, ["h5ad"])
    table = ad.read_h5ad(file)
    np.testing.assert_array_equal(table.obsm[keys.OBSM_NICHE], embedding)
    assert table.uns[keys.UNS_SPATIA]["seed"] == 4


def test_a_prediction_of_some_cells_in_another_order(slide_path: Path, tmp_path: Path) -> None:
    part = Predicted(
        np.array(["id005", "id001"]),
        cell_type=np.array(["five", "one"]),
        embedding={"cell": np.eye(2, dtype=np.float32)},
    )
    slide = open_slide(slide_path)
    files = export_slide(slide, tmp_path, ["csv", "h5ad"], part)
    table = pd.read_csv(files[0], keep_default_na=False)
    assert table["cell_type"][[5, 1, 0]].tolist() == ["five", "one", ""]
    embedding = ad.read_h5ad(files[1]).obsm[keys.OBSM_CELL]
    np.testing.assert_array_equal(embedding[[5, 1]], np.eye(2))
    assert np.isnan(np.delete(embedding, [1, 5], axis=0)).all()


def test_an_unknown_format_and_a_bad_folder_are_refused(slide_path: Path, tmp_path: Path) -> None:
    slide = open_slide(slide_path)
    with pytest.raises(SlideError, match="Cannot export 'ome-zarr'. Expected any of geojson, csv, h5ad"):
        export_slide(slide, tmp_path / "out", ["csv", "ome-zarr"])
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(SlideError, match="Cannot write"):
        export_slide(slide, tmp_path / "file", ["csv"])


def test_cancelling_leaves_no_half_written_file(slide_path: Path, tmp_path: Path) -> None:
    def cancel(fraction: float, doing: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_slide(open_slide(slide_path), tmp_path / "out", ["geojson"], progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_class_of_a_cell() -> None:
    cells = pd.DataFrame(
        {
            "cell_type": ["a", "b", "c", None],
            keys.OBS_CELL_TYPE: ["A", None, "C", ""],
            keys.OBS_ANNOTATION: pd.Categorical([None, None, "mine", None]),
        }
    )
    assert cell_classes(cells).tolist() == ["A", "b", "mine", ""]


def test_an_outline_keeps_holes_parts_and_area() -> None:
    mask = np.zeros((9, 12), bool)
    mask[1:6, 1:6] = True
    mask[3, 3] = False
    mask[7, 8:11] = True
    traced = outline(mask, np.array([10, 20]))
    assert traced.geom_type == "MultiPolygon" and traced.area == mask.sum()
    assert sum(len(piece.interiors) for piece in traced.geoms) == 1
    assert traced.bounds == (21.0, 11.0, 31.0, 18.0)


def test_boxes_of_cells_that_cross_blocks(build: Callable[..., Path]) -> None:
    slide = open_slide(build())
    boxes = bounding_boxes(slide.labels, np.append(slide.instance_id, 999))
    np.testing.assert_allclose((boxes[:-1, :2] + boxes[:-1, 2:]) / 2, centers_px(), atol=1)
    assert boxes[-1].tolist() == [0, 0, 0, 0]


def test_nuclei_with_the_same_ids_are_not_taken_for_cells(build: Callable[..., Path]) -> None:
    def change(elements: dict[str, Any]) -> None:
        nuclei = elements["shapes"]["cell_boundaries"].copy()
        nuclei["geometry"] = nuclei.buffer(-0.5 * RADIUS * UM_PER_PX)
        elements["shapes"]["a_nuclei"] = nuclei

    polygons = cell_outlines(open_slide(build(change=change)))
    np.testing.assert_allclose(shapely.area(polygons), np.pi * (RADIUS * UM_PER_PX) ** 2, rtol=0.05)
