"""Solves what is linear in expression: coarse pictures and outlines.

Letters: n cells, D width, Q genes that are read, V values that are told.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spatia.batching.training_slide import Batch, TrainingSlide
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.data.morphology import half_axes, nuclear_channel, nucleus_mask
from napari_spatia.model.inputs import Encoding
from napari_spatia.model.solved_linear import SolvedLinear
from napari_spatia.model.spatia import OUTLINE_AXES, SpatiaModel

MOST_CELLS = 24_000
"""Cells of a slide that a linear part is solved on."""
CELLS_AT_ONCE = 512
PENALTIES = (0.001, 0.01, 0.1, 1.0)

Encode = Callable[[TrainingSlide, Batch], Encoding]
"""Cells of a slide → their encoding from genes, niche and tissue, without their own image."""
Told = tuple[Tensor, Tensor]
"""(n, D + Q) features of cells and (n, V) what is to be told of them."""
Target = Callable[[Batch, Encoding], Tensor]
"""Cells → (B, V) what is to be told of them."""


@torch.no_grad()
def gather(model: SpatiaModel, slides: list[TrainingSlide], encode: Encode, target: Target) -> Told:
    """Up to `MOST_CELLS` cells of each slide, spread evenly; those whose target is not known are left out."""
    features, told = [], []
    device = next(model.parameters()).device
    for slide in slides:
        cells = np.linspace(0, slide.num_cells - 1, min(MOST_CELLS, slide.num_cells)).astype(np.int64)
        for some in np.array_split(cells, -(-len(cells) // CELLS_AT_ONCE)):
            batch = slide.batch(some).to(device)
            encoding = encode(slide, batch)
            features.append(model.linear_prior.features(encoding.fused, batch.genes).cpu())
            told.append(target(batch, encoding).cpu())
    known = torch.cat(told).isfinite().all(1)
    return torch.cat(features)[known], torch.cat(told)[known]


def solve(linear: SolvedLinear, learned: Told, checked: Told) -> list[float]:
    """Fits on ``learned`` with the penalty that is best on ``checked``; → R² of each value there, in (-inf, 1]."""

    def unexplained() -> Tensor:
        said = checked[0] @ linear.weight.cpu() + linear.bias.cpu()
        return (said - checked[1]).square().mean(0)

    missed = {}
    for penalty in PENALTIES:
        linear.solve(*learned, penalty)
        missed[penalty] = unexplained().mean().item()
    linear.solve(*learned, min(missed, key=lambda penalty: missed[penalty]))
    varies = checked[1].var(0, correction=0).clamp(min=1e-9)
    return [round(value, 4) for value in (1 - unexplained() / varies).tolist()]


def fit_outlines(
    model: SpatiaModel,
    slides: list[TrainingSlide],
    held_out: list[TrainingSlide],
    encode: Encode,
    scale: IntensityScale,
) -> dict[str, list[float]]:
    """Solves `SpatiaModel.expected_outline` from the outlines of real cells; → R² on ``held_out``, axis by axis.

    Without a stain that shows nuclei nothing is told of them. Nothing is fitted where no outline can be measured.
    """
    nuclear = nuclear_channel(model.config.channels)
    nucleus_idx = None if nuclear is None else model.config.channels.index(nuclear)

    def outlines(batch: Batch, _: Encoding) -> Tensor:
        image = batch.image.cpu().numpy()
        stains, masks = scale.restore(image[:, :-1]), image[:, -1] > 0
        pairs = zip(stains, masks, strict=True)
        return torch.from_numpy(np.stack([outline_axes(*pair, nucleus_idx, model.config.um_per_px) for pair in pairs]))

    learned, checked = (gather(model, some, encode, outlines) for some in (slides, held_out))
    if not len(learned[0]) or not len(checked[0]):
        return {}
    return {"outline_r2": solve(model.linear_outline, learned, checked)}


def outline_axes(
    stains: NDArray[np.float32], cell: NDArray[np.bool_], nucleus_idx: int | None, um_per_px: float
) -> NDArray[np.float32]:
    """`(4,)` as in `OUTLINE_AXES`, of one cell ``cell`` `(H, W)` with its ``stains`` `(C, H, W)` in intensities.

    NaN where an outline cannot be measured; 0 for a nucleus that no stain shows.
    """
    axes = np.zeros(OUTLINE_AXES, np.float32)
    axes[:2] = half_axes(cell, um_per_px)
    if nucleus_idx is not None:
        axes[2:] = half_axes(nucleus_mask(stains[nucleus_idx], cell, um_per_px), um_per_px)
    return axes
