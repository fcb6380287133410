"""Token merging for generation: plan → merge → (attention, MLP) → unmerge, as pure functions.

Bipartite soft matching on a grid (Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion"). Letters: B cells,
N tokens of an h × w grid, S sources, M merged tokens, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Where each token goes: ``target`` (B, N) int64 in [0, M), ``count`` (B, M, 1) tokens that share a target."""

    target: Tensor
    count: Tensor


def plan_merge(tokens: Tensor, grid: tuple[int, int], merge_ratio: float) -> MergePlan | None:
    """Plans to average away ``merge_ratio`` in [0, 0.75] of (B, N, D) tokens; None (the identity) when that is none.

    One token of each 2 × 2 square is kept; the others whose nearest kept token is most alike (cosine) join it.
    """
    if merge_ratio == 0:
        return None
    num_tokens = tokens.shape[1]
    num_merged = min(round(merge_ratio * num_tokens), num_tokens - num_tokens // 4)
    if num_merged == 0:
        return None
    kept, others = _squares(grid, tokens.device)
    unit = torch.nn.functional.normalize(tokens.detach(), dim=-1)
    similarity, nearest = (unit[:, others] @ unit[:, kept].mT).max(-1)  # (B, S)
    order = similarity.argsort(dim=-1, descending=True, stable=True)
    joins, stays = order[:, :num_merged], order[:, num_merged:]
    target = torch.empty(tokens.shape[:2], dtype=torch.int64, device=tokens.device)
    target[:, kept] = torch.arange(len(kept), device=tokens.device)
    target.scatter_(1, others[joins], nearest.gather(1, joins))
    alone = torch.arange(len(kept), num_tokens - num_merged, device=tokens.device)
    target.scatter_(1, others[stays], alone.expand(len(tokens), -1))
    count = tokens.new_zeros(len(tokens), num_tokens - num_merged)
    count.scatter_add_(1, target, torch.ones_like(target, dtype=tokens.dtype))
    return MergePlan(target, count[..., None])


def merge(tokens: Tensor, plan: MergePlan | None) -> Tensor:
    """(B, N, D) → (B, M, D): the mean of the tokens that share a target."""
    if plan is None:
        return tokens
    total = tokens.new_zeros(len(tokens), plan.count.shape[1], tokens.shape[2])
    return total.scatter_add(1, plan.target[..., None].expand_as(tokens), tokens) / plan.count


def unmerge(merged: Tensor, plan: MergePlan | None) -> Tensor:
    """(B, M, D) → (B, N, D): each token takes its target's value."""
    if plan is None:
        return merged
    return merged.gather(1, plan.target[..., None].expand(-1, -1, merged.shape[2]))


def _squares(grid: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    height, width = grid
    index = torch.arange(height * width, device=device)
    corner = (index // width % 2 == 0) & (index % width % 2 == 0)
    return index[corner], index[~corner]
