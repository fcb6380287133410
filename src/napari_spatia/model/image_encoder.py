"""Cell crops → image tokens. Letters: B cells, C stain channels (+1 mask), P patches, D width, W stem width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.layers import Block, LayerNorm

CONVOLUTION_PX = 4
"""Pixels a side that the convolutional stem reads at once."""
POOLS = 2
"""Weighted means over the patches that make the pooled embedding: the cell and its surroundings, say."""


class ImageEncoder(nn.Module):
    """A vision transformer with one patch embedding a channel (Dosovitskiy et al. 2021), on a stem of convolutions
    where the config has one: tens of thousands of crops teach convolutions more than patches (Xiao et al. 2021).

    The last channel is the mask of the cell itself, so the model knows which cell of the crop is meant. A channel that
    a slide lacks is replaced by a learned vector. Patches are masked in training only (He et al. 2022); the encoder in
    evaluation has no randomness.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, stem = config.width, config.image_stem_width
        self.patch_px = config.image_patch_px
        first_px, first_width = (CONVOLUTION_PX, stem) if stem else (self.patch_px, width)
        num_patches = (config.crop_px // self.patch_px) ** 2
        self.patch = nn.ModuleList(
            [nn.Conv2d(1, first_width, first_px, first_px) for _ in range(config.drawn_channels)]
        )
        self.missing = nn.Parameter(torch.zeros(config.drawn_channels, first_width))
        self.stem = Stem(stem, width, self.patch_px // CONVOLUTION_PX) if stem else nn.Identity()
        self.masked = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Parameter(torch.randn(num_patches, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, config.head_width) for _ in range(config.image_depth)])
        self.norm = LayerNorm(width)
        self.out = nn.Linear(width, width)
        self.weigh = nn.Linear(width, POOLS)
        self.pooled = nn.Linear(POOLS * width, width)

    def forward(self, image: Tensor, has_channel: Tensor, masked: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``image`` (B, C + 1, H, W) standardised, ``has_channel`` (C + 1,), ``masked`` (B, P) bool → tokens (B, P, D)
        and their pooled embedding (B, D).
        """
        if masked is not None:
            image = image * ~self._pixels(masked, image)
        first = torch.zeros((), device=image.device)
        for channel, embed in enumerate(self.patch):
            if has_channel[channel]:
                first = first + embed(image[:, channel : channel + 1])  # (B, W or D, h, w)
            else:
                first = first + self.missing[channel][:, None, None]
        tokens = self.stem(first).flatten(2).mT  # (B, P, D)
        if masked is not None:
            tokens = torch.where(masked[..., None], self.masked, tokens)
        tokens = tokens + self.position
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        weight = self.weigh(tokens).softmax(1)  # (B, P, POOLS)
        return self.out(tokens), self.pooled((weight.mT @ tokens).flatten(1))

    def _pixels(self, masked: Tensor, image: Tensor) -> Tensor:
        """``masked`` (B, P) as pixels (B, 1, H, W): a stem of convolutions must not see them from the side."""
        rows = image.shape[-2] // self.patch_px
        grid = masked.unflatten(1, (1, rows, -1))  # (B, 1, h, w)
        return grid.repeat_interleave(self.patch_px, 2).repeat_interleave(self.patch_px, 3)


class Stem(nn.Sequential):
    """Residual convolutions, a step down to one position a patch, and residual convolutions there."""

    def __init__(self, width: int, out: int, shrink: int):
        super().__init__(
            Residual(width), Residual(width), nn.Conv2d(width, out, shrink, shrink), Residual(out)
        )  # fmt: skip


class Residual(nn.Module):
    """x + two convolutions, normalised first (He et al. 2016)."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.ModuleList([nn.GroupNorm(8, width) for _ in range(2)])
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(second.weight)
        self.conv = nn.ModuleList([first, second])

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (B, W, h, w) → the same shape."""
        change = x
        for norm, conv in zip(self.norm, self.conv, strict=True):
            change = conv(F.relu(norm(change)))
        return x + change


def patches(image: Tensor, patch_px: int) -> Tensor:
    """(B, C, H, W) → (B, P, C · patch_px²), the target of masked patches."""
    channels_first = F.unfold(image, patch_px, stride=patch_px)  # (B, C · patch², P)
    return channels_first.mT
