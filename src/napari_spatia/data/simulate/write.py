"""A drawn slide as a SpatialData store: the same elements as a real one, and the truth beside them."""

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.sparse import csr_matrix
from skimage.measure import find_contours, label
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, PointsModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale

from napari_spatia.data.keys import OBSM_SPATIAL
from napari_spatia.data.simulate.catalogue import CHANNELS, NICHE_NAMES, PANEL, REGIONS, STATE_NAMES, TYPE_NAMES
from napari_spatia.data.simulate.outlines import PLAN_COLUMNS
from napari_spatia.data.simulate.rules import RULES
from napari_spatia.data.simulate.slide import DrawnSlide, SimulatedCells
from napari_spatia.data.simulate.transcripts import GENE_COLUMN, place_transcripts
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, part, silent

IMAGE, LABELS, SHAPES, TABLE = "morphology", "cell_labels", "cell_boundaries", "table"
TRANSCRIPTS = "transcripts"
UNS_KEY, PLAN_KEY = "simulation", "simulation_plan"
FORMAT_VERSION = 1
_SMALLEST_LEVEL_PX = 128
_TILE = 1024


def write_slide(
    out_path: Path, cells: SimulatedCells, drawn: DrawnSlide, transcripts: bool = False, progress: Progress = silent
) -> None:
    """Write the store, with each transcript as a point if asked; it appears at ``out_path`` whole or not at all."""
    labels, polygons = _outline_cells(drawn.labels, len(cells.plan), part(progress, 0.0, 0.5))
    slide = _assemble(cells, drawn, labels, polygons)
    if transcripts:
        slide[TRANSCRIPTS] = _points(cells, labels)
    progress(0.55, "writing the slide")
    with staged_folder(out_path) as stage, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="(zarr|spatialdata|anndata|ome_zarr|dask)")
        stage.rmdir()  # SpatialData makes the folder of its store itself
        slide.write(stage)
        progress(0.98, "writing the slide")


def _outline_cells(
    labels: NDArray[np.int32], num_cells: int, progress: Progress
) -> tuple[NDArray[np.int32], list[shapely.Polygon]]:
    """Labels with one connected piece a cell, and its outline (x, y) in pixels."""
    labels, polygons = labels.copy(), []
    boxes = find_objects(labels, max_label=num_cells)
    for number, box in enumerate(boxes, start=1):
        if number % 500 == 0:
            progress(number / num_cells, "outlining cells")
        window = labels[box]
        pieces = label(window == number, connectivity=1)
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        window[(pieces > 0) & (pieces != largest)] = 0
        outline = max(find_contours(np.pad(pieces == largest, 1).astype(float), 0.5), key=len)
        polygons.append(shapely.Polygon(outline[:, ::-1] + (box[1].start - 0.5, box[0].start - 0.5)))
    return labels, polygons


def _assemble(
    cells: SimulatedCells,
    drawn: DrawnSlide,
    labels: NDArray[np.int32],
    polygons: list[shapely.Polygon],
) -> SpatialData:
    """All elements, in coordinate system "global" (µm)."""
    um_per_px = cells.scene.um_per_px
    scale = {"global": Scale([um_per_px, um_per_px], axes=("x", "y"))}
    levels = max(0, int(np.log2(min(labels.shape) / _SMALLEST_LEVEL_PX)))
    raster: dict[str, Any] = {"scale_factors": [2] * min(levels, 4) or None, "transformations": scale}
    frame = gpd.GeoDataFrame(geometry=polygons, index=np.arange(1, len(polygons) + 1))
    return SpatialData(
        images={
            IMAGE: Image2DModel.parse(
                drawn.image, dims=("c", "y", "x"), c_coords=list(CHANNELS), chunks=(1, _TILE, _TILE), **raster
            )
        },
        labels={LABELS: Labels2DModel.parse(labels, dims=("y", "x"), chunks=(_TILE, _TILE), **raster)},
        shapes={SHAPES: ShapesModel.parse(frame, transformations=scale)},
        tables={TABLE: _table(cells, drawn, labels)},
    )


def _points(cells: SimulatedCells, labels: NDArray[np.int32]) -> Any:
    """A points element in µm, as Xenium writes it."""
    scene = cells.scene
    frame = place_transcripts(labels, cells.counts, PANEL, scene.um_per_px, scene.seed)
    return PointsModel.parse(frame, feature_key=GENE_COLUMN, transformations={"global": Identity()})


def _table(cells: SimulatedCells, drawn: DrawnSlide, labels: NDArray[np.int32]) -> ad.AnnData:
    """Counts, truth, and what `load_simulation` needs to draw any cell again."""
    num_cells, um_per_px = len(cells.plan), cells.scene.um_per_px
    cell_id = [f"cell-{number:06d}" for number in range(1, num_cells + 1)]
    area = np.bincount(labels.ravel(), minlength=num_cells + 1)[1:] * um_per_px**2
    placement = cells.placement
    obs = pd.DataFrame(
        {
            "instance": np.arange(1, num_cells + 1),
            "region": pd.Categorical([LABELS] * num_cells),
            "cell_id": cell_id,
            "cell_type": pd.Categorical(np.array(TYPE_NAMES)[placement.type_idx]),
            "niche": pd.Categorical(np.array(NICHE_NAMES)[placement.niche_idx]),
            "region_true": pd.Categorical(np.array(REGIONS)[placement.region_idx]),
            "cell_area_um2": area,
            "nucleus_area_um2": drawn.nucleus_area_um2,
        },
        index=cell_id,
    )
    for name, values in cells.outlines.features.items():
        obs[f"rule_{name}"] = values
    for name, column in zip(STATE_NAMES, cells.states.T, strict=True):
        obs[f"state_{name}"] = column
    table = ad.AnnData(csr_matrix(cells.counts), obs=obs, var=_var())
    table.obsm[OBSM_SPATIAL] = _centers_px(labels, num_cells)[:, ::-1] * um_per_px
    table.obsm[PLAN_KEY] = cells.plan
    table.uns[UNS_KEY] = {
        "version": FORMAT_VERSION,
        "seed": cells.scene.seed,
        "um_per_px": um_per_px,
        "shape_px": np.array(cells.scene.shape_px),
        "plan_columns": np.array(PLAN_COLUMNS),
        "matrix": cells.scene.matrix,
    }
    return TableModel.parse(table, region=LABELS, region_key="region", instance_key="instance")


def _centers_px(labels: NDArray[np.int32], num_cells: int) -> NDArray[np.float64]:
    """`(N, 2)` centroids (y, x), moved to the nearest pixel corner, so that crops at this pixel size are exact."""
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns] - 1
    size = np.bincount(owner, minlength=num_cells)
    sums = [np.bincount(owner, axis + 0.5, minlength=num_cells) for axis in (rows, columns)]
    return np.rint(np.stack(sums, axis=1) / size[:, None])


def _var() -> pd.DataFrame:
    """One row a gene: the feature it drives and the weight of its rule, or "" and 0."""
    var = pd.DataFrame({"rule_feature": "", "rule_weight": 0.0}, index=list(PANEL.genes))
    for rule in RULES:
        var.loc[rule.gene] = [rule.feature, rule.weight]
    return var
