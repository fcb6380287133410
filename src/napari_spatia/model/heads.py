"""What is read off the embeddings. Letters: B cells, G panel genes, T types, P patches, C drawn channels, D width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.layers import MLP


class Heads(nn.Module):
    """Objectives of training: cell type and expression from all that is seen or from the crop alone, masked patches,
    and the two projections that the contrast compares. Predictions are read by `readings.Readings`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.width
        self.cell_type = nn.Linear(width, len(config.cell_types))
        self.expression = MLP(width, len(config.panel), ratio=2)
        self.log_dispersion = nn.Parameter(torch.zeros(len(config.panel)))
        self.patch = nn.Linear(width, config.drawn_channels * config.image_patch_px**2)
        self.image_type = nn.Linear(width, len(config.cell_types))
        self.image_expression = nn.Linear(width, len(config.panel))
        self.image_contrast = nn.Linear(width, 128)
        self.gene_contrast = nn.Linear(width, 128)
        self.log_temperature = nn.Parameter(torch.tensor(2.0))

    def log_rate(self, fused: Tensor) -> Tensor:
        """(B, D) → (B, G) log share of each gene in the cell's counts; shares sum to 1."""
        return F.log_softmax(self.expression(fused), dim=-1)

    def image_log_rate(self, image: Tensor) -> Tensor:
        """(B, D) pooled crops → (B, G), as `log_rate`."""
        return F.log_softmax(self.image_expression(image), dim=-1)


def negative_binomial_loss(log_mean: Tensor, log_dispersion: Tensor, counts: Tensor) -> Tensor:
    """Negative log likelihood of (B, G) counts, variance mean + mean² · dispersion (Lopez et al. 2018, scVI)."""
    inverse = torch.exp(-log_dispersion)
    log_sum = torch.logaddexp(log_mean, -log_dispersion)
    likelihood = (
        torch.lgamma(counts + inverse) - torch.lgamma(inverse) - torch.lgamma(counts + 1)
        + inverse * (-log_dispersion - log_sum) + counts * (log_mean - log_sum)
    )  # fmt: skip
    return -likelihood


def contrastive_loss(image: Tensor, genes: Tensor, log_temperature: Tensor) -> Tensor:
    """Symmetric cross-entropy of the right pairs among (B, E) image and gene vectors (Radford et al. 2021, CLIP)."""
    scale = log_temperature.clamp(max=4.6).exp()
    logits = scale * F.normalize(image, dim=-1) @ F.normalize(genes, dim=-1).mT  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.mT, own)) / 2
