"""Cell types and expression, read linearly off what was seen of a cell and solved rather than learned.

Letters: B cells, F columns of features, F' those that expression is read off, G panel genes, Q genes that are read, T
types, V views, D width.

Columns are compared with all columns, which the genes of a whole transcriptome would be too many for: of a large panel
Q genes are read (`ModelConfig.read_genes`), and the expression of all G is told by them.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import Features

VIEWS: dict[str, frozenset[str]] = {
    "genes": frozenset({"own", "library", "around", "fused"}),
    "image": frozenset({"image"}),
    "image_in_niche": frozenset({"image", "around"}),
    "both": frozenset({"own", "library", "around", "image", "fused"}),
}
"""The blocks of features that each type reading was fitted on: what a block is worth depends on what else is seen."""
EXPRESSION_BLOCKS = ("own", "library", "around", "image")
"""The fused embedding adds nothing to these (measured), and changes when genes are hidden."""
RIDGE = 0.1
"""Penalty of the conditional expectation, as a share of a column's variance."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expected expression of K genes, linear in what was seen: ``weight`` (F', K) and ``mean`` (K,)."""

    weight: Tensor
    mean: Tensor


class Readings(nn.Module):
    """Types by logistic regression, expression by its conditional expectation; both beside the deep embeddings.

    Few-thousand-step training of a deep head separates the common types first and is behind a linear one on counts; so
    the deep embedding is one block of features among others (wide and deep, Cheng et al. 2016). The expected expression
    is that of a joint Gaussian of everything seen and every gene, so it can be asked given *any* part: hidden genes,
    another panel, the image alone. Everything is zero until it is fitted (`train.readings`).
    """

    mean: Tensor
    type_weight: Tensor
    type_bias: Tensor
    temperature: Tensor
    deviation: Tensor
    triangle: Tensor
    gene_mean: Tensor
    unread: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.read_idx = torch.from_numpy(config.read_idx)
        self.unread_idx = torch.from_numpy(np.setdiff1d(np.arange(len(config.panel)), config.read_idx))
        num_read, num_types = len(self.read_idx), len(config.cell_types)
        self.size = {"own": num_read, "library": 1, "around": num_read, "image": config.width, "fused": config.width}
        columns = sum(self.size.values())
        read = sum(self.size[block] for block in EXPRESSION_BLOCKS)
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("type_weight", torch.zeros(len(VIEWS), columns, num_types))
        self.register_buffer("type_bias", torch.zeros(len(VIEWS), num_types))
        self.register_buffer("temperature", torch.ones(len(VIEWS)))
        self.register_buffer("deviation", torch.ones(read))
        self.register_buffer("triangle", torch.zeros(read * (read + 1) // 2))  # of the correlations, row by row
        self.set_correlation(torch.eye(read))
        self.register_buffer("gene_mean", torch.zeros(len(config.panel)))
        self.register_buffer("unread", torch.zeros(read, len(self.unread_idx)))  # covariance with scaled columns

    @property
    def correlation(self) -> Tensor:
        """(F', F') of the columns that expression is read off."""
        size = len(self.deviation)
        row, column = torch.triu_indices(size, size, device=self.triangle.device)
        correlation = self.triangle.new_empty(size, size)
        correlation[row, column] = correlation[column, row] = self.triangle
        return correlation

    def set_correlation(self, correlation: Tensor) -> None:
        """Keeps a symmetric (F', F'), of which half is stored."""
        row, column = torch.triu_indices(*correlation.shape, device=correlation.device)
        self.triangle.copy_(correlation[row, column])

    def type_logits(self, features: Features) -> Tensor:
        """(B, T) calibrated: their softmax is right as often as it says, on tissue like the validation part's."""
        view = self.view_of(features)
        centred = self.centred(features)
        return (centred @ self.type_weight[view] + self.type_bias[view]) / self.temperature[view]

    def expression(self, features: Features, expectation: Expectation) -> Tensor:
        """(B, K) normalised expression; ``expectation`` is that `given` what these features show."""
        centred = self.centred(features)[:, : len(self.deviation)]
        return (centred @ expectation.weight + expectation.mean).clamp(min=0)

    def given(self, seen: Tensor, gene_idx: NDArray[np.intp] | None = None) -> Expectation:
        """The conditional expectation of some genes (all) given the ``seen`` (F',) bool columns."""
        num_read = self.size["own"]
        correlation = self.correlation
        known = correlation[seen][:, seen].double()
        known = known + RIDGE * torch.eye(len(known), dtype=known.dtype, device=known.device)
        cross = correlation.new_empty(len(correlation), len(self.gene_mean))
        cross[:, self.read_idx] = correlation[:, :num_read] * self.deviation[:num_read]  # the own block comes first
        cross[:, self.unread_idx] = self.unread
        mean = self.gene_mean
        if gene_idx is not None:
            cross, mean = cross[:, gene_idx], mean[gene_idx]
        weight = torch.zeros_like(cross)
        weight[seen] = torch.linalg.solve(known, cross[seen].double()).to(weight.dtype) / self.deviation[seen, None]
        return Expectation(weight, mean)

    def seen(self, features: Features) -> Tensor:
        """(F',) bool: columns of the expression's features that were read; hidden genes were not, of no cell."""
        parts = []
        for block in EXPRESSION_BLOCKS:
            there = torch.full((self.size[block],), getattr(features, block) is not None)
            parts.append(there & features.measured.cpu() if block in ("own", "around") else there)
        return torch.cat(parts).to(self.mean.device)

    def centred(self, features: Features) -> Tensor:
        """(B, F) deviations from the training cells' mean; what was not seen lies at the mean."""
        parts, start = [], 0
        for block, size in self.size.items():
            values = getattr(features, block)
            middle = self.mean[start : start + size]
            start += size
            if values is None:
                parts.append(middle.new_zeros(features.num_cells, size))
                continue
            part = torch.nan_to_num(values - middle)
            parts.append(part * features.measured if block in ("own", "around") else part)
        return torch.cat(parts, dim=1)

    def view_of(self, features: Features) -> int:
        """The reading for what is there: the one that reads the genes, the image, or both."""
        if features.own is not None:
            name = "genes" if features.image is None else "both"
        else:
            name = "image" if features.around is None else "image_in_niche"
        return list(VIEWS).index(name)

    @torch.no_grad()
    def solve_expression(self, features: Tensor, expression: csr_matrix) -> None:
        """The moments of (n, F) features and `(n, G)` normalised expression of training cells."""
        self.mean.copy_(features.double().mean(0))
        centred = (features - self.mean)[:, : len(self.deviation)].double()
        self.deviation.copy_(centred.square().mean(0).sqrt().clamp(min=1e-4))
        scaled = centred / self.deviation
        self.set_correlation(scaled.mT @ scaled / len(scaled))
        self.gene_mean.copy_(torch.from_numpy(np.asarray(expression.mean(axis=0)).ravel()))
        unread = expression[:, self.unread_idx.numpy()]
        self.unread.copy_(torch.from_numpy((unread.T @ scaled.numpy()).T) / len(scaled))  # the columns' means are 0

    def solve_types(self, view: str, features: Tensor, cell_type: Tensor, penalty: float, iterations: int = 80) -> None:
        """Logistic regression of ``cell_type`` (n,) on (n, F) features, with a class weighing as √ of its frequency.

        That keeps rare types: unweighted, their probability is drowned; weighted to equality, common ones are.
        Call `solve_expression` before, which sets the mean.
        """
        columns = self.block_columns(VIEWS[view])
        scaled = (features - self.mean)[:, columns] / self._block_scale(features)[columns]
        num_types = self.type_bias.shape[1]
        frequency = torch.bincount(cell_type, minlength=num_types).clamp(min=1) / len(cell_type)
        weight = torch.zeros(scaled.shape[1], num_types, requires_grad=True)
        bias = frequency.log().clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=iterations, line_search_fn="strong_wolfe", tolerance_change=1e-7
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(scaled @ weight + bias, cell_type, weight=frequency.rsqrt())
            loss = loss + penalty * weight.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        at = list(VIEWS).index(view)
        with torch.no_grad():
            self.type_weight[at] = 0
            self.type_weight[at, columns] = weight / self._block_scale(features)[columns, None]
            self.type_bias[at] = bias
            self.temperature[at] = 1

    @torch.no_grad()
    def calibrate(self, view: str, logits: Tensor, cell_type: Tensor) -> None:
        """The temperature that makes ``logits`` (n, T) of held-out cells likeliest (Guo et al. 2017)."""
        tried = torch.logspace(-0.7, 0.7, 141)
        loss = torch.stack([F.cross_entropy(logits / temperature, cell_type) for temperature in tried])
        self.temperature[list(VIEWS).index(view)] = tried[loss.argmin()]

    def block_columns(self, blocks: frozenset[str]) -> Tensor:
        """(F,) bool: the columns of some blocks."""
        return torch.cat([torch.full((size,), block in blocks) for block, size in self.size.items()])

    def _block_scale(self, features: Tensor) -> Tensor:
        """(F,) one scale a block: genes keep their own spread, so a gene that is hardly expressed weighs little."""
        parts = features.split(list(self.size.values()), dim=1)
        return torch.cat([part.std(0).square().mean().sqrt().clamp(min=1e-6).expand(part.shape[1]) for part in parts])
