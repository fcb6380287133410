"""A crop of a Xenium slide of human breast as a SpatialData store: another organ, another panel, one stain.

    pip download --no-deps bidcell==1.0.3 && unzip bidcell-1.0.3-py3-none-any.whl 'data/dataset_xenium_breast1_small/*'
    python scripts/breast_crop.py data/dataset_xenium_breast1_small breast.zarr

The files come with the package BIDCell (Fu et al. 2024) as test data; the slide is by 10x Genomics (CC BY 4.0). They
have no outlines: a cell is the hull of its transcripts, half a µm wider.
"""

import argparse
from pathlib import Path

import anndata as ad
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import spatialdata as sd
import tifffile
from scipy.sparse import csr_matrix
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Scale

UM_PER_PX = 0.2125
ORIGIN_UM = np.array([1062.5, 212.5])  # x, y of the first pixel
WIDER_UM = 0.5
FEWEST_TRANSCRIPTS = 3
NOBODY = -1


def build(folder: Path) -> sd.SpatialData:
    """The store of the crop whose files lie in ``folder``; coordinate system ``global`` in µm."""
    transcripts = pd.read_csv(folder / "transcripts_small.csv")
    transcripts = transcripts[transcripts.cell_id != NOBODY]
    size = transcripts.groupby("cell_id").size()
    cells = size.index[size >= FEWEST_TRANSCRIPTS]
    transcripts = transcripts[transcripts.cell_id.isin(cells)]
    at_um = transcripts[["x_location", "y_location"]].to_numpy() - ORIGIN_UM
    row = np.searchsorted(cells, transcripts.cell_id)
    order = np.argsort(row, kind="stable")
    parts = np.split(at_um[order], np.cumsum(np.bincount(row))[:-1])
    outlines = [shapely.MultiPoint(part).convex_hull.buffer(WIDER_UM) for part in parts]
    genes, column = np.unique(transcripts.feature_name, return_inverse=True)
    counts = csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(cells), len(genes)))
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * len(cells)), "cell_id": cells.to_numpy()})
    obs.index = obs["cell_id"].astype(str)
    obs.index.name = None
    table = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))
    table.obsm["spatial"] = np.array([(outline.centroid.x, outline.centroid.y) for outline in outlines])
    pixels = tifffile.imread(folder / "morphology_mip_small.tif")[None]
    to_um = {"global": Scale([UM_PER_PX, UM_PER_PX], axes=("y", "x"))}
    return sd.SpatialData(
        images={"dapi": Image2DModel.parse(pixels, dims=("c", "y", "x"), c_coords=["DAPI"], transformations=to_um)},
        shapes={"cells": ShapesModel.parse(gpd.GeoDataFrame(geometry=outlines, index=cells.to_numpy()))},
        tables={"table": TableModel.parse(table, region="cells", region_key="region", instance_key="cell_id")},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    build(options.folder).write(options.out)
