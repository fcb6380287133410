"""The velocity networks. Letters: B cells, C drawn channels, H = W crop pixels, N = (H/8)² core tokens, E their width,
T condition tokens, D the model's width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_spatia.model.config import DecoderShape, ModelConfig
from napari_spatia.model.flow_path import Spectrum
from napari_spatia.model.flow_solver import Inversion
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

    inversion = Inversion()

    def __init__(self, config: ModelConfig, shape: DecoderShape):
        super().__init__()
        drawn, width, core = config.drawn_channels, config.width, shape.width
        fine, coarse = shape.channels
        self.grid_px = config.crop_px // 8
        self.spectrum = Spectrum(drawn, config.crop_px)
        self.clock: Clock | FixedClock = Clock(width)
        self.stem = nn.Conv2d(8 * drawn, fine, 3, padding=1)
        self.fine_in = ConvBlock(fine, fine, width)
        self.to_coarse = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.read_prior = nn.Conv2d(drawn, coarse, 3, padding=1)
        self.coarse_in = nn.ModuleList([ConvBlock(coarse, coarse, width) for _ in range(2)])
        self.to_core = nn.Conv2d(coarse, core, 3, stride=2, padding=1)
        self.position = nn.Parameter(torch.randn(self.grid_px**2, core) * 0.02)
        self.core = nn.ModuleList([CoreBlock(core, config.head_width, width) for _ in range(shape.depth)])
        self.from_core = nn.Conv2d(core, coarse, 1)
        self.coarse_out = nn.ModuleList([ConvBlock(2 * coarse, coarse, width), ConvBlock(coarse, coarse, width)])
        self.from_coarse = nn.Conv2d(coarse, fine, 1)
        self.fine_out = ConvBlock(2 * fine, fine, width)
        self.head = nn.Conv2d(fine, 4 * drawn, 3, padding=1)
        for parameter in self.head.parameters():  # at first nothing is added
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor, step: Tensor, condition: Condition, merge_ratio: float = 0.0) -> Tensor:
        """``x`` (B, C, H, W), ``t`` and ``step`` (B,) in [0, 1] → mean velocity from t to t + step, (B, C, H, W)."""
        told = torch.where(step <= SHORTEST_STEP / 2, 0, step)
        around = x - condition.prior
        seen = torch.cat([self.spectrum.unit(around, t), self.spectrum.smoothed(around, t)], dim=1)
        vector = self.clock(t, told) + condition.vector  # (B, D)
        added = self._added(seen, vector, condition, merge_ratio)
        return self.spectrum.velocity(around, t, told) + self.spectrum.missed(t) * added

    def _added(self, seen: Tensor, vector: Tensor, condition: Condition, merge_ratio: float) -> Tensor:
        """``seen`` (B, 2 C, H, W), two pictures, and ``vector`` (B, D) → what is added to what the spectrum implies,
        (B, C, H, W).
        """
        vector = F.silu(vector)
        fine = self.fine_in(self.stem(F.pixel_unshuffle(seen, 2)), vector)  # (B, fine, H/2, W/2)
        coarse = self.to_coarse(fine) + self.read_prior(F.avg_pool2d(condition.prior, 4))  # (B, coarse, H/4, W/4)
        for block in self.coarse_in:
            coarse = block(coarse, vector)
        core = self.to_core(coarse).flatten(2).mT + self.position  # (B, N, E)
        for block in self.core:
            core = block(core, vector, condition.tokens, (self.grid_px, self.grid_px), merge_ratio)
        up = self.from_core(core.mT.unflatten(2, (self.grid_px, self.grid_px)))  # (B, coarse, H/8, W/8)
        coarse = torch.cat([F.interpolate(up, scale_factor=2.0), coarse], dim=1)
        for block in self.coarse_out:
            coarse = block(coarse, vector)
        up = F.interpolate(self.from_coarse(coarse), scale_factor=2.0)  # (B, fine, H/2, W/2)
        return F.pixel_shuffle(self.head(self.fine_out(torch.cat([up, fine], dim=1), vector)), 2).float()


class OnePassDecoder(FlowDecoder):
    """A small decoder for the one step from noise to a picture, which a moving hand waits for; it is taught by the
    pictures that the large one draws of the same noise (Luhman & Luhman 2021).

    At t = 0 nothing can be guessed of the clean picture; it reads what the spectrum alone would make of the noise. Its
    one long step takes more passes to undo than short ones do.
    """

    inversion = Inversion(passes=8, memory=5, mixing=0.5)

    def __init__(self, config: ModelConfig, shape: DecoderShape):
        super().__init__(config, shape)
        self.spectrum = Spectrum(config.drawn_channels, config.crop_px, passes=(1,))
        self.clock = FixedClock(config.width)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its pictures come sooner so

    def forward(self, x: Tensor, t: Tensor, step: Tensor, condition: Condition, merge_ratio: float = 0.0) -> Tensor:
        """As of a `FlowDecoder`, where ``t`` is 0 and ``step`` is 1."""
        around = x - condition.prior
        led = self.spectrum.led(around, t)
        seen = torch.cat([self.spectrum.unit(around, t), led / self.spectrum.std], dim=1)
        added = self._added(seen, self.clock(t, step) + condition.vector, condition, merge_ratio)
        return led - around + self.spectrum.missed(t) * added


class Clock(nn.Sequential):
    """Where a step begins and how long it is, as a vector."""

    def __init__(self, width: int):
        super().__init__(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
        self.width = width

    def forward(self, t: Tensor, step: Tensor) -> Tensor:  # type: ignore[override]
        """``t`` and ``step`` (B,) → (B, D)."""
        return super().forward(torch.cat([time_features(t, self.width), time_features(step, self.width)], dim=-1))


class FixedClock(nn.Module):
    """The vector of the only step that is ever taken."""

    def __init__(self, width: int):
        super().__init__()
        self.vector = nn.Parameter(torch.zeros(width))

    def forward(self, t: Tensor, step: Tensor) -> Tensor:
        """``t`` and ``step`` (B,) → (B, D)."""
        return self.vector.expand(len(t), -1)


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
    """Adaptive self-attention and MLP over merged tokens, and cross-attention to the condition's tokens, which are
    ``told`` wide.
    """

    def __init__(self, width: int, head_width: int, told: int):
        super().__init__()
        self.norms = nn.ModuleList([LayerNorm(width, elementwise_affine=False) for _ in range(3)])
        self.adapt = nn.Linear(told, 6 * width)
        self.attention = Attention(width, head_width)
        self.cross = Attention(width, head_width, told)
        self.mlp = MLP(width)
        for parameter in self.adapt.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, vector: Tensor, context: Tensor, grid: tuple[int, int], merge_ratio: float) -> Tensor:
        """``x`` (B, N, E), ``vector`` (B, D), ``context`` (B, T, D) → (B, N, E); merged tokens get one update."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.adapt(vector).chunk(6, dim=-1)
        plan = plan_merge(x, grid, merge_ratio)
        merged = merge(x, plan)  # (B, M, E)
        update = (1 + gate_a[:, None]) * self.attention(modulate(self.norms[0](merged), shift_a, scale_a))
        update = update + self.cross(self.norms[1](merged + update), context)
        after = merged + update
        update = update + (1 + gate_m[:, None]) * self.mlp(modulate(self.norms[2](after), shift_m, scale_m))
        return x + unmerge(update, plan)
