"""What the readings read of cells, from slide rows. Letters: B cells, N cells of the slide, G genes, K neighbours."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from napari_spatia.data.counts import TARGET_LIBRARY, normalised
from napari_spatia.model.inputs import GeneTokens


def own_expression(genes: GeneTokens, num_genes: int) -> Tensor:
    """(B, G) log1p of counts scaled to `TARGET_LIBRARY`, as `data.counts.normalised`, of gene tokens."""
    counts = genes.value.new_zeros(len(genes.value), num_genes)
    counts = counts.scatter_add(1, genes.gene_idx, (torch.exp2(genes.value) - 1) * genes.present)
    return torch.log1p(counts * TARGET_LIBRARY / counts.sum(1, keepdim=True).clamp(min=1e-6))


def normalised_values(values: csr_matrix) -> csr_matrix:
    """`(N, G)` log2(1 + counts) → normalised expression, as sparse."""
    counts = values.copy()
    counts.data = np.exp2(counts.data) - 1
    return normalised(counts)


def around_expression(expression: csr_matrix, neighbour: NDArray[np.int64]) -> Tensor:
    """`(N, G)` expression of a slide, ``neighbour`` `(B, K)` rows, -1 where none → (B, G) mean over them, or NaN."""
    there = neighbour >= 0
    cell, _ = np.nonzero(there)
    share = 1 / np.maximum(there.sum(1), 1)
    mean = csr_matrix((share[cell], (cell, neighbour[there])), (len(neighbour), expression.shape[0])) @ expression
    dense = mean.toarray().astype(np.float32)
    dense[~there.any(1)] = np.nan
    return torch.from_numpy(dense)
