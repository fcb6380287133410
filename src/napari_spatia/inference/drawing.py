"""From genes, surroundings and noise to a picture: pass by pass, or in one call for a hand that moves a slider.

Letters: B cells, K genes, N neighbours, R tissue regions, D width, C stains, H = W crop pixels.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.device import PrecisionChoice
from napari_spatia.model.flow_solver import Velocity, sample
from napari_spatia.model.inputs import Around, Condition, GeneTokens, Rows
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, silent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawn(Rows):
    """What is drawn of B cells, and on the way: ``picture`` (B, C + 1, H, W) standardised, ``condition``, ``embedding``
    (B, D) what the gene encoder says, ``outline`` (B, 4) as in `OUTLINE_AXES`.
    """

    picture: Tensor
    condition: Condition
    embedding: Tensor
    outline: Tensor


Read = tuple[GeneTokens, Around, Tensor]
"""Genes, what lies around, and white noise (B, C + 1, H, W)."""


def velocity_under(
    model: SpatiaModel, precision: PrecisionChoice, condition: Condition, nfe: int | None = None, merge_ratio: float = 0
) -> Velocity:
    """What the decoder of ``nfe`` passes (`SpatiaModel.sampler`) says under a condition, in float32; its products are
    in ``precision``.
    """
    decoder = model.sampler(nfe)

    def velocity(x: Tensor, t: Tensor, step: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
            return decoder(x, t, step, condition, merge_ratio)

    return velocity


@torch.no_grad()
def draw_cells(
    model: SpatiaModel,
    precision: PrecisionChoice,
    read: Read,
    nfe: int,
    merge_ratio: float = 0.0,
    progress: Progress = silent,
) -> Drawn:
    """Cells as they are drawn in ``nfe`` passes when they express these genes there."""
    genes, around, white = read
    encoding = model.encode(around, genes)
    condition = model.condition(encoding, genes)
    velocity = velocity_under(model, precision, condition, nfe, merge_ratio)
    picture = sample(velocity, model.start(white, condition, nfe), nfe, progress)
    return Drawn(picture, condition, encoding.genes, model.expected_outline(condition.vector, genes))


def one_call(model: SpatiaModel, precision: PrecisionChoice, nfe: int) -> Callable[[Read], Drawn]:
    """`draw_cells` of one cell at a time, on the CPU as a traced graph: of so few numbers the hundreds of operations
    take as long in Python as in the products. The graph has the same bits in two thirds of the time, and leaves the
    interpreter to the window meanwhile. Where torch cannot trace, or the graph says anything else, it is not used.
    """

    def step_by_step(read: Read) -> Drawn:
        return draw_cells(model, precision, read, nfe)

    if next(model.parameters()).device.type != "cpu":
        return step_by_step
    examples = [_example(model.config, num_genes) for num_genes in (3, 40)]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # shapes of one cell are constants; torch.jit is to go some day
            flat = _Flat(model, precision, nfe).eval()
            traced = torch.jit.freeze(torch.jit.trace(flat, _flat(*examples[0]), check_trace=False))
    except Exception:  # an optimisation is not worth a picture
        _log.debug("the preview is drawn step by step", exc_info=True)
        return step_by_step

    @torch.no_grad()
    def at_once(read: Read) -> Drawn:
        picture, tokens, vector, prior, embedding, outline = traced(*_flat(*read))
        return Drawn(picture, Condition(tokens, vector, prior), embedding, outline)

    same = [torch.equal(at_once(read).picture, step_by_step(read).picture) for read in 2 * examples]
    return at_once if all(same) else step_by_step


class _Flat(nn.Module):
    """`draw_cells` with tensors in and out, as a trace needs it."""

    def __init__(self, model: SpatiaModel, precision: PrecisionChoice, nfe: int):
        super().__init__()
        self.model, self.precision, self.nfe = model, precision, nfe

    def forward(self, white: Tensor, *read: Tensor) -> tuple[Tensor, ...]:
        num = len(fields(GeneTokens))
        drawn = draw_cells(self.model, self.precision, (GeneTokens(*read[:num]), Around(*read[num:]), white), self.nfe)
        condition = drawn.condition
        return drawn.picture, condition.tokens, condition.vector, condition.prior, drawn.embedding, drawn.outline


def _flat(genes: GeneTokens, around: Around, white: Tensor) -> tuple[Tensor, ...]:
    return (white, *(cast(Tensor, getattr(rows, field.name)) for rows in (genes, around) for field in fields(rows)))


def _example(config: ModelConfig, num_genes: int) -> Read:
    """A cell that is none, with everything around it."""
    random = torch.Generator().manual_seed(num_genes)
    genes = GeneTokens(
        torch.randint(len(config.panel), (1, num_genes), generator=random),
        1 + torch.rand(1, num_genes, generator=random),
        torch.ones(1, num_genes, dtype=torch.bool),
        1 + torch.rand(1, generator=random),
    )
    neighbours, regions = (
        (
            torch.randn(1, num, config.width, generator=random),
            config.region_um * torch.randn(1, num, 2, generator=random),
            torch.ones(1, num, dtype=torch.bool),
        )
        for num in (config.num_neighbours, config.region_window**2)
    )
    around = Around(*neighbours, *regions, torch.zeros(1, config.num_neighbours, dtype=torch.int64))
    size = (1, config.drawn_channels, config.crop_px, config.crop_px)
    return genes, around, torch.randn(size, generator=random)
