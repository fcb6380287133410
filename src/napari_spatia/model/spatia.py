"""SpatiaModel: the encoders at three scales, the heads and the decoder, wired (SPATIA, arXiv 2507.04704).

Letters: B cells, D width, L gene tokens, P patches, C stain channels, H = W crop pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.context import ContextTransformer
from napari_spatia.model.flow_decoder import FlowDecoder, OnePassDecoder
from napari_spatia.model.fusion import Fusion
from napari_spatia.model.gene_encoder import GeneEncoder
from napari_spatia.model.heads import Heads
from napari_spatia.model.image_encoder import ImageEncoder
from napari_spatia.model.inputs import Around, Condition, Encoding, GeneTokens
from napari_spatia.model.layers import MLP, LayerNorm
from napari_spatia.model.readings import Readings
from napari_spatia.model.solved_linear import SolvedLinear

OUTLINE_AXES = 4
"""What tells the outlines of a cell: log2 of the long and short half axis of the cell, then of its nucleus, in µm."""


class SpatiaModel(nn.Module):
    """Cell, niche and tissue embeddings from genes and image; cell pictures from genes, niche and tissue."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        width, head_width = config.width, config.head_width
        tissue_um = config.region_um * config.region_window
        self.genes = GeneEncoder(config)
        self.image = ImageEncoder(config)
        self.fusion = Fusion(config)
        self.niche = ContextTransformer(width, head_width, config.niche_depth, 4.0, 4 * config.niche_radius_um)
        self.tissue = ContextTransformer(width, head_width, config.tissue_depth, config.region_um / 2, 2 * tissue_um)
        self.join = nn.Linear(3 * width, width)
        self.join_norm = LayerNorm(width)
        self.heads = Heads(config)
        self.readings = Readings(config)
        coarse = config.drawn_channels * config.prior_px**2
        self.prior = MLP(width, coarse, ratio=2)
        self.linear_prior = SolvedLinear(config, coarse)
        self.linear_outline = SolvedLinear(config, OUTLINE_AXES)
        self.decoder = FlowDecoder(config, config.decoder_shape)
        self.one_pass = None if config.one_pass is None else OnePassDecoder(config, config.one_pass)

    def embed_genes(self, genes: GeneTokens) -> Tensor:
        """(B, D): what a cell is to its neighbours and to its tissue region."""
        return self.genes(genes)[1]

    def encode(
        self,
        around: Around,
        genes: GeneTokens | None = None,
        image_tokens: Tensor | None = None,
        masked_cell: Tensor | None = None,
    ) -> Encoding:
        """A cell at three scales from its genes, its image tokens (`ImageEncoder`), or both.

        ``masked_cell`` (B,) bool hides a cell's own embedding, so that its surroundings must tell what it is.
        """
        gene_tokens, embedding = (None, None) if genes is None else self.genes(genes)
        cell, gene_tokens, image_tokens = self.fusion(gene_tokens, image_tokens, len(around.neighbour))
        niche = self.niche(cell, around.neighbour, around.neighbour_offset_um, around.has_neighbour, masked_cell)
        tissue = self.tissue(niche, around.region, around.region_offset_um, around.has_region)
        seen = cell if masked_cell is None else torch.where(masked_cell[:, None], 0, cell)
        fused = self.join_norm(self.join(torch.cat([seen, niche, tissue], dim=-1)))  # (B, D)
        embedding = torch.zeros_like(cell) if embedding is None else embedding
        return Encoding(embedding, cell, niche, tissue, fused, gene_tokens, image_tokens)

    def expected_picture(self, fused: Tensor, genes: GeneTokens) -> Tensor:
        """(B, D) and the genes → (B, C + 1, prior_px, prior_px): the mean picture of such cells, coarse."""
        pixels = self.prior(fused) + self.linear_prior(fused, genes)  # (B, (C + 1) · prior_px²)
        return pixels.unflatten(1, (self.config.drawn_channels, self.config.prior_px, -1))

    def expected_outline(self, fused: Tensor, genes: GeneTokens) -> Tensor:
        """(B, D) and the genes → (B, 4), see `OUTLINE_AXES`: how large such cells and their nuclei are in the mean."""
        return self.linear_outline(fused, genes)

    def condition(self, encoding: Encoding, genes: GeneTokens) -> Condition:
        """What the decoder reads, from an encoding that was made of ``genes`` without the cell's own image."""
        tokens = torch.cat([encoding.gene_tokens, encoding.niche[:, None], encoding.tissue[:, None]], dim=1)
        size = (self.config.crop_px, self.config.crop_px)
        prior = F.interpolate(self.expected_picture(encoding.fused, genes), size=size, mode="bilinear")
        return Condition(tokens, encoding.fused, prior)

    def sampler(self, nfe: int | None = None) -> FlowDecoder:
        """The decoder that draws in ``nfe`` passes; without a number, the one that draws in any."""
        return self.one_pass if nfe == 1 and self.one_pass is not None else self.decoder

    def start(self, white: Tensor, condition: Condition, nfe: int | None = None) -> Tensor:
        """White noise (B, C + 1, H, W) → x at t = 0: of the path, or of a sampler of ``nfe`` passes."""
        return condition.prior + self.sampler(nfe).spectrum.colour(white, condition.prior, nfe)

    def white_of(self, start: Tensor, condition: Condition, nfe: int | None = None) -> Tensor:
        """The inverse of `start`."""
        return self.sampler(nfe).spectrum.whiten(start - condition.prior, condition.prior, nfe)
