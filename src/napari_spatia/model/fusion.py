"""Image–gene cross-attention. Letters: B cells, L gene tokens, P image tokens, D width."""

import torch
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.layers import Block, LayerNorm


class Fusion(nn.Module):
    """Blocks in which gene tokens read image tokens and image tokens read gene tokens.

    A modality that was not measured is one learned token, so image-only and gene-only cells are ordinary inputs.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.width
        self.no_image = nn.Parameter(torch.randn(1, width) * 0.02)
        self.no_genes = nn.Parameter(torch.randn(config.gene_latents, width) * 0.02)
        self.blocks = nn.ModuleList([FusionBlock(width, config.head_width) for _ in range(config.fusion_depth)])
        self.join = nn.Linear(2 * width, width)
        self.norm = LayerNorm(width)

    def forward(
        self, gene_tokens: Tensor | None, image_tokens: Tensor | None, num_cells: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """→ cell embedding (B, D), gene tokens (B, L, D), image tokens (B, P, D) or (B, 1, D) without an image."""
        genes = self.no_genes.expand(num_cells, -1, -1) if gene_tokens is None else gene_tokens
        image = self.no_image.expand(num_cells, -1, -1) if image_tokens is None else image_tokens
        for block in self.blocks:
            genes, image = block(genes, image)
        return self.norm(self.join(torch.cat([genes.mean(1), image.mean(1)], dim=-1))), genes, image


class FusionBlock(nn.Module):
    """Each modality reads the other as it was before the block."""

    def __init__(self, width: int, head_width: int):
        super().__init__()
        self.genes = Block(width, head_width, cross=True, self_attention=False)
        self.image = Block(width, head_width, cross=True, self_attention=False)

    def forward(self, genes: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """``genes`` (B, L, D) and ``image`` (B, P, D) → the same shapes."""
        return self.genes(genes, image), self.image(image, genes)
