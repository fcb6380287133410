"""Opening slides: what is chosen, where things lie, and what is said about stores that cannot be slides."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.sparse import csr_matrix
from spatialdata.models import TableModel
from spatialdata.transformations import Affine, Scale, set_transformation

from napari_spatia.data.describe import describe_slide
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SlideError

from .conftest import GENES, HEIGHT, UM_PER_PX, WIDTH, centers_px, counts

Build = Callable[..., Path]
SHARED = next((folder / "shared/data" for folder in Path(__file__).parents if (folder / "shared/data").is_dir()), None)
real_data = pytest.mark.skipif(SHARED is None, reason="the folder shared/data is not on this machine")


def under_centers(slide: Slide) -> np.ndarray:
    """The label under each cell's centre."""
    yx = np.floor((slide.centers_um - slide.labels.origin_um) / slide.labels.um_per_px).astype(int)
    return np.asarray(slide.labels.levels[0])[tuple(yx.T)]


def test_a_plain_slide(any_slide_path: Path) -> None:
    slide = open_slide(any_slide_path)
    assert (slide.name, slide.coordinate_system) == ("slide", "global")
    assert (slide.image_name, slide.labels_name, slide.table_name) == ("stains", "cell_labels", "table")
    assert slide.channels == ("DAPI", "membrane")
    assert slide.panel.genes == GENES
    assert slide.image.um_per_px == slide.labels.um_per_px == UM_PER_PX
    assert slide.image.extent_um == (0.0, 0.0, HEIGHT * UM_PER_PX, WIDTH * UM_PER_PX)
    assert [level.shape for level in slide.image.levels] == [(2, 144, 168), (2, 72, 84), (2, 36, 42)]
    assert slide.labels.levels_um_per_px == (0.5, 1.0, 2.0)
    np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX)
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)
    assert slide.counts.dtype == np.float32 and (slide.counts != counts()).nnz == 0
    assert slide.instance_id.dtype == np.int64 and slide.centers_um.dtype == np.float64
    assert slide.cell_id[3] == "id003" and slide.cell_idx("id003") == 3
    assert slide.obs.index.tolist() == list(range(slide.num_cells))


def test_opening_reads_no_image_and_writes_nothing(slide_path: Path) -> None:
    for chunk_folder in (slide_path / "images/stains").glob("s*/c"):
        shutil.rmtree(chunk_folder)  # pixels are gone: opening must not miss them
    before = {file: file.read_bytes() for file in slide_path.rglob("*") if file.is_file()}
    open_slide(slide_path)
    assert {file: file.read_bytes() for file in slide_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("unit", ["um", "own_um", "px"])
def test_the_frame_of_stored_centers_is_found(build: Build, unit: str) -> None:
    slide = open_slide(build(spatial_unit=unit, shift_um=(30.0, -12.0), region="cell_labels"))
    if unit == "own_um":  # µm without the shift fits no frame of labels; then the labels' centroids are taken
        np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX + (30.0, -12.0), atol=0.2)
    else:
        np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX + (30.0, -12.0))
    assert slide.image.origin_um == slide.labels.origin_um == (30.0, -12.0)
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


@pytest.mark.parametrize("changes", [{"with_spatial": False}, {"spatial_unit": "nowhere"}])
@pytest.mark.parametrize("multiscale", [True, False])
def test_centers_without_a_frame_come_from_the_labels(build: Build, changes: dict[str, Any], multiscale: bool) -> None:
    slide = open_slide(build(multiscale=multiscale, **changes))
    np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX, atol=0.2)


def test_pixels_need_a_size_and_then_all_is_in_um(build: Build) -> None:
    path = build(in_pixels=True)  # as Xenium readers write: image and labels unscaled, polygons scaled by 1 / pixel
    with pytest.raises(
        SlideError, match=r"Image 'stains' has no physical pixel size in coordinate system 'global'\. Pass"
    ):
        open_slide(path)
    slide = open_slide(path, um_per_px=0.5)
    assert slide.image.um_per_px == slide.labels.um_per_px == 0.5
    np.testing.assert_allclose(slide.centers_um, centers_px() * 0.5)
    with pytest.raises(SlideError, match="um_per_px is -1"):
        open_slide(path, um_per_px=-1)


def test_a_given_pixel_size_overrides_the_stored_one(slide_path: Path) -> None:
    slide = open_slide(slide_path, um_per_px=0.25)
    assert slide.image.um_per_px == slide.labels.um_per_px == 0.25
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


@pytest.mark.parametrize("ids", [lambda idx: idx * 1000 + 7, lambda idx: idx + 2**31, lambda idx: idx[::-1]])
def test_instance_ids_may_be_any_positive_number(build: Build, ids: Callable[[np.ndarray], np.ndarray]) -> None:
    slide = open_slide(build(ids=ids, label_dtype=np.int64))
    np.testing.assert_array_equal(slide.instance_id, ids(np.arange(1, 43)))
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


def test_rows_without_labels_and_labels_without_rows(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        table = elements["tables"]["table"][5:].copy()
        table.obs.loc[table.obs.index[-1], "instance"] = 999
        elements["tables"]["table"] = table

    slide = open_slide(build(change=change))
    assert slide.num_cells == 37 and slide.instance_id[-1] == 999
    np.testing.assert_allclose(slide.centers_um, centers_px()[5:] * UM_PER_PX)
    with pytest.warns(UserWarning, match="1 of 37 cells.*left out"):
        unplaced = open_slide(build("other.zarr", change=change, with_spatial=False))
    assert unplaced.num_cells == len(unplaced.obs) == unplaced.counts.shape[0] == 36


def test_a_table_on_shapes_uses_labels_that_obs_links(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        elements["tables"]["table"].obs["cell_labels"] = np.arange(1, 43)

    slide = open_slide(
        build(region="cell_boundaries", string_ids=True, spatial_unit="own_um", shift_um=(5.0, 9.0), change=change)
    )
    assert slide.labels_name == "cell_labels"
    np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX + (5.0, 9.0))
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


@pytest.mark.parametrize("with_labels", [True, False])
def test_centers_of_shapes_that_the_table_annotates(build: Build, with_labels: bool) -> None:
    def change(elements: dict[str, Any]) -> None:
        elements["tables"]["table"].obs["cell_labels"] = np.arange(1, 43)

    slide = open_slide(
        build(region="cell_boundaries", string_ids=True, with_spatial=False, with_labels=with_labels, change=change)
    )
    np.testing.assert_allclose(slide.centers_um, centers_px() * UM_PER_PX, atol=1e-6)
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


@pytest.mark.parametrize(("string_ids", "kind"), [(True, "polygons"), (False, "polygons"), (True, "circles")])
def test_shapes_without_labels_are_drawn(build: Build, string_ids: bool, kind: str, cache_folder: Path) -> None:
    path = build(with_labels=False, region="cell_boundaries", string_ids=string_ids, shapes=kind, shift_um=(5.0, 9.0))
    slide = open_slide(path)
    assert slide.labels_name == "cell_boundaries"
    assert slide.labels.origin_um == slide.image.origin_um and slide.labels.shape_px == slide.image.shape_px
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)
    assert describe_slide(slide)["labels_drawn_from_shapes"]
    assert len(list((cache_folder / "labels").iterdir())) == 1


def test_several_choices_are_listed_with_the_keyword(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        elements["images"]["he"] = elements["images"]["stains"]
        elements["tables"]["second"] = elements["tables"]["table"].copy()
        elements["labels"]["nuclei"] = elements["labels"]["cell_labels"]

    path = build(change=change)
    with pytest.raises(SlideError, match=r"2 choices of table: second, table\. Name one with table= \(--table\)"):
        open_slide(path)
    with pytest.raises(SlideError, match=r"2 choices of image: he, stains\. Name one with image="):
        open_slide(path, table="table")
    slide = open_slide(path, table="table", image="he")
    assert slide.labels_name == "cell_labels"  # the one that the table annotates
    assert open_slide(path, table="table", image="he", labels="nuclei").labels_name == "nuclei"
    with pytest.raises(SlideError, match="no image 'x'. It has: he, stains"):
        open_slide(path, table="table", image="x")


def test_several_coordinate_systems(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        for element in (elements["images"]["stains"], elements["labels"]["cell_labels"]):
            set_transformation(element, Scale([2.0, 2.0], axes=("x", "y")), "wide")
            set_transformation(element, Affine([[0, 1, 0], [1, 0, 0], [0, 0, 1]], ("x", "y"), ("x", "y")), "turned")

    path = build(change=change)
    with pytest.raises(SlideError, match=r"coordinate system: global, .*coordinate_system= \(--coordinate-system\)"):
        open_slide(path)
    assert open_slide(path, coordinate_system="wide").image.um_per_px == 2.0
    with pytest.raises(SlideError, match="lies turned, mirrored or stretched in coordinate system 'turned'"):
        open_slide(path, coordinate_system="turned")


def test_a_table_on_two_regions(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        elements["labels"]["other"] = elements["labels"]["cell_labels"]
        table = elements["tables"]["table"]
        table.obs["region"] = pd.Categorical(["cell_labels"] * 30 + ["other"] * 12)
        del table.uns["spatialdata_attrs"]
        elements["tables"]["table"] = TableModel.parse(
            table, region=["cell_labels", "other"], region_key="region", instance_key="instance"
        )

    path = build(change=change)
    with pytest.raises(SlideError, match="2 choices of region that the table annotates: cell_labels, other"):
        open_slide(path)
    slide = open_slide(path, labels="other")
    assert slide.num_cells == 12 and slide.cell_id[0] == "id030"
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


def test_counts_are_looked_for(build: Build) -> None:
    def normalised(elements: dict[str, Any]) -> None:
        table = elements["tables"]["table"]
        table.layers["counts"] = table.X.copy()
        table.X = csr_matrix(np.log1p(table.X.toarray()))

    def without(elements: dict[str, Any]) -> None:
        normalised(elements)
        del elements["tables"]["table"].layers["counts"]

    assert (open_slide(build("a.zarr", change=normalised)).counts != counts()).nnz == 0
    with pytest.raises(SlideError, match=r"has no raw counts.*such as [\d.]+ in X.*layers\['counts'\]"):
        open_slide(build("b.zarr", change=without))


def test_dense_counts_and_control_features(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        table = elements["tables"]["table"]
        table.X = table.X.toarray().astype(np.int64)
        table.var["feature_types"] = ["Gene Expression", "Negative Control Probe", *["Gene Expression"] * 3]

    slide = open_slide(build(change=change))
    assert slide.panel.genes == tuple(gene for gene in GENES if gene != "CD3E")
    np.testing.assert_array_equal(slide.counts.toarray(), np.delete(counts().toarray(), 1, axis=1))


def test_double_gene_names_are_told_apart_and_said(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        elements["tables"]["table"].var_names = ["ACTB", "ACTB", "C", "D", "E"]

    with pytest.warns(UserWarning, match="1 gene names more than once"):
        assert open_slide(build(change=change)).panel.genes == ("ACTB", "ACTB-1", "C", "D", "E")


def test_missing_gene_names_are_said(any_slide_path: Path) -> None:
    shutil.rmtree(any_slide_path / "tables/table/var")
    with pytest.warns(UserWarning, match="names no genes"):
        assert open_slide(any_slide_path).panel.genes == ("0", "1", "2", "3", "4")


def edit_obs(**columns: Any) -> Callable[[Path], None]:
    """A change of the table's obs that spatialdata would refuse to write."""

    def edit(path: Path) -> None:
        group = zarr.open_group(path / "tables/table", mode="r+", use_consolidated=False)
        obs = ad.io.read_elem(group["obs"])
        for name, change in columns.items():
            obs[name] = change(obs[name])
        ad.io.write_elem(group, "obs", obs)

    return edit


def cut(name: str, part: float) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        file = max((entry for entry in path.glob(name) if entry.is_file()), key=lambda entry: entry.stat().st_size)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * part)])

    return edit


def set_instance_key(path: Path) -> None:
    file = path / "tables/table/zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["instance_key"] = "nope"
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: shutil.rmtree(p), "No slide at"),
        (lambda p: (shutil.rmtree(p), p.write_text("x")), "is not a zarr store.*found a file"),
        (lambda p: (p / "zarr.json").unlink(), "is not a zarr store.*found a folder without zarr.json"),
        (lambda p: [shutil.rmtree(p / kind) for kind in ("images", "labels", "shapes", "tables")], "not SpatialData"),
        (lambda p: shutil.rmtree(p / "tables"), "has no table.*Expected at least one; found: images stains"),
        (lambda p: shutil.rmtree(p / "images"), "has no image"),
        (lambda p: [shutil.rmtree(p / kind) for kind in ("labels", "shapes")], "has no labels or shapes element"),
        (lambda p: shutil.rmtree(p / "labels"), "annotates cell_labels, which the slide does not have"),
        (edit_obs(instance=lambda c: c.where(c != 3)), "1 of 42 instance ids in obs\\['instance'\\] are missing"),
        (edit_obs(instance=lambda c: c.where(c != 3, 4)), "instance id 4 stands more than once"),
        (edit_obs(instance=lambda c: c - 1), "1 cells .* have an instance id ≤ 0"),
        (edit_obs(instance=lambda c: "c" + c.astype(str)), "are named 'c1', … but labels 'cell_labels' hold"),
        (edit_obs(region=lambda c: c.astype(str) + "x"), "has no cell of region 'cell_labels'"),
        (set_instance_key, "has no instance column 'nope'"),
        (cut("zarr.json", 0.5), "Cannot read the root.*truncated or damaged"),
        (cut("images/stains/zarr.json", 0.5), "Cannot read the elements.*truncated or damaged"),
        (cut("tables/table/obs/zarr.json", 0.3), "Cannot read .*truncated or damaged"),
        (cut("tables/table/X/indices/c/*", 0.4), "Cannot read table 'table'.*truncated or damaged"),
        (lambda p: shutil.rmtree(p / "tables/table/X/indptr/c"), "is damaged: its rows do not add up"),
        (cut("labels/cell_labels/s1/c/0/*", 0.5), "Cannot read labels 'cell_labels'.*truncated or damaged"),
    ],
)
def test_bad_input_has_one_clear_error(slide_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(slide_path)
    files = sorted(slide_path.parent.rglob("*"))
    with pytest.raises(SlideError, match=message) as caught:
        open_slide(slide_path)
    assert str(caught.value).endswith((".", ")"))
    assert sorted(slide_path.parent.rglob("*")) == files


def test_other_zarrs_are_no_slides(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "array.zarr", shape=(3,), dtype="i4")
    with pytest.raises(SlideError, match="Cannot read the root|not SpatialData"):
        open_slide(tmp_path / "array.zarr")


def test_anndata_without_region_uses_the_index(build: Build) -> None:
    def change(elements: dict[str, Any]) -> None:
        table = elements["tables"]["table"]
        del table.uns["spatialdata_attrs"]
        table.obs.index = [str(value) for value in range(1, 43)]

    slide = open_slide(build(change=change))
    np.testing.assert_array_equal(under_centers(slide), slide.instance_id)


def test_description(slide_path: Path) -> None:
    facts = describe_slide(open_slide(slide_path))
    json.dumps(facts)
    assert (facts["cells"], facts["genes"], facts["um_per_px"]) == (42, 5, 0.5)
    assert facts["elements"]["labels"] == ["cell_labels"] and facts["cell_type_column"] == "cell_type"
    assert facts["image_px"] == {"height": HEIGHT, "width": WIDTH}


@real_data
@pytest.mark.parametrize(("name", "cells"), [("roi_A", 1375), ("roi_B", 1113)])
def test_the_pancreas_regions(name: str, cells: int) -> None:
    slide = open_slide(SHARED / "pancreas" / f"{name}.zarr")
    assert slide.num_cells == cells and len(slide.panel) == 377
    assert slide.image.um_per_px == 0.2125
    inside = (slide.centers_um >= 0).all(axis=1) & (slide.centers_um < 435.2).all(axis=1)
    assert inside.all()
    assert (under_centers(slide) == slide.instance_id).mean() > 0.95


@real_data
def test_an_older_xenium_store() -> None:
    path = SHARED / "xenium_prime_tiny" / "slide.zarr"
    with pytest.warns(UserWarning, match="names no genes"):
        slide = open_slide(path, um_per_px=0.2125)
    assert (slide.num_cells, len(slide.panel), slide.labels_name) == (23, 5006, "cell_labels")
    assert (under_centers(slide) == slide.instance_id).mean() > 0.9
    with pytest.raises(SlideError, match="no physical pixel size"):
        open_slide(path)
