"""Counts from type, niche and a continuous state: negative binomial, sparse, as wide within a type as between types."""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.catalogue import (
    BACKGROUND_GENES,
    CELL_TYPES,
    NICHES,
    PANEL,
    STATE_GENES,
)
from napari_spatia.data.simulate.noise import Field, smooth_noise
from napari_spatia.data.simulate.placement import Placement
from napari_spatia.data.simulate.rules import RULE_GENES

_MARKER_MEAN = (4.0, 3.2, 2.4, 1.9, 1.5, 1.1, 0.9, 0.7, 0.5, 0.4, 0.3)
_NICHE_MEAN = (1.6, 1.0, 0.6)
_RULE_MEAN, _RULE_SPREAD, _RULE_STATE = 5.0, 0.75, 0.22
_ELSEWHERE = 0.03
_DISPERSION = 6.0


def draw_states(placement: Placement, seed: int) -> Field:
    """`(N, 3)` continuous states (proliferation, stress, interferon): partly shared with the surroundings."""
    rng = np.random.default_rng([seed, 31])
    y, x = placement.center.T
    shared = np.stack([smooth_noise(y / 60 + 7 * k, x / 60 + 3 * k, 20 + k) for k in range(len(STATE_GENES))], axis=1)
    own = rng.standard_normal(shared.shape)
    states: Field = 0.55 * shared + 0.83 * own
    return states


def expected_counts(placement: Placement, states: Field, seed: int) -> Field:
    """`(N, G)` mean counts of every gene in every cell, before counting noise."""
    rng = np.random.default_rng([seed, 32])
    num_cells = len(placement.type_idx)
    mean = np.full((num_cells, len(PANEL)), _ELSEWHERE)
    for idx, cell_type in enumerate(CELL_TYPES):
        mean[np.ix_(placement.type_idx == idx, PANEL.indices(cell_type.markers))] = _MARKER_MEAN
    for idx, niche in enumerate(NICHES):
        mean[np.ix_(placement.niche_idx == idx, PANEL.indices(niche.genes))] = _NICHE_MEAN
    for idx, genes in enumerate(STATE_GENES):
        mean[:, PANEL.indices(genes)] = 0.35 * np.exp(0.9 * states[:, [idx]]) * np.geomspace(1.6, 0.5, len(genes))
    mean[:, PANEL.indices(BACKGROUND_GENES)] = np.geomspace(0.8, 0.01, len(BACKGROUND_GENES))
    mean *= np.exp(rng.normal(0, 0.25, (num_cells, 1)))
    mean[:, PANEL.indices(RULE_GENES)] = _rule_means(placement, states, rng)
    return mean


def _rule_means(placement: Placement, states: Field, rng: np.random.Generator) -> Field:
    """Rule genes vary widely and nearly independently within every type, so that each effect can be learned."""
    bias = np.array([[cell_type.bias.get(gene, 0.0) for gene in RULE_GENES] for cell_type in CELL_TYPES])
    loading = np.random.default_rng(33).normal(0, _RULE_STATE / np.sqrt(3), (states.shape[1], len(RULE_GENES)))
    own = rng.normal(0, _RULE_SPREAD, (len(states), len(RULE_GENES)))
    means: Field = _RULE_MEAN * np.exp(bias[placement.type_idx] + states @ loading + own)
    return means


def draw_counts(mean: Field, seed: int) -> NDArray[np.float32]:
    """`(N, G)` raw counts: negative binomial around ``mean`` (rule genes: Poisson, their spread is in the mean)."""
    rng = np.random.default_rng([seed, 34])
    rate = mean * rng.gamma(_DISPERSION, 1 / _DISPERSION, mean.shape)
    columns = PANEL.indices(RULE_GENES)
    rate[:, columns] = mean[:, columns]
    return rng.poisson(rate).astype(np.float32)
