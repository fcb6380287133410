"""Fits `model.readings` once the encoders are trained, and says how well it reads cells that were not trained on.

Letters: n cells, F columns of features, G panel genes, Q genes that are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from napari_spatia.batching.features import around_expression, normalised_values, own_expression
from napari_spatia.batching.training_slide import Batch, TrainingSlide
from napari_spatia.model.inputs import Encoding, Features
from napari_spatia.model.readings import VIEWS, Readings
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, part, silent

MOST_CELLS = 60_000
"""Cells of all slides together that are read; more change nothing that a penalty does not."""
CELLS_AT_ONCE = 256
PENALTIES = (1e-4, 3e-4, 1e-3)
GENE_FOLDS = 10

Encode = Callable[[TrainingSlide, Batch], Encoding]
"""Cells of a slide → their encoding from genes, niche and tissue, without their own image."""


@dataclass(frozen=True, slots=True)
class Cells:
    """n cells: ``features`` (n, F), ``expression`` `(n, G)` normalised, ``cell_type`` (n,), -1 unknown."""

    features: Tensor
    expression: csr_matrix
    cell_type: Tensor


def fit_readings(
    model: SpatiaModel,
    slides: list[TrainingSlide],
    held_out: list[TrainingSlide],
    encode: Encode,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Solves the readings on ``slides``; penalties, temperatures and the scores returned are of ``held_out``."""
    learned = gather(model, slides, encode, part(progress, 0, 0.7))
    checked = gather(model, held_out, encode, part(progress, 0.7, 0.8))
    return solve(model.readings, learned, checked, part(progress, 0.8, 1))


def solve(readings: Readings, learned: Cells, checked: Cells, progress: Progress = silent) -> dict[str, Any]:
    """Fits on ``learned``, chooses by ``checked``; → balanced accuracy a view, and each gene's score when hidden."""
    readings.solve_expression(learned.features, learned.expression)
    scores: dict[str, Any] = {}
    knows, known = learned.cell_type >= 0, checked.cell_type >= 0
    if knows.any() and known.any():
        truth = checked.cell_type[known]
        for number, view in enumerate(VIEWS):
            progress(number / len(VIEWS), f"cell types from {view}")
            logits = _best_types(readings, view, learned, knows, checked.features[known], truth)
            readings.calibrate(view, logits, truth)
            scores[f"type_balanced_accuracy_{view}"] = round(_balanced_accuracy(logits.argmax(1), truth), 4)
    scores["imputed_gene_pearson"] = hidden_gene_scores(readings, checked)
    return scores


@torch.no_grad()
def gather(
    model: SpatiaModel,
    slides: list[TrainingSlide],
    encode: Encode,
    progress: Progress = silent,
    most_cells: int = MOST_CELLS,
) -> Cells:
    """Up to ``most_cells`` cells, of each slide as many as its share is of all, spread evenly."""
    share = min(1.0, most_cells / sum(slide.num_cells for slide in slides))
    chunks = [chunk for slide in slides for chunk in _read(model, slide, encode, share, progress)]
    read, expression, cell_type = zip(*chunks, strict=True)
    features = torch.cat(read)
    lonely = features.isnan().any(1)
    features[lonely] = torch.where(features[lonely].isnan(), features[~lonely].mean(0), features[lonely])
    return Cells(features, scipy.sparse.vstack(expression, format="csr"), torch.cat(cell_type))


def _read(
    model: SpatiaModel, slide: TrainingSlide, encode: Encode, share: float, progress: Progress
) -> Iterator[tuple[Tensor, csr_matrix, Tensor]]:
    read_idx = model.config.read_idx
    cells = np.linspace(0, slide.num_cells - 1, max(1, round(share * slide.num_cells))).astype(np.int64)
    has_channel = torch.ones(model.config.drawn_channels, dtype=torch.bool)
    device = next(model.parameters()).device
    for start in range(0, len(cells), CELLS_AT_ONCE):
        batch = slide.batch(cells[start : start + CELLS_AT_ONCE]).to(device)
        neighbour = slide.surroundings.neighbour[batch.cell_idx]
        near = np.unique(neighbour[neighbour >= 0])  # not the whole slide: its counts may not fit in memory
        place = np.where(neighbour >= 0, np.searchsorted(near, neighbour), -1)
        columns = (
            own_expression(batch.genes, len(model.config.panel))[:, read_idx],
            batch.genes.library[:, None],
            around_expression(normalised_values(slide.values[near])[:, read_idx], place).to(device),
            model.image(batch.image, has_channel)[1],
            encode(slide, batch).fused,
        )
        yield torch.cat(columns, dim=1), normalised_values(slide.values[batch.cell_idx]), batch.cell_type
        progress(min(1.0, (start + CELLS_AT_ONCE) / len(cells)), "reading cells")


def _best_types(readings: Readings, view: str, learned: Cells, knows: Tensor, checked: Tensor, truth: Tensor) -> Tensor:
    """Fits one view with the penalty whose balanced accuracy on ``checked`` (m, F) is best; → its logits (m, T)."""
    at = list(VIEWS).index(view)
    best: tuple[float, Tensor, Tensor, Tensor] | None = None
    for penalty in PENALTIES:
        readings.solve_types(view, learned.features[knows], learned.cell_type[knows], penalty)
        weight, bias = readings.type_weight[at].clone(), readings.type_bias[at].clone()
        logits = (checked - readings.mean) @ weight + bias
        score = _balanced_accuracy(logits.argmax(1), truth)
        if best is None or score > best[0]:
            best = score, weight, bias, logits
    assert best is not None
    _, readings.type_weight[at], readings.type_bias[at], logits = best
    return logits


def hidden_gene_scores(readings: Readings, cells: Cells) -> list[float]:
    """Pearson correlation of each gene of the panel with its imputation when it is hidden from every cell, a tenth of
    the panel at a time; 0 for a gene that does not vary in these cells.
    """
    num_genes = cells.expression.shape[1]
    folds = np.arange(num_genes) % GENE_FOLDS
    score = torch.zeros(num_genes)
    blocks = dict(zip(readings.size, cells.features.split(list(readings.size.values()), dim=1), strict=True))
    for fold in range(GENE_FOLDS):
        hidden = np.flatnonzero(folds == fold)
        measured = torch.from_numpy(folds != fold)[readings.read_idx]
        features = Features(len(cells.features), measured, **blocks)
        imputed = readings.expression(features, readings.given(readings.seen(features), hidden))
        score[hidden] = _correlation(imputed, torch.from_numpy(cells.expression[:, hidden].toarray()))
    return [round(value, 3) for value in score.tolist()]


def _correlation(said: Tensor, seen: Tensor) -> Tensor:
    """(n, G) twice → (G,) Pearson's, 0 where either does not vary."""
    said, seen = said - said.mean(0), seen - seen.mean(0)
    return (said * seen).sum(0) / (said.norm(dim=0) * seen.norm(dim=0)).clamp(min=1e-9)


def _balanced_accuracy(said: Tensor, truth: Tensor) -> float:
    """Mean over the types that occur of the share of their cells that are named right."""
    return float(np.mean([(said[truth == t] == t).float().mean().item() for t in truth.unique()]))
