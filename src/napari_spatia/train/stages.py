"""The stages of training: the image encoder alone, all encoders with their objectives, the decoder on what they say."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spatia.batching.tensors import embed_cells, look_around, pool_regions
from napari_spatia.batching.training_slide import Batch, TrainingSlide, turn_offsets
from napari_spatia.model.flow_decoder import FlowDecoder
from napari_spatia.model.flow_path import NOISE_PASSES
from napari_spatia.model.flow_solver import invert, sample
from napari_spatia.model.inputs import Around, Condition, Encoding
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.embeddings import embed_slide
from napari_spatia.train.linear import gather, solve
from napari_spatia.train.losses import (
    crop_loss,
    draw_masking,
    draw_modalities,
    encoder_losses,
    few_step_loss,
    flow_loss,
)
from napari_spatia.train.parallel import by_share

VALIDATION_CELLS = 512
SHOWN_CELLS, SHOWN_NFE = 12, 4
Pictures = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A few held-out cells as they are and as the model draws them, each `(n, C, H, W)` standardised."""
CELLS_AT_ONCE = 32
DECODERS = ("decoder", "one_pass")
"""Parts of the model that draw; all others are trained together before them."""
UNTOLD_SHARE = 0.1
"""Cells of a batch whose condition the decoder is not told, where guidance needs to know what it draws then."""


class Stage(Protocol):
    """One stage: what it trains, the loss of a step, and its scores on cells that are not trained on."""

    name: str
    num_steps: int
    share: float
    peak_lr: float
    trained: nn.ModuleDict

    def losses(self, step: int, done: float) -> dict[str, Tensor]: ...

    def after_step(self, step: int) -> None: ...

    def validate(self) -> dict[str, float]: ...

    def pictures(self) -> Pictures | None: ...

    def modules(self) -> nn.ModuleDict: ...


class Draws:
    """Batches that depend on (seed, stage, step) alone, so that a resumed run draws what the first would have."""

    def __init__(self, slides: list[TrainingSlide], config: TrainConfig, stage: int):
        self.slides, self.key, self.device = slides, (config.seed, stage), config.device
        sizes = np.array([slide.num_cells for slide in slides], float)
        self.share = sizes / sizes.sum()

    def batch(self, step: int, num_groups: int, group_size: int) -> tuple[TrainingSlide, Batch, int]:
        rng = np.random.default_rng((*self.key, step))
        slide = self.slides[rng.choice(len(self.slides), p=self.share)]
        turn = int(rng.integers(8))
        return slide, slide.draw(rng, num_groups, group_size, turn).to(self.device), turn

    def generator(self, step: int) -> torch.Generator:
        seed = np.random.SeedSequence((*self.key, step, 1)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


def around_batch(
    model: SpatiaModel, slide: TrainingSlide, cell_idx: np.ndarray, context: np.ndarray, turn: int = 0
) -> Around:
    """What lies around cells of a slide, read without gradient from the genes of the cells in ``context`` (U,)."""
    around = slide.surroundings
    embedding = by_share(lambda cells: embed_cells(model, slide.values[cells]), len(context), context)
    region = torch.from_numpy(around.region_of_cell[context]).to(embedding.device)
    cell_row = np.full(slide.num_cells, -1)
    cell_row[context] = np.arange(len(context))
    regions = pool_regions(embedding, region, len(around.region_center_um))
    return turned(look_around(around, cell_idx, embedding, cell_row, regions), turn)


def turned(around: Around, turn: int) -> Around:
    """Surroundings flipped and transposed as `turn_pictures` does with the crops."""
    return replace(
        around,
        neighbour_offset_um=turn_offsets(around.neighbour_offset_um, turn),
        region_offset_um=turn_offsets(around.region_offset_um, turn),
    )


def without(around: Around, config: TrainConfig) -> Around:
    """Surroundings as a run reads them that leaves out the niche or the tissue."""
    return around.without(niche="niche" in config.without, tissue="tissue" in config.without)


class ImageStage:
    """The image encoder alone: types and expression from the crop. It needs far more cells than all else, and a crop
    costs a fraction of a step of all encoders, which later have it as one of several objectives.
    """

    name = "image"

    def __init__(
        self, model: SpatiaModel, slides: list[TrainingSlide], held_out: list[TrainingSlide], config: TrainConfig
    ):
        self.model, self.held_out, self.config = model, held_out, config
        self.num_steps, self.share, self.peak_lr = config.image_steps, config.share("image"), config.encoder_lr
        self.draws = Draws(slides, config, stage=3)
        heads = model.heads
        self.trained = nn.ModuleDict(
            {"image": model.image, "image_type": heads.image_type, "image_expression": heads.image_expression}
        )

    def losses(self, step: int, done: float) -> dict[str, Tensor]:
        _, crops, _ = self.draws.batch(step, self.config.image_crops, 1)
        return {"crops": crop_loss(self.model, crops, self.config)}

    def after_step(self, step: int) -> None:
        """Nothing is averaged in this stage."""

    def modules(self) -> nn.ModuleDict:
        return nn.ModuleDict({"model": self.model})

    def pictures(self) -> None:
        """Nothing is drawn yet."""

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        self.model.eval()
        scores = []
        for slide in self.held_out:
            batch = slide.batch(evenly_spread(slide.num_cells)).to(self.config.device)
            pooled = self.model.image(batch.image, torch.ones(batch.image.shape[1], dtype=torch.bool))[1]
            scores.append(_share_right(self.model.heads.image_type(pooled), batch.cell_type))
        self.model.train()
        return {"type_accuracy_crop": float(np.nanmean(scores))}


class EncoderStage:
    """Masked patches and genes, contrast, cell types and the expected picture."""

    name = "encoder"

    def __init__(
        self, model: SpatiaModel, slides: list[TrainingSlide], held_out: list[TrainingSlide], config: TrainConfig
    ):
        self.model, self.held_out, self.config = model, held_out, config
        self.num_steps, self.share, self.peak_lr = config.encoder_steps, config.share("encoder"), config.encoder_lr
        self.draws, self.crops = Draws(slides, config, stage=0), Draws(slides, config, stage=2)
        self.trained = nn.ModuleDict({name: module for name, module in model.named_children() if name not in DECODERS})

    def losses(self, step: int, done: float) -> dict[str, Tensor]:
        generator = self.draws.generator(step)
        left_out = self.config.without
        modalities = draw_modalities(generator, left_out)
        groups = self.config.encoder_groups // 2 if modalities.image else self.config.encoder_groups  # images cost more
        slide, batch, turn = self.draws.batch(step, groups, self.config.encoder_group_size)
        masking = draw_masking(self.model, modalities, len(batch.cell_idx), generator, left_out).to(self.config.device)
        context = slide.context(batch.cell_idx, np.random.default_rng((self.config.seed, step)))
        around = without(around_batch(self.model, slide, batch.cell_idx, context, turn), self.config)
        losses = encoder_losses(self.model, batch, around, masking, self.config)
        if self.config.encoder_crops and self.config.image_weight:
            _, crops, _ = self.crops.batch(step, self.config.encoder_crops, 1)
            losses["crops"] = crop_loss(self.model, crops, self.config)
        return losses

    def after_step(self, step: int) -> None:
        """Nothing is averaged in this stage."""

    def modules(self) -> nn.ModuleDict:
        return nn.ModuleDict({"model": self.model})

    @torch.no_grad()
    def pictures(self) -> Pictures:
        """Expected pictures of the same held-out cells each time, from genes, niche and tissue."""
        self.model.eval()
        slide = self.held_out[0]
        batch = slide.batch(evenly_spread(slide.num_cells, SHOWN_CELLS)).to(self.config.device)
        context = slide.context(batch.cell_idx, np.random.default_rng(0))
        around = without(around_batch(self.model, slide, batch.cell_idx, context), self.config)
        expected = self.model.expected_picture(self.model.encode(around, batch.genes).fused, batch.genes)
        self.model.train()
        return stains_of(batch.image), stains_of(F.interpolate(expected, size=batch.image.shape[-2:], mode="bilinear"))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        self.model.eval()
        scores: dict[str, list[float]] = {}
        for slide in self.held_out:
            batch = slide.batch(evenly_spread(slide.num_cells)).to(self.config.device)
            context = slide.context(batch.cell_idx, np.random.default_rng(0))
            around = without(around_batch(self.model, slide, batch.cell_idx, context), self.config)
            image, _ = self.model.image(batch.image, torch.ones(batch.image.shape[1], dtype=torch.bool))
            views = {"genes": (batch.genes, None), "image": (None, image), "both": (batch.genes, image)}
            for name, (genes, tokens) in views.items():
                fused = self.model.encode(around, genes, tokens).fused
                right = _share_right(self.model.heads.cell_type(fused), batch.cell_type)
                scores.setdefault(f"type_accuracy_{name}", []).append(right)
                if name == "genes":
                    expected = self.model.expected_picture(fused, batch.genes)
                    scores.setdefault("expected_mean_r2", []).append(_mean_r2(expected, batch.image))
        self.model.train()
        return {name: float(np.nanmean(values)) for name, values in scores.items()}


class DecoderStage:
    """Flow matching from genes, niche and tissue; later also few-step consistency. The encoders stay as they are."""

    name = "decoder"

    def __init__(
        self,
        model: SpatiaModel,
        slides: list[TrainingSlide],
        held_out: list[TrainingSlide],
        config: TrainConfig,
        working: Path | None = None,
        trained_before: bool = False,
    ):
        self.model, self.slides, self.held_out, self.config = model, slides, held_out, config
        self.num_steps, self.share, self.peak_lr = config.decoder_steps, config.share("decoder"), config.decoder_lr
        self.draws = Draws(slides, config, stage=1)
        model.decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a sixth faster
        self.trained = nn.ModuleDict({"decoder": model.decoder})
        self.averaged = deepcopy(model.decoder).requires_grad_(False)
        self.trained_before = trained_before
        self.working, self._embedding = working, dict[int, tuple[Tensor, Tensor]]()

    def solve_linear_picture(self) -> None:
        """Fits what is linear in expression and the encoders leave unexplained of the coarse picture."""
        linear = self.model.linear_prior
        linear.clear()  # so that the target is what the encoders alone leave

        def unexplained(batch: Batch, encoding: Encoding) -> Tensor:
            expected = self.model.expected_picture(encoding.fused, batch.genes)
            return (F.adaptive_avg_pool2d(batch.image, expected.shape[-1]) - expected).flatten(1)

        parts = (self.slides, self.held_out)
        solve(linear, *(gather(self.model, some, self.encoding, unexplained) for some in parts))

    def measure_spectrum(self) -> None:
        """Sets the base noise from what the encoders leave unexplained on training cells."""
        unexplained = []
        for slide in self.slides:
            batch = slide.batch(evenly_spread(slide.num_cells)).to(self.config.device)
            unexplained.append(batch.image - self._condition(slide, batch, 0).prior)
        self.model.decoder.spectrum.measure(torch.cat(unexplained))

    @torch.no_grad()
    def measure_noise(self, network: FlowDecoder, passes: Sequence[int] = NOISE_PASSES) -> None:
        """Sets the noise of samplers of a trained ``network`` from what it takes training cells to."""
        spectrum = network.spectrum
        found: dict[int, list[Tensor]] = {nfe: [] for nfe in passes}
        expected = []
        for slide in self.slides:
            some = evenly_spread(slide.num_cells, self.config.noise_cells)
            for cells in np.array_split(some, -(-len(some) // CELLS_AT_ONCE)):
                batch = slide.batch(cells).to(self.config.device)
                condition = self._condition(slide, batch, 0)
                expected.append(condition.prior)
                for nfe, white in found.items():
                    velocity = partial(network, condition=condition)
                    start = invert(velocity, spectrum.step_back, batch.image, nfe, network.inversion)
                    white.append(spectrum.whiten(start - condition.prior, condition.prior))
        for nfe, white in found.items():
            spectrum.measure_noise(torch.cat(white), torch.cat(expected), nfe)

    def losses(self, step: int, done: float) -> dict[str, Tensor]:
        slide, batch, turn = self.draws.batch(step, self.config.decoder_groups, self.config.decoder_group_size)
        generator = self.draws.generator(step)
        condition = self._condition(slide, batch, turn)
        white = torch.randn(batch.image.shape, generator=generator).to(self.config.device)
        start = self.model.start(white, condition)
        t = torch.rand(len(start), generator=generator).to(self.config.device)
        config, pair = self.config, (self.model.decoder, self.averaged)
        told = condition
        if config.guidance:
            told = condition.untold(torch.rand(len(start), generator=generator).to(t) < UNTOLD_SHARE)
        flow = flow_loss(pair[0], batch.image, start, told, t, config.guidance, self.averaged)
        losses = {"flow": flow}
        num = round(config.few_step_share * len(start))
        if done >= config.few_step_after and num:
            few = condition.map(lambda tensor: tensor[:num])
            loss = few_step_loss(config.few_step_objective, *pair, batch.image[:num], start[:num], few, generator)
            losses["few_steps"] = config.few_step_share * loss
        return losses

    def after_step(self, step: int) -> None:
        follow(self.averaged, self.model.decoder, self.config.ema, None if self.trained_before else step)

    def modules(self) -> nn.ModuleDict:
        return nn.ModuleDict({"model": self.model, "averaged": self.averaged})

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        losses = []
        generator = torch.Generator().manual_seed(0)
        for slide in self.held_out:
            batch = slide.batch(evenly_spread(slide.num_cells, VALIDATION_CELLS // 4)).to(self.config.device)
            condition = self._condition(slide, batch, 0)
            start = self.model.start(torch.randn(batch.image.shape, generator=generator).to(condition.prior), condition)
            t = torch.linspace(0.02, 0.98, len(start), device=start.device)
            losses.append(flow_loss(self.averaged, batch.image, start, condition, t).item())
        return {"flow_held_out": float(np.mean(losses))}

    @torch.no_grad()
    def pictures(self) -> Pictures:
        """The same held-out cells from the same noise each time, drawn by the averaged network."""
        slide, generator = self.held_out[0], torch.Generator().manual_seed(0)
        batch = slide.batch(evenly_spread(slide.num_cells, SHOWN_CELLS)).to(self.config.device)
        condition = self._condition(slide, batch, 0)
        start = self.model.start(torch.randn(batch.image.shape, generator=generator).to(condition.prior), condition)
        drawn = sample(lambda x, t, step: self.averaged(x, t, step, condition), start, SHOWN_NFE)
        return stains_of(batch.image), stains_of(drawn)

    @torch.no_grad()
    def _condition(self, slide: TrainingSlide, batch: Batch, turn: int) -> Condition:
        return self.model.condition(self.encoding(slide, batch, turn), batch.genes)

    def encoding(self, slide: TrainingSlide, batch: Batch, turn: int = 0) -> Encoding:
        """Cells as the decoder is told of them: from genes, niche and tissue, without their own image."""
        cells, regions = self._embeddings(slide)
        around = look_around(slide.surroundings, batch.cell_idx, cells, np.arange(slide.num_cells), regions)
        around = without(turned(around, turn), self.config)
        return self.model.encode(around.to(self.config.device), batch.genes)

    def _embeddings(self, slide: TrainingSlide) -> tuple[Tensor, Tensor]:
        if id(slide) not in self._embedding:
            self._embedding[id(slide)] = embed_slide(self.model, slide, self.working)
        return self._embedding[id(slide)]


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, decay: float, step: int | None) -> None:
    """Moves the average of a network's weights; with its ``step``, one that began untrained forgets that start."""
    if step is not None:
        decay = min(decay, (1 + step) / (10 + step))
    for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)


def evenly_spread(num_cells: int, at_most: int = VALIDATION_CELLS) -> np.ndarray:
    """Rows of cells, as far from each other as may be."""
    return np.linspace(0, num_cells - 1, min(at_most, num_cells)).astype(np.int64)


def _share_right(logits: Tensor, cell_type: Tensor) -> float:
    """Share of the cells whose type (B,) is known, -1 if not, that logits (B, T) name right; NaN without any."""
    known = cell_type >= 0
    return (logits.argmax(1)[known] == cell_type[known]).float().mean().item()


def stains_of(pictures: Tensor) -> NDArray[np.float32]:
    """(n, C + 1, H, W) drawn pictures without their masks."""
    return pictures[:, :-1].cpu().numpy()


def _mean_r2(expected: Tensor, image: Tensor) -> float:
    """R² of each stain's mean over the crop, averaged over the stains."""
    said, seen = expected[:, :-1].mean((2, 3)), image[:, :-1].mean((2, 3))
    unexplained = F.mse_loss(said, seen, reduction="none").mean(0)
    return (1 - unexplained / seen.var(0, correction=0).clamp(min=1e-6)).mean().item()
