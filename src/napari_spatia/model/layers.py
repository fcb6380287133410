"""Building blocks. Letters: B cells, Q queries, K keys, D width, h heads, d width of a head.

Under autocast, products of weights run in bfloat16; norms run in float32 on every device, and so does attention on the
CPU, where the backward passes of both are several times slower in bfloat16 than in float32.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention; over itself when ``context``, which is ``read`` wide, is left out (Vaswani et al. 2017,
    eq. 1).
    """

    def __init__(self, width: int, head_width: int, read: int | None = None):
        super().__init__()
        self.heads = max(1, width // head_width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(read or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        """``x`` (B, Q, D), ``context`` (B, K, D), ``present`` (B, K) bool: keys that may be read → (B, Q, D)."""
        query = self._split(self.query(x))  # (B, h, Q, d)
        key, value = self.key_value(x if context is None else context).chunk(2, dim=-1)
        mask = None if present is None else present[:, None, None, :]
        read = _attend(query, self._split(key), self._split(value), mask)
        return self.out(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask)


class LayerNorm(nn.LayerNorm):
    """A layer norm in float32, as autocast has it on a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


class GroupNorm(nn.GroupNorm):
    """A group norm in float32, as autocast has it on a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


def hold_products_in_bfloat16(module: nn.Module) -> None:
    """Stores the weights of products as autocast needs them, so that it does not convert them at every pass, and those
    of convolutions with channels last, in which bfloat16 is faster. For drawing; not for training.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.to(torch.bfloat16)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class MLP(nn.Sequential):
    """Two layers with a GELU between; hidden width is ``ratio`` times ``width``."""

    def __init__(self, width: int, out: int | None = None, ratio: int = 4):
        super().__init__(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, out or width))


class Block(nn.Module):
    """Pre-norm attention and MLP; with ``cross`` it reads a context first."""

    def __init__(self, width: int, head_width: int, cross: bool = False, self_attention: bool = True):
        super().__init__()
        self.cross_norm = LayerNorm(width) if cross else None
        self.cross = Attention(width, head_width) if cross else None
        self.self_norm = LayerNorm(width) if self_attention else None
        self.self_attention = Attention(width, head_width) if self_attention else None
        self.mlp_norm = LayerNorm(width)
        self.mlp = MLP(width)

    def forward(self, x: Tensor, context: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        """``x`` (B, Q, D) → (B, Q, D); ``present`` masks the context when there is one, else ``x`` itself."""
        if self.cross is not None and self.cross_norm is not None:
            x = x + self.cross(self.cross_norm(x), context, present)
            present = None
        if self.self_attention is not None and self.self_norm is not None:
            x = x + self.self_attention(self.self_norm(x), present=present)
        return x + self.mlp(self.mlp_norm(x))

    def of_first(self, x: Tensor, present: Tensor) -> Tensor:
        """What self-attention makes of the first place alone, which is all that the last block is asked for:
        ``x`` (B, Q, D) → (B, D).
        """
        assert self.self_norm is not None and self.self_attention is not None and self.cross is None
        seen = self.self_norm(x)
        first = x[:, :1] + self.self_attention(seen[:, :1], seen, present)
        return (first + self.mlp(self.mlp_norm(first)))[:, 0]


class FourierFeatures(nn.Module):
    """Offsets in µm as sines and cosines of wavelengths spaced evenly in log from ``shortest_um`` to ``longest_um``."""

    wave_number: Tensor

    def __init__(self, width: int, shortest_um: float, longest_um: float, num_waves: int = 8):
        super().__init__()
        wavelength = torch.logspace(math.log10(shortest_um), math.log10(longest_um), num_waves)
        self.register_buffer("wave_number", 2 * math.pi / wavelength, persistent=False)
        self.project = nn.Linear(4 * num_waves, width)

    def forward(self, offset_um: Tensor) -> Tensor:
        """(..., 2) µm → (..., D)."""
        phase = (offset_um[..., None] * self.wave_number).flatten(-2)  # (..., 2 · waves)
        return self.project(torch.cat([phase.sin(), phase.cos()], dim=-1))


def time_features(t: Tensor, width: int) -> Tensor:
    """``t`` (B,) in [0, 1] → (B, width) sines and cosines (Vaswani et al. 2017, section 3.5, with t scaled by 1000)."""
    half = width // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
    phase = 1000 * t[:, None] * frequency
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """``x`` (B, Q, D) scaled and shifted by (B, D) each (Peebles & Xie 2023, adaLN)."""
    return x * (1 + scale[:, None]) + shift[:, None]
