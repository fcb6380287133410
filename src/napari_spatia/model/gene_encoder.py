"""Expressed genes → a few gene tokens. Letters: B cells, K genes of the longest cell, L latents, G panel, D width."""

import torch
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import GeneTokens
from napari_spatia.model.layers import Block, LayerNorm


class GeneEncoder(nn.Module):
    """Latents that read a cell's expressed genes by cross-attention (Jaegle et al. 2021, Perceiver).

    The cost follows the genes a cell expresses, not the panel. The latents start from a weighted sum of gene vectors,
    so what is linear in expression need not be learned by attention.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, num_genes = config.width, len(config.panel)
        self.gene = nn.Embedding(num_genes, width)
        self.level = nn.Embedding(num_genes, width)
        self.sum = nn.Embedding(num_genes, width)
        self.library = nn.Linear(1, width)
        self.latent = nn.Parameter(torch.randn(config.gene_latents, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, config.head_width, cross=True) for _ in range(config.gene_depth)])
        self.norm = LayerNorm(width)
        self.token_norm = LayerNorm(width)
        for table in (self.gene, self.level, self.sum):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, genes: GeneTokens) -> tuple[Tensor, Tensor]:
        """→ tokens (B, L, D) and their pooled embedding (B, D)."""
        value = genes.value[..., None] * genes.present[..., None]  # (B, K, 1)
        library = self.library(genes.library[:, None] / 5)[:, None]  # (B, 1, D)
        tokens = self.token_norm(self.gene(genes.gene_idx) + value * self.level(genes.gene_idx))  # (B, K, D)
        tokens = torch.cat([tokens, library], dim=1)  # (B, K + 1, D)
        present = torch.cat([genes.present, genes.present.new_ones(len(library), 1)], dim=1)
        total = (value * self.sum(genes.gene_idx)).sum(1, keepdim=True) + library  # (B, 1, D)
        latent = self.latent + total  # (B, L, D)
        for block in self.blocks:
            latent = block(latent, tokens, present)
        return self.norm(latent), self.norm(latent.mean(1))
