"""Cell crops → image tokens. Letters: B cells, C stain channels (+1 mask), P patches, D width."""

import torch
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.layers import Block, LayerNorm


class ImageEncoder(nn.Module):
    """A vision transformer with one patch embedding a channel (Dosovitskiy et al. 2021).

    The last channel is the mask of the cell itself, so the model knows which cell of the crop is meant. A channel that
    a slide lacks is replaced by a learned vector. Patches are masked in training only (He et al. 2022); the encoder in
    evaluation has no randomness.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, patch = config.width, config.image_patch_px
        num_patches = (config.crop_px // patch) ** 2
        self.patch = nn.ModuleList([nn.Conv2d(1, width, patch, patch) for _ in range(config.drawn_channels)])
        self.missing = nn.Parameter(torch.zeros(config.drawn_channels, width))
        self.masked = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Parameter(torch.randn(num_patches, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, config.head_width) for _ in range(config.image_depth)])
        self.norm = LayerNorm(width)

    def forward(self, image: Tensor, has_channel: Tensor, masked: Tensor | None = None) -> Tensor:
        """``image`` (B, C + 1, H, W) standardised, ``has_channel`` (C + 1,), ``masked`` (B, P) bool → (B, P, D)."""
        tokens = torch.zeros((), device=image.device)
        for channel, embed in enumerate(self.patch):
            if has_channel[channel]:
                tokens = tokens + embed(image[:, channel : channel + 1]).flatten(2).mT  # (B, P, D)
            else:
                tokens = tokens + self.missing[channel]
        if masked is not None:
            tokens = torch.where(masked[..., None], self.masked, tokens)
        tokens = tokens + self.position
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


def patches(image: Tensor, patch_px: int) -> Tensor:
    """(B, C, H, W) → (B, P, C · patch_px²), the target of masked patches."""
    channels_first = nn.functional.unfold(image, patch_px, stride=patch_px)  # (B, C · patch², P)
    return channels_first.mT
