"""A synthetic slide of any number of cells, for timing viewers: cells on a grid, so that every pixel is a formula.

    python -m napari_spatia.benchmark.grid_slide OUT.zarr --cells 1000000

One million cells are 20,000 × 20,000 px, two stains, labels and image with pyramids, 300 genes of which a cell
expresses about 30, 14 types, and a map in ``obsm["X_umap"]``. What is drawn looks like a tissue from afar: types and
stains vary in waves over the slide.
"""

import argparse
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, TableModel
from spatialdata.transformations import Scale

from napari_spatia.benchmark.report import report_errors
from napari_spatia.data.keys import OBSM_SPATIAL
from napari_spatia.files import staged_folder

CELL_PX = 20
UM_PER_PX = 0.5
NUM_GENES, GENES_PER_CELL, NUM_TYPES = 300, 30, 14
CHANNELS = ("DAPI", "boundary")
IMAGE, LABELS, TABLE = "morphology", "cell_labels", "table"
TILE = 1024
_SMALLEST_LEVEL_PX = 512


@dataclass(frozen=True, slots=True)
class Ids:
    """Labels of the cells: ``first``, ``first + step``, …; of every ``missing``-th cell the table has no row."""

    first: int = 1
    step: int = 1
    missing: int | None = None

    def of(self, number: NDArray) -> NDArray:
        """The labels of the cells ``number``, which are counted from 0."""
        return self.first + self.step * number


def write_grid_slide(out: Path, num_cells: int, seed: int = 0, ids: Ids = Ids()) -> None:
    """Write the store; ``num_cells`` is rounded to a square number. It appears at ``out`` whole or not at all."""
    per_side = round(math.sqrt(num_cells))
    side_px = per_side * CELL_PX
    levels = max(0, math.ceil(math.log2(side_px / _SMALLEST_LEVEL_PX)))
    raster: dict[str, Any] = {
        "scale_factors": [2] * levels or None,
        "transformations": {"global": Scale([UM_PER_PX, UM_PER_PX], axes=("x", "y"))},
    }
    kind = np.int32 if ids.first + ids.step * per_side**2 < 2**31 else np.int64
    labels = _pixels((side_px, side_px), kind, lambda y, x: _labels(y, x, per_side, ids))
    image = da.stack(
        [
            _pixels((side_px, side_px), np.uint8, lambda y, x, channel=channel: _stain(y, x, per_side, channel))
            for channel in range(len(CHANNELS))
        ]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="(zarr|spatialdata|anndata|ome_zarr|dask)")
        slide = SpatialData(
            images={IMAGE: Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=list(CHANNELS), **raster)},
            labels={LABELS: Labels2DModel.parse(labels, dims=("y", "x"), **raster)},
            tables={TABLE: _table(per_side, ids, np.random.default_rng(seed))},
        )
        with staged_folder(out) as stage:
            stage.rmdir()  # SpatialData makes the folder of its store itself
            slide.write(stage)


def _pixels(shape: tuple[int, int], dtype: Any, formula: Any) -> da.Array:
    """Lazy pixels: ``formula`` of their row and column numbers."""

    def block(block_info: Any = None) -> NDArray[Any]:
        (top, bottom), (left, right) = block_info[None]["array-location"]
        return np.asarray(formula(np.arange(top, bottom)[:, None], np.arange(left, right)[None]), dtype)

    return da.map_blocks(
        block, chunks=tuple(da.core.normalize_chunks(TILE, (length,))[0] for length in shape), dtype=dtype
    )


def _labels(y: NDArray, x: NDArray, per_side: int, ids: Ids) -> NDArray:
    """The label of the cell, 0 between cells; cells differ a little in size."""
    number = y // CELL_PX * per_side + x // CELL_PX
    return np.where(_apart(y, x) < 0.72 + 0.2 * (number * 7919 % 97) / 97, ids.of(number), 0)


def _apart(y: NDArray, x: NDArray) -> NDArray:
    """Distance from the middle of the cell's place, 1 at the middle of its edges."""
    half = CELL_PX / 2
    return np.hypot((y % CELL_PX + 0.5 - half) / half, (x % CELL_PX + 0.5 - half) / half)


def _stain(y: NDArray, x: NDArray, per_side: int, channel: int) -> NDArray:
    """A nucleus in the first stain, a border in the second, brighter and darker in waves over the slide."""
    apart = _apart(y, x)
    shape = np.clip(1.4 - 2.6 * apart, 0, 1) if channel == 0 else np.exp(-(((apart - 0.75) / 0.15) ** 2))
    waves = 0.6 + 0.4 * np.sin(y / (per_side * 1.7) + channel) * np.cos(x / (per_side * 2.3) - channel)
    return 20 + 200 * shape * waves + (y * 31 + x * 17) % 13


def _table(per_side: int, ids: Ids, rng: np.random.Generator) -> ad.AnnData:
    """Counts of a few genes a cell; each type expresses genes of its own more."""
    num = per_side**2
    row, column = np.divmod(np.arange(num), per_side)
    wave = np.sin(9 * row / per_side) + np.cos(7 * column / per_side) + rng.normal(0, 0.25, num)
    kind = np.clip((wave + 2.2) / 4.4 * NUM_TYPES, 0, NUM_TYPES - 1).astype(np.int64)
    own = (kind[:, None] * (NUM_GENES // NUM_TYPES) + rng.integers(0, 3 * NUM_TYPES, (num, GENES_PER_CELL))) % NUM_GENES
    counts = csr_matrix(
        (
            rng.integers(1, 9, own.size).astype(np.float32),
            own.ravel().astype(np.int32),
            np.arange(0, own.size + 1, GENES_PER_CELL),
        ),
        shape=(num, NUM_GENES),
    )
    counts.sum_duplicates()
    names = [f"cell-{number}" for number in range(1, num + 1)]
    obs = pd.DataFrame(
        {
            "instance": ids.of(np.arange(num)),
            "region": pd.Categorical([LABELS] * num),
            "cell_type": pd.Categorical.from_codes(kind, [f"type {k + 1}" for k in range(NUM_TYPES)]),
            "quality": rng.random(num).astype(np.float32),
        },
        index=names,
    )
    table = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"GENE{g}" for g in range(NUM_GENES)]))
    table.obsm[OBSM_SPATIAL] = (np.stack([column, row], axis=1) + 0.5) * CELL_PX * UM_PER_PX
    angle = 2 * np.pi * kind / NUM_TYPES
    table.obsm["X_umap"] = (np.stack([np.cos(angle), np.sin(angle)], 1) * 8 + rng.normal(0, 1, (num, 2))).astype(
        np.float32
    )
    if ids.missing:
        table = table[np.arange(num) % ids.missing > 0].copy()
    return TableModel.parse(table, region=LABELS, region_key="region", instance_key="instance")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    with report_errors():
        write_grid_slide(asked.out, asked.cells, asked.seed)


if __name__ == "__main__":
    main()
