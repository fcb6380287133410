"""The tensors that go in and come out, named. Letters: B cells, U cells whose genes are read, K genes of the longest
cell, G panel genes, Q those that readings read, C stain channels, N neighbours, R tissue regions around a cell, L gene
latents, P image patches, D width, H = W crop pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """Tensors whose first axis is the cells of a batch."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same with ``function`` of each tensor; what is no tensor stays."""
        return type(self)(**{f.name: _mapped(function, getattr(self, f.name)) for f in fields(self)})

    def to(self, device: torch.device | str) -> Self:
        """The same tensors on another device; copies to a GPU run beside other work."""
        return self.map(lambda tensor: to_device(tensor, device))

    def row(self, i: int) -> Self:
        """One cell of the batch, as a batch of one."""
        return self.map(lambda tensor: tensor[i : i + 1])


def _mapped(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    if isinstance(value, Rows):
        return value.map(function)
    return function(value) if isinstance(value, Tensor) else value


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """``tensor`` on ``device``; to CUDA through pinned memory, so that nothing waits for the copy."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@dataclass(frozen=True, slots=True)
class GeneTokens(Rows):
    """Expressed genes of each cell: ``gene_idx`` (B, K) int64, ``value`` (B, K) log2(1 + counts), ``present`` (B, K)
    bool, ``library`` (B,) log2(1 + all counts).
    """

    gene_idx: Tensor
    value: Tensor
    present: Tensor
    library: Tensor

    def hide(self, hidden_genes: Tensor) -> "GeneTokens":
        """The same cells with some genes unread: ``hidden_genes`` (B, G) bool. The library counts only what is seen."""
        present = self.present & ~hidden_genes.gather(1, self.gene_idx)
        seen = torch.where(present, torch.exp2(self.value) - 1, 0).sum(1)
        return GeneTokens(self.gene_idx, self.value, present, torch.log2(1 + seen))


@dataclass(frozen=True, slots=True)
class Around(Rows):
    """Embeddings of what lies around each cell, with offsets in µm (y, x) and which of them exist. ``neighbour_idx``
    says whose expression each neighbour's is, as the slide's rows, -1 where there is none; no network reads it.
    """

    neighbour: Tensor  # (B, N, D)
    neighbour_offset_um: Tensor  # (B, N, 2)
    has_neighbour: Tensor  # (B, N) bool
    region: Tensor  # (B, R, D)
    region_offset_um: Tensor  # (B, R, 2)
    has_region: Tensor  # (B, R) bool
    neighbour_idx: Tensor  # (B, N) int64

    @classmethod
    def joined(cls, arounds: "Sequence[Around]") -> "Around":
        """Batches one after the other; what is one and the same of one cell (B = 1) is not copied."""
        first = arounds[0]
        if all(around is first for around in arounds) and len(first.neighbour) == 1:
            return first.map(lambda tensor: tensor.expand(len(arounds), *tensor.shape[1:]))
        return cls(*(torch.cat([getattr(around, f.name) for around in arounds]) for f in fields(cls)))

    def without(self, niche: bool = False, tissue: bool = False) -> "Around":
        """The same, as if nothing lay around: the niche, the tissue or both unread."""
        return Around(
            self.neighbour, self.neighbour_offset_um, self.has_neighbour & (not niche),
            self.region, self.region_offset_um, self.has_region & (not tissue), self.neighbour_idx,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoding(Rows):
    """A cell at three scales: ``cell``, ``niche``, ``tissue`` and their ``fused`` embedding, each (B, D), and the fused
    ``gene_tokens`` (B, L, D) and ``image_tokens`` (B, P or 1, D). ``genes`` (B, D) is what the cell is to its
    neighbours, `SpatiaModel.embed_genes`; zeros without genes.
    """

    genes: Tensor
    cell: Tensor
    niche: Tensor
    tissue: Tensor
    fused: Tensor
    gene_tokens: Tensor
    image_tokens: Tensor


@dataclass(frozen=True, slots=True)
class Features(Rows):
    """What was seen of B cells, as it is; None for what was not read. `readings` reads types and expression off it.

    ``own`` (B, Q) and ``around`` (B, Q), its mean over the neighbours (NaN without one), are normalised expression
    (`data.counts.normalised`) of the genes that are read (`ModelConfig.read_genes`); ``library`` (B, 1) log2(1 + all
    counts seen); ``image`` (B, D) the pooled crop; ``fused`` (B, D) the embedding from genes, niche and tissue;
    ``measured`` (Q,) bool the genes that the slide has at all.
    """

    num_cells: int
    measured: Tensor
    own: Tensor | None = None
    library: Tensor | None = None
    around: Tensor | None = None
    image: Tensor | None = None
    fused: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Condition(Rows):
    """What the decoder reads: ``tokens`` (B, T, D), ``vector`` (B, D) and the expected picture ``prior``
    (B, C + 1, H, W).
    """

    tokens: Tensor
    vector: Tensor
    prior: Tensor

    def untold(self, rows: Tensor | None = None) -> "Condition":
        """Nothing told but the expected picture, to all cells or to the ``rows`` (B,) bool."""
        told = torch.zeros_like(self.vector[:, :1]) if rows is None else (~rows)[:, None].to(self.vector)  # (B, 1)
        return Condition(self.tokens * told[..., None], self.vector * told, self.prior)

    def repeated(self, num: int) -> "Condition":
        """The condition of one cell (B = 1) for ``num`` pictures of it."""
        return Condition(*(getattr(self, f.name).expand(num, *getattr(self, f.name).shape[1:]) for f in fields(self)))
