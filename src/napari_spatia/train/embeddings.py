"""Gene embeddings of a slide's cells and regions, once the encoders no longer change.

Letters: N cells, R regions, D width.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_spatia.batching.tensors import embed_cells, pool_regions
from napari_spatia.batching.training_slide import TrainingSlide
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train.parallel import by_share

CELLS_AT_ONCE = 8192
REGIONS_AT_ONCE = 512


@torch.no_grad()
def embed_slide(model: SpatiaModel, slide: TrainingSlide, folder: Path | None) -> tuple[Tensor, Tensor]:
    """(N, D) of the cells and (R, D) of the regions, both on the CPU in float32.

    The cells' lie in a file without a name in ``folder``, which ends with the process.
    """
    around, width = slide.surroundings, model.config.width
    with tempfile.TemporaryFile(dir=folder) as file:
        cells = torch.from_numpy(np.memmap(file, np.float32, "w+", shape=(slide.num_cells, width)))
    embed = lambda rows: embed_cells(model, slide.values[rows])  # noqa: E731
    with torch.autocast(next(model.parameters()).device.type, enabled=False):  # the same whichever step asks first
        for rows in _runs(slide.num_cells, CELLS_AT_ONCE):
            cells[torch.from_numpy(rows)] = by_share(embed, len(rows), rows).cpu()
    regions = []
    for run in _runs(len(around.region_center_um), REGIONS_AT_ONCE):
        members = torch.from_numpy(around.region_members(run))
        regions.append(
            pool_regions(cells[members], torch.from_numpy(around.region_of_cell)[members] - run[0], len(run))
        )
    return cells, torch.cat(regions)


def _runs(num: int, at_once: int) -> list[np.ndarray]:
    return np.array_split(np.arange(num), -(-num // at_once))
