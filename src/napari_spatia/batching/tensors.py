"""Slide rows → tensors. Letters: B cells, U cells whose genes are read, N cells of the slide, R regions, D width."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from napari_spatia.data.counts import GeneRows, gene_rows
from napari_spatia.data.surroundings import Surroundings
from napari_spatia.model.device import mapped_on_cores
from napari_spatia.model.inputs import Around, GeneTokens
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, silent

CELLS_AT_ONCE, GENES_AT_ONCE = 32, 32
"""Cells of a batch of `embed_cells`, and what the number of its genes is a multiple of."""


def gene_tokens(values: csr_matrix) -> GeneTokens:
    """`(n, G)` log2(1 + counts) of n cells → their gene tokens."""
    rows = gene_rows(values)
    return GeneTokens(*(torch.from_numpy(a) for a in (rows.gene_idx, rows.value, rows.present, rows.library)))


def embed_cells(model: SpatiaModel, values: csr_matrix, progress: Progress = silent, on_cores: bool = False) -> Tensor:
    """`(n, G)` log2(1 + counts) → gene embeddings (n, D) on the model's device, without gradient.

    A cell is read in a batch of one shape, which follows from its number of genes alone: its embedding has the same
    bits whichever cells are read with it, and so have the pictures of the cells around it. Cells with about as many
    genes are read together, so little is padding. ``on_cores`` reads several batches at once, a core each, which is the
    way where somebody waits for some hundred cells.
    """
    device = next(model.parameters()).device
    num_steps = np.maximum(1, -(-np.diff(values.indptr) // GENES_AT_ONCE))
    embedding = torch.empty(len(num_steps), model.config.width, device=device)
    alike = [np.flatnonzero(num_steps == steps) for steps in np.unique(num_steps)]
    batches = [rows[start : start + CELLS_AT_ONCE] for rows in alike for start in range(0, len(rows), CELLS_AT_ONCE)]
    ends = np.cumsum([len(rows) for rows in batches])

    @torch.no_grad()
    def read(rows: NDArray[np.intp]) -> None:
        slots = int(num_steps[rows[0]]) * GENES_AT_ONCE
        tokens = _padded(gene_rows(values[rows]), CELLS_AT_ONCE, slots).to(device)
        embedding[torch.from_numpy(rows).to(device)] = model.embed_genes(tokens)[: len(rows)]

    def done(num_batches: int) -> None:
        progress(ends[num_batches - 1] / len(num_steps), "reading genes")

    if on_cores and len(batches) > 1 and device.type == "cpu":
        mapped_on_cores(read, batches, done)
    else:
        for number, rows in enumerate(batches):
            read(rows)
            done(number + 1)
    return embedding


def _padded(rows: GeneRows, num_cells: int, num_slots: int) -> GeneTokens:
    """Tokens of ``num_cells`` with ``num_slots`` genes each; cells and genes that are not there are not present."""
    room = (num_cells - len(rows.library), num_slots - rows.gene_idx.shape[1])
    arrays = (rows.gene_idx, rows.value, rows.present, rows.library)
    return GeneTokens(*(torch.from_numpy(np.pad(a, [(0, more) for more in room[: a.ndim]])) for a in arrays))


def pool_regions(cell_embedding: Tensor, region: Tensor, num_regions: int) -> Tensor:
    """(U, D) embeddings and each one's ``region`` (U,) → (num_regions, D) means; 0 where a region has no cell."""
    total = cell_embedding.new_zeros(num_regions, cell_embedding.shape[1]).index_add_(0, region, cell_embedding)
    return total / torch.bincount(region, minlength=num_regions).clamp(min=1)[:, None]


def look_around(
    surroundings: Surroundings, cell_idx: NDArray, cell_embedding: Tensor, cell_row: NDArray, region_embedding: Tensor
) -> Around:
    """What lies around the cells ``cell_idx`` (B,) of a slide.

    ``cell_embedding`` (U, D) and ``region_embedding`` (R, D); ``cell_row`` (N,) gives a slide cell's row in the
    former, -1 where it was not embedded, and such neighbours count as absent.
    """
    neighbour = surroundings.neighbour[cell_idx]
    row = np.where(neighbour >= 0, cell_row[neighbour], -1)
    region = surroundings.regions_around(cell_idx)
    device = cell_embedding.device
    return Around(
        _rows(cell_embedding, row),
        torch.from_numpy(surroundings.neighbour_offset_um(cell_idx)).to(device),
        torch.from_numpy(row >= 0).to(device),
        _rows(region_embedding, region),
        torch.from_numpy(surroundings.region_offset_um(cell_idx)).to(device),
        torch.from_numpy(region >= 0).to(device),
        torch.from_numpy(np.where(row >= 0, neighbour, -1)).to(device),
    )


def _rows(embedding: Tensor, row: NDArray) -> Tensor:
    picked = embedding[torch.from_numpy(np.maximum(row, 0)).to(embedding.device)]
    return picked * torch.from_numpy(row >= 0).to(embedding.device)[..., None]
