"""Gene embeddings of a slide's cells and tissue regions, made when first needed and kept."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from napari_spatia.batching.tensors import embed_cells, pool_regions
from napari_spatia.data.surroundings import Surroundings
from napari_spatia.model.spatia import SpatiaModel


class GeneEmbeddings:
    """(N, D) of cells and (R, D) of regions, filled as cells are looked at: the first click reads a few hundred cells,
    not the slide. A region stands on at most `data.surroundings.REGION_CELLS` cells, always the same ones.
    """

    def __init__(self, model: SpatiaModel, values: csr_matrix, surroundings: Surroundings):
        self.model, self.values, self.surroundings = model, values, surroundings
        device, width = next(model.parameters()).device, model.config.width
        self.cells = torch.zeros(values.shape[0], width, device=device)
        self.regions = torch.zeros(len(surroundings.region_center_um), width, device=device)
        self.has_cell = np.zeros(len(self.cells), bool)
        self.has_region = np.zeros(len(self.regions), bool)

    def of_cells(self, cell_idx: NDArray, on_cores: bool = False) -> Tensor:
        """(N, D), with the rows ``cell_idx`` filled; read ``on_cores``, all of them, if somebody waits."""
        new = np.unique(cell_idx[~self.has_cell[cell_idx]])
        if len(new):
            read = embed_cells(self.model, self.values[new], on_cores=on_cores)
            self.cells[torch.from_numpy(new).to(self.cells.device)] = read
            self.has_cell[new] = True
        return self.cells

    def of_regions(self, region: NDArray) -> Tensor:
        """(R, D), with the rows ``region`` filled: most of what a click at a new place waits for."""
        new = np.unique(region[~self.has_region[region]])
        if len(new):
            members = self.surroundings.region_members(new)
            cells = self.of_cells(members, on_cores=True)[torch.from_numpy(members).to(self.cells.device)]
            of_cell = torch.from_numpy(self.surroundings.region_of_cell[members]).to(self.cells.device)
            rows = torch.from_numpy(new).to(self.cells.device)
            self.regions[rows] = pool_regions(cells, of_cell, len(self.regions))[rows]
            self.has_region[new] = True
        return self.regions
