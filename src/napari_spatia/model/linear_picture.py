"""What is linear in expression, solved rather than learned. Letters: B cells, G panel genes, V values of a picture."""

import torch
from torch import Tensor, nn

from napari_spatia.model.inputs import GeneTokens


class LinearPicture(nn.Module):
    """A ridge regression from log2(1 + counts) to coarse pictures; zero until it is solved.

    Gradient descent finds what separates cell types first and the effect of one gene within a type last. That effect
    is what an edit asks for, and least squares has it from one pass over the cells.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, num_genes: int, num_values: int):
        super().__init__()
        self.register_buffer("weight", torch.zeros(num_genes, num_values))
        self.register_buffer("bias", torch.zeros(num_values))

    def forward(self, genes: GeneTokens) -> Tensor:
        """→ (B, V)."""
        return dense_values(genes, len(self.weight)) @ self.weight + self.bias

    @torch.no_grad()
    def solve(self, values: Tensor, target: Tensor, penalty: float) -> None:
        """Least squares of (n, V) ``target`` on (n, G) ``values``; ``penalty`` in units of one cell's mean square."""
        mean, middle = values.double().mean(0), target.double().mean(0)
        centred = values.double() - mean
        gram = centred.mT @ centred
        gram += penalty * torch.eye(len(gram), dtype=torch.float64) * gram.diagonal().mean()
        weight = torch.linalg.solve(gram, centred.mT @ (target.double() - middle))
        self.weight.copy_(weight)
        self.bias.copy_(middle - mean @ weight)


def dense_values(genes: GeneTokens, num_genes: int) -> Tensor:
    """(B, G) log2(1 + counts), 0 for genes that are absent."""
    values = genes.value.new_zeros(len(genes.value), num_genes)
    return values.scatter_add(1, genes.gene_idx, genes.value * genes.present)
