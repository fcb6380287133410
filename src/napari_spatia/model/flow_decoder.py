"""The velocity network. Letters: B cells, C drawn channels, H = W crop pixels, N = (H/8)² core tokens, T condition
tokens, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.flow_path import Spectrum
from napari_spatia.model.inputs import Condition
from napari_spatia.model.layers import MLP, Attention, GroupNorm, LayerNorm, modulate, time_features
from napari_spatia.model.token_merge import merge, plan_merge, unmerge

SHORTEST_STEP = 1 / 8
"""The shortest step whose mean velocity is learned; up to half of it the velocity itself is taken."""


class FlowDecoder(nn.Module):
    """Convolutions at H/2 and H/4, a transformer at H/8, skip connections; reads the condition at every level.

    The network reads the noisy picture and the best linear guess of the clean one, and gives what is added to the
    velocity that the ``spectrum`` alone implies: without that, most of its fine channels would pass the noise through.

    ``step`` is the length of the step that will be taken: the network gives the mean velocity over it, so one network
    draws in 1, 2, 4 … passes (Frans et al. 2025, shortcut models). step = 0 is the velocity itself, which steps much
    shorter than `SHORTEST_STEP` take too.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        drawn, width = config.drawn_channels, config.width
        fine, coarse = config.decoder_channels
        self.width, self.grid_px = width, config.crop_px // 8
        self.spectrum = Spectrum(drawn, config.crop_px)
        self.clock = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
        self.stem = nn.Conv2d(8 * drawn, fine, 3, padding=1)
        self.fine_in = ConvBlock(fine, fine, width)
        self.to_coarse = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.read_prior = nn.Conv2d(drawn, coarse, 3, padding=1)
        self.coarse_in = nn.ModuleList([ConvBlock(coarse, coarse, width) for _ in range(2)])
        self.to_core = nn.Conv2d(coarse, width, 3, stride=2, padding=1)
        self.position = nn.Parameter(torch.randn(self.grid_px**2, width) * 0.02)
        self.core = nn.ModuleList([CoreBlock(width, config.head_width) for _ in range(config.decoder_depth)])
        self.from_core = nn.Conv2d(width, coarse, 1)
        self.coarse_out = nn.ModuleList([ConvBlock(2 * coarse, coarse, width), ConvBlock(coarse, coarse, width)])
        self.from_coarse = nn.Conv2d(coarse, fine, 1)
        self.fine_out = ConvBlock(2 * fine, fine, width)
        self.head = nn.Conv2d(fine, 4 * drawn, 3, padding=1)
        for parameter in self.head.parameters():  # at first nothing is added
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor, step: Tensor, condition: Condition, merge_ratio: float = 0.0) -> Tensor:
        """``x`` (B, C, H, W), ``t`` and ``step`` (B,) in [0, 1] → mean velocity from t to t + step, (B, C, H, W)."""
        told = torch.where(step <= SHORTEST_STEP / 2, 0, step)
        clock = torch.cat([time_features(t, self.width), time_features(told, self.width)], dim=-1)
        vector = F.silu(self.clock(clock) + condition.vector)  # (B, D)
        around = x - condition.prior
        seen = torch.cat([self.spectrum.unit(around, t), self.spectrum.smoothed(around, t)], dim=1)
        fine = self.fine_in(self.stem(F.pixel_unshuffle(seen, 2)), vector)  # (B, fine, H/2, W/2)
        coarse = self.to_coarse(fine) + self.read_prior(F.avg_pool2d(condition.prior, 4))  # (B, coarse, H/4, W/4)
        for block in self.coarse_in:
            coarse = block(coarse, vector)
        core = self.to_core(coarse).flatten(2).mT + self.position  # (B, N, D)
        for block in self.core:
            core = block(core, vector, condition.tokens, (self.grid_px, self.grid_px), merge_ratio)
        up = self.from_core(core.mT.unflatten(2, (self.grid_px, self.grid_px)))  # (B, coarse, H/8, W/8)
        coarse = torch.cat([F.interpolate(up, scale_factor=2.0), coarse], dim=1)
        for block in self.coarse_out:
            coarse = block(coarse, vector)
        up = F.interpolate(self.from_coarse(coarse), scale_factor=2.0)  # (B, fine, H/2, W/2)
        added = F.pixel_shuffle(self.head(self.fine_out(torch.cat([up, fine], dim=1), vector)), 2)
        return self.spectrum.velocity(around, t, told) + self.spectrum.missed(t) * added.float()


class ConvBlock(nn.Module):
    """Two convolutions around an adaptive group norm, with a residual."""

    def __init__(self, channels_in: int, channels: int, width: int):
        super().__init__()
        self.norm_in = GroupNorm(8, channels_in)
        self.conv_in = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.adapt = nn.Linear(width, 2 * channels)
        self.norm_out = GroupNorm(8, channels)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """``x`` (B, channels_in, h, w), ``vector`` (B, D) → (B, channels, h, w)."""
        shift, scale = self.adapt(vector)[..., None, None].chunk(2, dim=1)
        h = self.conv_in(F.silu(self.norm_in(x)))
        return self.skip(x) + self.conv_out(F.silu(self.norm_out(h) * (1 + scale) + shift))


class CoreBlock(nn.Module):
    """Adaptive self-attention and MLP over merged tokens, and cross-attention to the condition's tokens."""

    def __init__(self, width: int, head_width: int):
        super().__init__()
        self.norms = nn.ModuleList([LayerNorm(width, elementwise_affine=False) for _ in range(3)])
        self.adapt = nn.Linear(width, 6 * width)
        self.attention = Attention(width, head_width)
        self.cross = Attention(width, head_width)
        self.mlp = MLP(width)
        for parameter in self.adapt.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, vector: Tensor, context: Tensor, grid: tuple[int, int], merge_ratio: float) -> Tensor:
        """``x`` (B, N, D), ``vector`` (B, D), ``context`` (B, T, D) → (B, N, D); merged tokens get one update."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.adapt(vector).chunk(6, dim=-1)
        plan = plan_merge(x, grid, merge_ratio)
        merged = merge(x, plan)  # (B, M, D)
        update = (1 + gate_a[:, None]) * self.attention(modulate(self.norms[0](merged), shift_a, scale_a))
        update = update + self.cross(self.norms[1](merged + update), context)
        after = merged + update
        update = update + (1 + gate_m[:, None]) * self.mlp(modulate(self.norms[2](after), shift_m, scale_m))
        return x + unmerge(update, plan)
