"""The objectives. Letters: B cells, G panel genes, P patches, C drawn channels, H = W crop pixels."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_spatia.batching.training_slide import Batch
from napari_spatia.model.flow_decoder import FlowDecoder
from napari_spatia.model.flow_path import path_velocity, point_on_path
from napari_spatia.model.heads import contrastive_loss, negative_binomial_loss
from napari_spatia.model.image_encoder import patches
from napari_spatia.model.inputs import Around, Condition, Encoding, GeneTokens, Rows
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train.config import Part, TrainConfig
from napari_spatia.train.few_steps import FewStepObjective, draw_steps, wanted_velocity
from napari_spatia.train.parallel import by_share


@dataclass(frozen=True, slots=True)
class Modalities:
    """What a batch reads: genes, image or both."""

    genes: bool
    image: bool


@dataclass(frozen=True, slots=True)
class Masking(Rows):
    """What one encoder step does not show: modalities of the batch, genes (B, G), patches (B, P) and cells (B,)."""

    modalities: Modalities
    genes: Tensor
    patches: Tensor | None
    cells: Tensor
    no_niche: bool
    no_tissue: bool


def draw_modalities(generator: torch.Generator, without: Collection[Part] = ()) -> Modalities:
    """Half of the batches read genes alone, a fifth the image alone, the rest both (modality dropout); every batch
    reads what it may where that, the image or the genes are left out.
    """
    kind = torch.rand((), generator=generator).item()
    if not {"modality_dropout", "image", "genes"}.isdisjoint(without):
        return Modalities(genes="genes" not in without, image="image" not in without)
    return Modalities(genes=kind >= 0.2, image=kind < 0.5)


def draw_masking(
    model: SpatiaModel,
    modalities: Modalities,
    num_cells: int,
    generator: torch.Generator,
    without: Collection[Part] = (),
) -> Masking:
    """Up to 60 % of a cell's genes, half of the patches, a tenth of the cells, a fifth of the niches and tissues; the
    last three are left out with masked_cells.
    """
    uniform = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    config, masks_cells = model.config, "masked_cells" not in without
    show_all, no_niche, no_tissue = uniform(3).tolist()
    hidden_share = torch.where(uniform(num_cells, 1) < 0.3, 0.0, 0.6 * uniform(num_cells, 1))
    num_patches = (config.crop_px // config.image_patch_px) ** 2
    return Masking(
        modalities=modalities,
        genes=uniform(num_cells, len(config.panel)) < hidden_share,
        patches=None if show_all < 0.4 or not modalities.image else uniform(num_cells, num_patches) < 0.5,
        cells=(uniform(num_cells) < 0.1) & masks_cells,
        no_niche=masks_cells and no_niche < 0.2,
        no_tissue=masks_cells and no_tissue < 0.2,
    )


def encoder_losses(
    model: SpatiaModel, batch: Batch, around: Around, masking: Masking, config: TrainConfig
) -> dict[str, Tensor]:
    """Each objective's weighted loss by name; an objective of weight 0 is left out."""
    genes = batch.genes.hide(masking.genes) if masking.modalities.genes else None
    has_channel = torch.ones(batch.image.shape[1], dtype=torch.bool)

    def encode(
        around: Around, genes: GeneTokens | None, pixels: Tensor | None, masked_patches: Tensor | None, masked: Tensor
    ) -> tuple[Encoding, Tensor | None]:
        tokens, pooled = (None, None) if pixels is None else model.image(pixels, has_channel, masked_patches)
        return model.encode(around, genes, tokens, masked), pooled

    around = around.without(masking.no_niche, masking.no_tissue)
    pixels = batch.image if masking.modalities.image else None
    encoding, pooled = by_share(encode, len(batch.image), around, genes, pixels, masking.patches, masking.cells)
    encoding, pooled = encoding.map(Tensor.float), None if pooled is None else pooled.float()
    losses: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "genes": (config.gene_weight, lambda: _masked_genes(model, encoding, batch, masking)),
        "type": (config.type_weight, lambda: _cell_types(model, encoding, batch)),
    }
    if not masking.modalities.image:
        losses["picture"] = (config.picture_weight, lambda: _picture(model, encoding, genes or batch.genes, batch))
    elif (masked := masking.patches) is not None:
        losses["patches"] = (config.mask_weight, lambda: _masked_patches(model, encoding, batch, masked))
    if pooled is not None:
        losses["image_alone"] = (config.image_weight, lambda: _image_alone(model, pooled, batch))
    if pooled is not None and genes is not None:
        pair = pooled, genes
        losses["contrast"] = (config.contrast_weight, lambda: _contrast(model, *pair))
    with torch.autocast(batch.image.device.type, enabled=False):  # heads and losses in float32
        return {name: weight * loss() for name, (weight, loss) in losses.items() if weight > 0}


def crop_loss(model: SpatiaModel, batch: Batch, config: TrainConfig) -> Tensor:
    """What `encoder_losses` asks of a crop alone, of cells of which nothing else is read: an image encoder needs many;
    and the rest of a step costs more.
    """
    has_channel = torch.ones(batch.image.shape[1], dtype=torch.bool)
    pooled = by_share(lambda pixels: model.image(pixels, has_channel)[1], len(batch.image), batch.image)
    with torch.autocast(batch.image.device.type, enabled=False):
        return config.image_weight * _image_alone(model, pooled.float(), batch)


def flow_loss(
    decoder: FlowDecoder,
    picture: Tensor,
    start: Tensor,
    condition: Condition,
    t: Tensor,
    guidance: float = 0.0,
    teacher: FlowDecoder | None = None,
) -> Tensor:
    """Mean squared error of the velocity at ``t`` (B,) on the way from start to picture (B, C, H, W), in units of what
    the spectrum's velocity misses: 1 is no better than that.

    With ``guidance`` g the velocity v that is learned overstates what the condition changes by that share: without a
    condition it is u, as the ``teacher`` says, and with one u + (1 + g)(w - u), where w is the path's. These are the
    velocities of classifier-free guidance (Ho & Salimans 2022, eq. 6) in half of its passes. The target says so of v
    itself: w + s (v - u) with s = g / (1 + g), below 1 (Tang et al. 2025, model guidance).
    """
    x, now = point_on_path(start, picture, t), torch.zeros_like(t)
    velocity = by_share(decoder, len(t), x, t, now, condition)
    wanted = path_velocity(start, picture)
    if guidance:
        assert teacher is not None, "guidance without a teacher would be left out unsaid"
        with torch.no_grad():
            untold = by_share(teacher, len(t), x, t, now, condition.untold())
            wanted = wanted + guidance / (1 + guidance) * (velocity - untold)
    return _error(decoder, velocity, wanted, t)


def few_step_loss(
    objective: FewStepObjective,
    decoder: FlowDecoder,
    teacher: FlowDecoder,
    picture: Tensor,
    start: Tensor,
    condition: Condition,
    generator: torch.Generator,
) -> Tensor:
    """Error of the mean velocity over the steps that samplers take, as `few_steps` has it, in units of `flow_loss`."""
    t, step = draw_steps(len(picture), generator, like=picture)
    wanted = wanted_velocity(objective, decoder, teacher, start, picture, condition, t, step)
    velocity = by_share(decoder, len(t), point_on_path(start, picture, t), t, step, condition)
    return _error(decoder, velocity, wanted, t)


def one_pass_loss(decoder: FlowDecoder, start: Tensor, taught: Tensor, condition: Condition) -> Tensor:
    """Error of the one step from ``start`` to the picture that is ``taught``, in units of `flow_loss` at t = 0."""
    now = torch.zeros(len(start), device=start.device)
    velocity = by_share(decoder, len(start), start, now, now + 1, condition)
    return _error(decoder, velocity, path_velocity(start, taught), now)


def _error(decoder: FlowDecoder, velocity: Tensor, wanted: Tensor, t: Tensor) -> Tensor:
    """Mean squared error in units of what the spectrum's velocity misses at ``t`` (B,)."""
    return ((velocity - wanted) / decoder.spectrum.missed(t)).square().mean()


def _masked_genes(model: SpatiaModel, encoding: Encoding, batch: Batch, masking: Masking) -> Tensor:
    total = batch.counts.sum(1, keepdim=True).clamp(min=1)
    log_mean = model.heads.log_rate(encoding.fused) + total.log()
    loss = negative_binomial_loss(log_mean, model.heads.log_dispersion, batch.counts)
    unseen = masking.genes | masking.cells[:, None] if masking.modalities.genes else torch.ones_like(masking.genes)
    return (loss * unseen).sum() / unseen.sum().clamp(min=1)


def _cell_types(model: SpatiaModel, encoding: Encoding, batch: Batch) -> Tensor:
    known = batch.cell_type >= 0
    logits = model.heads.cell_type(encoding.fused)[known]
    return F.cross_entropy(logits, batch.cell_type[known]) if known.any() else encoding.fused.sum() * 0


def _picture(model: SpatiaModel, encoding: Encoding, genes: GeneTokens, batch: Batch) -> Tensor:
    expected = model.expected_picture(encoding.fused, genes)
    return F.mse_loss(expected, F.adaptive_avg_pool2d(batch.image, model.config.prior_px))


def _masked_patches(model: SpatiaModel, encoding: Encoding, batch: Batch, masked: Tensor) -> Tensor:
    target = patches(batch.image, model.config.image_patch_px)
    return F.mse_loss(model.heads.patch(encoding.image_tokens)[masked], target[masked])


def _image_alone(model: SpatiaModel, pooled: Tensor, batch: Batch) -> Tensor:
    """Types and expression from the crop's own embedding, without what surrounds the cell."""
    total = batch.counts.sum().clamp(min=1)
    expression = -(batch.counts * model.heads.image_log_rate(pooled)).sum() / total
    known = batch.cell_type >= 0
    if not known.any():
        return expression
    return expression + F.cross_entropy(model.heads.image_type(pooled)[known], batch.cell_type[known])


def _contrast(model: SpatiaModel, image: Tensor, genes: GeneTokens) -> Tensor:
    heads = model.heads
    return contrastive_loss(
        heads.image_contrast(image), heads.gene_contrast(model.embed_genes(genes)), heads.log_temperature
    )
