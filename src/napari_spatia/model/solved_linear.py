"""What is linear in expression, solved rather than learned. Letters: B cells, D width, G panel genes, Q genes that are
read (`ModelConfig.read_genes`), V values that are told.
"""

import torch
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import GeneTokens


class SolvedLinear(nn.Module):
    """A ridge regression from a cell's embedding and its log2(1 + counts) to ``num_values`` numbers, such as those of a
    coarse picture; zero until it is solved.

    Gradient descent finds what separates cell types first and the effect of one gene within a type last. That effect
    is what an edit asks for, and least squares has it from one pass over the cells.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, config: ModelConfig, num_values: int):
        super().__init__()
        self.num_genes, self.read_idx = len(config.panel), torch.from_numpy(config.read_idx)
        self.register_buffer("weight", torch.zeros(config.width + len(self.read_idx), num_values))
        self.register_buffer("bias", torch.zeros(num_values))

    def forward(self, fused: Tensor, genes: GeneTokens) -> Tensor:
        """``fused`` (B, D) and the genes → (B, V)."""
        return self.features(fused, genes) @ self.weight + self.bias

    def features(self, fused: Tensor, genes: GeneTokens) -> Tensor:
        """(B, D + Q): the embedding, and log2(1 + counts) with 0 for genes that are absent."""
        values = fused.new_zeros(len(fused), self.num_genes)
        values = values.scatter_add(1, genes.gene_idx, genes.value * genes.present)
        return torch.cat([fused, values[:, self.read_idx]], dim=1)

    def clear(self) -> None:
        """Zero again, as before it was solved."""
        self.weight.zero_()
        self.bias.zero_()

    @torch.no_grad()
    def solve(self, features: Tensor, target: Tensor, penalty: float) -> None:
        """Least squares of (n, V) ``target`` on (n, D + Q) ``features``; a ``penalty`` of 1 weighs as all cells do."""
        mean, middle = features.double().mean(0), target.double().mean(0)
        centred = features.double() - mean
        gram = centred.mT @ centred
        gram += penalty * torch.eye(len(gram), dtype=torch.float64) * gram.diagonal().mean()
        weight = torch.linalg.solve(gram, centred.mT @ (target.double() - middle))
        self.weight.copy_(weight)
        self.bias.copy_(middle - mean @ weight)
