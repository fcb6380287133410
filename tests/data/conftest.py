"""Small real stores: a slide of 6 × 7 round cells, written by spatialdata itself."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.sparse import csr_matrix
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale, Sequence, Translation

ROWS, COLS, PITCH, RADIUS = 6, 7, 24, 8.5
HEIGHT, WIDTH = ROWS * PITCH, COLS * PITCH
UM_PER_PX = 0.5
GENES = ("ACTB", "CD3E", "EPCAM", "KRT8", "VIM")


@dataclass
class Recipe:
    """What the store should hold; each test changes the one thing it is about."""

    um_per_px: float = UM_PER_PX
    shift_um: tuple[float, float] = (0.0, 0.0)  # y, x
    in_pixels: bool = False
    multiscale: bool = True
    with_labels: bool = True
    with_image: bool = True
    with_table: bool = True
    with_spatial: bool = True
    spatial_unit: str = "um"
    shapes: str | None = "polygons"
    region: str = "cell_labels"
    string_ids: bool = False
    ids: Callable[[np.ndarray], np.ndarray] = lambda idx: idx
    label_dtype: type = np.int32
    change: Callable[[dict[str, Any]], None] = lambda elements: None
    formats: Any = None
    attrs: dict[str, Any] = field(default_factory=dict)


def centers_px() -> np.ndarray:
    """`(42, 2)` centres (y, x) in pixels, off the grid so that y and x cannot be confused."""
    rows, cols = np.meshgrid(np.arange(ROWS), np.arange(COLS), indexing="ij")
    wobble = np.stack([np.sin(np.arange(rows.size)), np.cos(np.arange(rows.size))], axis=1)
    return (np.stack([rows.ravel(), cols.ravel()], axis=1) + 0.5) * PITCH + 2 * wobble


def counts() -> csr_matrix:
    """`(42, 5)` raw counts."""
    return csr_matrix(np.random.default_rng(3).poisson(1.5, (ROWS * COLS, len(GENES))).astype(np.float32))


def label_image(ids: np.ndarray, dtype: type) -> np.ndarray:
    """Discs around the centres."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    labels = np.zeros((HEIGHT, WIDTH), dtype)
    for (cy, cx), value in zip(centers_px(), ids, strict=True):
        labels[(y - cy) ** 2 + (x - cx) ** 2 < RADIUS**2] = value
    return labels


def build_elements(recipe: Recipe) -> dict[str, Any]:
    """The SpatialData elements of a recipe, by kind and name."""
    ids = np.asarray(recipe.ids(np.arange(1, ROWS * COLS + 1)))
    shift = Translation([recipe.shift_um[1], recipe.shift_um[0]], axes=("x", "y"))
    physical = Sequence([Scale([recipe.um_per_px] * 2, axes=("x", "y")), shift])
    raster_to_global = {"global": Identity() if recipe.in_pixels else physical}
    shape_to_global = {"global": Scale([1 / recipe.um_per_px] * 2, axes=("x", "y")) if recipe.in_pixels else shift}
    scales = {"scale_factors": [2, 2]} if recipe.multiscale else {}
    labels = label_image(ids, recipe.label_dtype)
    noise = np.random.default_rng(0).integers(0, 60, (2, HEIGHT, WIDTH))
    image = (noise + 100 * (labels > 0)).astype(np.uint8)
    elements: dict[str, Any] = {"images": {}, "labels": {}, "shapes": {}, "tables": {}}
    if recipe.with_image:
        elements["images"]["stains"] = Image2DModel.parse(
            image, dims=("c", "y", "x"), c_coords=["DAPI", "membrane"], transformations=raster_to_global, **scales
        )
    if recipe.with_labels:
        elements["labels"]["cell_labels"] = Labels2DModel.parse(
            labels, dims=("y", "x"), transformations=raster_to_global, **scales
        )
    names = np.array([f"cell-{idx}" for idx in ids]) if recipe.string_ids else ids
    centers_um = centers_px() * recipe.um_per_px
    if recipe.shapes is not None:
        points = shapely.points(centers_um[:, ::-1])
        radius_um = RADIUS * recipe.um_per_px
        if recipe.shapes == "circles":
            frame = gpd.GeoDataFrame({"radius": radius_um}, geometry=points, index=names)
        else:
            frame = gpd.GeoDataFrame(geometry=shapely.buffer(points, radius_um), index=names)
        elements["shapes"]["cell_boundaries"] = ShapesModel.parse(frame, transformations=shape_to_global)
    if recipe.with_table:
        elements["tables"]["table"] = _table(recipe, names, centers_um)
    recipe.change(elements)
    return elements


def _table(recipe: Recipe, names: np.ndarray, centers_um: np.ndarray) -> ad.AnnData:
    obs = pd.DataFrame(
        {
            "instance": names,
            "region": pd.Categorical([recipe.region] * len(names)),
            "cell_type": pd.Categorical(np.where(np.arange(len(names)) % 2, "T cell", "epithelium")),
        },
        index=[f"id{idx:03d}" for idx in range(len(names))],
    )
    table = ad.AnnData(counts(), obs=obs, var=pd.DataFrame(index=list(GENES)))
    if recipe.with_spatial:
        shifted = centers_um + np.asarray(recipe.shift_um)
        stored = {"um": shifted, "own_um": centers_um, "px": centers_px(), "nowhere": centers_um + 9999.0}
        table.obsm["spatial"] = stored[recipe.spatial_unit][:, ::-1].copy()
    return TableModel.parse(table, region=recipe.region, region_key="region", instance_key="instance")


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Write a store by recipe: ``build(in_pixels=True)`` returns its path."""

    def write(name: str = "slide.zarr", **changes: Any) -> Path:
        recipe = Recipe(**changes)
        path = tmp_path / name
        options = {} if recipe.formats is None else {"sdata_formats": recipe.formats}
        SpatialData(**build_elements(recipe)).write(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The plain slide as a v3 and as a v2 store; copied by `slide_path` and `any_slide_path`."""
    from spatialdata._io.format import SpatialDataContainerFormatV01

    folder = tmp_path_factory.mktemp("stores")
    paths = {3: folder / "v3.zarr", 2: folder / "v2.zarr"}
    SpatialData(**build_elements(Recipe())).write(paths[3])
    SpatialData(**build_elements(Recipe())).write(paths[2], sdata_formats=SpatialDataContainerFormatV01())
    return paths


@pytest.fixture
def slide_path(written_once: dict[int, Path], tmp_path: Path) -> Path:
    """A fresh copy of the plain slide, zarr v3."""
    return Path(shutil.copytree(written_once[3], tmp_path / "slide.zarr"))


@pytest.fixture(params=[3, 2], ids=["v3", "v2"])
def any_slide_path(request: pytest.FixtureRequest, written_once: dict[int, Path], tmp_path: Path) -> Path:
    """A fresh copy of the plain slide, once in each zarr format."""
    return Path(shutil.copytree(written_once[request.param], tmp_path / "slide.zarr"))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(folder))
    yield folder
