"""The niche and the tissue transformer. Letters: B cells, N things around a cell, D width."""

import torch
from torch import Tensor, nn

from napari_spatia.model.layers import Block, FourierFeatures, LayerNorm


class ContextTransformer(nn.Module):
    """A transformer over one cell and what lies around it, with Fourier features of the offsets in µm.

    The niche transformer reads neighbouring cells; the tissue transformer reads the tissue regions around, and the
    cell's niche in the cell's place. With nothing around, the cell attends to itself alone.
    """

    def __init__(self, width: int, head_width: int, depth: int, shortest_um: float, longest_um: float):
        super().__init__()
        self.here = nn.Parameter(torch.randn(width) * 0.02)
        self.unknown = nn.Parameter(torch.randn(width) * 0.02)
        self.offset = FourierFeatures(width, shortest_um, longest_um)
        self.blocks = nn.ModuleList([Block(width, head_width) for _ in range(depth)])
        self.norm = LayerNorm(width)

    def forward(
        self, center: Tensor, around: Tensor, offset_um: Tensor, exists: Tensor, masked: Tensor | None = None
    ) -> Tensor:
        """``center`` (B, D), ``around`` (B, N, D), ``offset_um`` (B, N, 2), ``exists`` (B, N) → (B, D).

        ``masked`` (B,) bool hides a cell from its own surroundings: what is there must be told from around it.
        """
        if masked is not None:
            center = torch.where(masked[:, None], self.unknown, center)
        tokens = torch.cat([(center + self.here)[:, None], around + self.offset(offset_um)], dim=1)  # (B, 1 + N, D)
        present = torch.cat([exists.new_ones(len(exists), 1), exists], dim=1)
        for block in self.blocks[:-1]:
            tokens = block(tokens, present=present)
        last = self.blocks[-1]
        assert isinstance(last, Block)
        return self.norm(last.of_first(tokens, present))
