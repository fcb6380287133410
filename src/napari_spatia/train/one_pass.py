"""The small decoder of one pass, taught by the large one's pictures. Letters: B cells, G genes of the panel."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.batching.training_slide import Batch, TrainingSlide
from napari_spatia.model.flow_decoder import OnePassDecoder
from napari_spatia.model.flow_solver import sample
from napari_spatia.model.inputs import Condition
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.losses import one_pass_loss
from napari_spatia.train.parallel import by_share
from napari_spatia.train.stages import DecoderStage, Draws, Pictures, evenly_spread, follow, stains_of

Lesson = tuple[Tensor, Tensor, Condition]
"""Noise and the picture that the large decoder draws of it, each (B, C, H, W), and what it was told."""
TAUGHT_NFE = 4
"""Passes of the large decoder in a picture that teaches."""
TIMES_LEARNED, LESSONS_KEPT = 4, 32
"""How often a batch is learned from, among so many of the newest."""
VALIDATION_CELLS, SHOWN_CELLS = 64, 12
EDITED_SHARE, MOST_GENES_EDITED, MOST_LOG2_FC = 0.5, 3, 4.0
"""Cells of a batch that are drawn under a random edit, of so many genes at most, each changed by so much at most: under
a hand most cells are edited.
"""


class OnePassStage:
    """A small decoder learns to draw in one pass what the large one draws of the same noise in `TAUGHT_NFE`: the noise
    tells the picture, so plain squared error is enough (Luhman & Luhman 2021). All else stays as it is.
    """

    name = "one_pass"

    def __init__(self, decoder: DecoderStage, one_pass: OnePassDecoder, config: TrainConfig, trained_before: bool):
        self.decoder, self.model, self.one_pass, self.config = decoder, decoder.model, one_pass, config
        self.num_steps, self.share, self.peak_lr = config.one_pass_steps, config.share("one_pass"), config.one_pass_lr
        self.draws = Draws(decoder.slides, config, stage=4)
        self.trained_before, self._lessons = trained_before, dict[int, Lesson]()
        self.trained = nn.ModuleDict({"one_pass": one_pass})
        self.averaged = deepcopy(one_pass).requires_grad_(False)
        for network in (one_pass, self.averaged):
            network.spectrum.take_pictures_of(self.model.decoder.spectrum)

    def losses(self, step: int, done: float) -> dict[str, Tensor]:
        newest, since = divmod(step, TIMES_LEARNED)
        number = newest
        if since:  # one of before: the same whether or not the run was stopped in between
            rng = np.random.default_rng((*self.draws.key, step, 2))
            number = int(rng.integers(max(0, newest - LESSONS_KEPT + 1), newest + 1))
        return {"one_pass": one_pass_loss(self.one_pass, *self._lesson(number))}

    def _lesson(self, number: int) -> Lesson:
        """A batch that teaches, which costs far more than to learn from it; the newest ones are kept."""
        if number not in self._lessons:
            slide, batch, turn = self.draws.batch(number, self.config.one_pass_cells, 1)
            edited = randomly_edited(slide.values[batch.cell_idx], np.random.default_rng((*self.draws.key, number, 3)))
            batch = replace(batch, genes=gene_tokens(edited).to(self.config.device))
            self._lessons[number] = self._taught(slide, batch, self.draws.generator(number), turn)
            for old in [kept for kept in self._lessons if kept <= number - LESSONS_KEPT]:
                del self._lessons[old]
        return self._lessons[number]

    def after_step(self, step: int) -> None:
        follow(self.averaged, self.one_pass, self.config.ema, None if self.trained_before else step)

    def modules(self) -> nn.ModuleDict:
        return nn.ModuleDict({"model": self.model, "averaged": self.averaged})

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        errors, generator = [], torch.Generator().manual_seed(0)
        for slide in self.decoder.held_out:
            batch = slide.batch(evenly_spread(slide.num_cells, VALIDATION_CELLS)).to(self.config.device)
            errors.append(one_pass_loss(self.averaged, *self._taught(slide, batch, generator)).item())
        return {"one_pass_held_out": float(np.mean(errors))}

    @torch.no_grad()
    def pictures(self) -> Pictures:
        """Held-out cells as the large decoder draws them, and as the small one does from the same noise."""
        slide = self.decoder.held_out[0]
        batch = slide.batch(evenly_spread(slide.num_cells, SHOWN_CELLS)).to(self.config.device)
        start, taught, condition = self._taught(slide, batch, torch.Generator().manual_seed(0))
        now = torch.zeros(len(start), device=start.device)
        return stains_of(taught), stains_of(start + self.averaged(start, now, now + 1, condition))

    @torch.no_grad()
    def _taught(self, slide: TrainingSlide, batch: Batch, generator: torch.Generator, turn: int = 0) -> Lesson:
        condition = self.model.condition(self.decoder.encoding(slide, batch, turn), batch.genes)
        white = torch.randn(batch.image.shape, generator=generator).to(self.config.device)
        start = self.model.start(white, condition, TAUGHT_NFE)

        def velocity(x: Tensor, t: Tensor, step: Tensor) -> Tensor:
            return by_share(self.model.decoder, len(x), x, t, step, condition)

        return start, sample(velocity, start, TAUGHT_NFE), condition


def randomly_edited(values: csr_matrix, rng: np.random.Generator) -> csr_matrix:
    """`(B, G)` log2(1 + counts), `EDITED_SHARE` of the rows with a few genes changed; none ends below 0."""
    edited = values.toarray()
    for row in np.flatnonzero(rng.random(len(edited)) < EDITED_SHARE):
        genes = rng.integers(edited.shape[1], size=rng.integers(1, MOST_GENES_EDITED + 1))
        edited[row, genes] = np.maximum(0, edited[row, genes] + rng.uniform(-MOST_LOG2_FC, MOST_LOG2_FC, len(genes)))
    return csr_matrix(edited)
