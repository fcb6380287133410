"""Which cell lies where: rings of duct and vessel cells, every other cell by relaxing seeds in its niche's metric."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_spatia.data.simulate.catalogue import CELL_TYPES, NICHE_NAMES, NICHES, TYPE_NAMES
from napari_spatia.data.simulate.layout import MAP_UM, Structure, TissueMap
from napari_spatia.data.simulate.noise import Field
from napari_spatia.progress import Progress, silent

_ROUNDS = 9
_NEAR = 6
_APART_UM = 3.5
_ROW_UM = 25


@dataclass(frozen=True, slots=True)
class Placement:
    """`(N,)` cells in reading order: centre in µm (y, x), long axis, direction in which the nucleus sits off-centre.

    ``lean`` `(N, 2)` is that direction (y, x) with length in [0, 1]; ``type_idx``, ``niche_idx``, ``region_idx`` are
    positions in the catalogue.
    """

    center: Field
    angle: Field
    lean: Field
    type_idx: NDArray[np.int64]
    niche_idx: NDArray[np.int64]
    region_idx: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Ring:
    """The cells of ducts and vessels, as in `Placement`: their places are set by the structure, not relaxed."""

    center: Field
    angle: Field
    lean: Field
    type_idx: NDArray[np.int64]

    def first(self, count: int) -> "_Ring":
        return _Ring(self.center[:count], self.angle[:count], self.lean[:count], self.type_idx[:count])


def place_cells(tissue: TissueMap, num_cells: int, seed: int, progress: Progress = silent) -> Placement:
    """Exactly ``num_cells`` cells on the map."""
    rng = np.random.default_rng([seed, 21])
    ring = _all_rings(tissue, rng).first(num_cells // 2)
    on_ring = slice(0, len(ring.center))
    center = _relax(tissue, ring.center, num_cells - len(ring.center), rng, progress)
    y, x = center.T
    niche = tissue.at(tissue.niche, y, x).astype(np.int64)
    niche[niche < 0] = NICHE_NAMES.index("tumour_nest")
    niche[on_ring] = np.where(
        ring.type_idx == TYPE_NAMES.index("ductal"), NICHE_NAMES.index("duct"), NICHE_NAMES.index("vessel")
    )
    type_idx = _draw_types(niche, tissue.at(tissue.depth, y, x), rng)
    type_idx[on_ring] = ring.type_idx
    along = np.array([cell_type.along_fibres for cell_type in CELL_TYPES])[type_idx]
    fibre_angle = tissue.at(tissue.angle, y, x) + rng.normal(0, 0.18, num_cells)
    angle = np.where(along, fibre_angle, rng.uniform(0, np.pi, num_cells))
    angle[on_ring] = ring.angle
    lean = _lean(center, niche, rng)
    lean[on_ring] = ring.lean
    region = tissue.at(tissue.region, y, x).astype(np.int64)
    row = np.lexsort((x, np.floor(y / _ROW_UM)))
    return Placement(center[row], angle[row], lean[row], type_idx[row], niche[row], region[row])


def _all_rings(tissue: TissueMap, rng: np.random.Generator) -> _Ring:
    rings = [_Ring(np.empty((0, 2)), np.empty(0), np.empty((0, 2)), np.empty(0, np.int64))]
    rings += [_ring_cells(structure, rng) for structure in tissue.structures if structure.kind in ("duct", "vessel")]
    return _join(rings)


def _join(rings: list[_Ring]) -> _Ring:
    return _Ring(
        np.concatenate([ring.center for ring in rings]),
        np.concatenate([ring.angle for ring in rings]),
        np.concatenate([ring.lean for ring in rings]),
        np.concatenate([ring.type_idx for ring in rings]),
    )


def _ring_cells(structure: Structure, rng: np.random.Generator) -> _Ring:
    """Columnar epithelium around a duct; flat endothelium and one or two coats of muscle around a vessel."""
    layers = [("ductal", 6.5, 7.4, 0.0)]
    if structure.kind == "vessel":
        layers = [("endothelial", 1.6, 13.0, np.pi / 2), ("smooth_muscle", 6.0, 15.0, np.pi / 2)]
        if structure.radius_um > 12:
            layers.append(("smooth_muscle", 11.0, 16.0, np.pi / 2))
    parts = []
    for name, offset, spacing, turn in layers:
        theta = np.linspace(0, 2 * np.pi, 721)
        length = np.cumsum(structure.radius(theta) + offset) * (2 * np.pi / 720)
        count = max(4, int(length[-1] / spacing))
        at = np.interp((np.arange(count) + rng.uniform(-0.16, 0.16, count) + 0.5) / count * length[-1], length, theta)
        radius = structure.radius(at) + offset + rng.normal(0, 0.35, count)
        out = np.stack([np.sin(at), np.cos(at)], axis=1)
        center = np.asarray(structure.center) + radius[:, None] * out
        angle = at + turn + rng.normal(0, 0.07, count)
        lean = out * rng.uniform(0.4, 0.9, (count, 1)) if name == "ductal" else rng.normal(0, 0.2, (count, 2))
        parts.append(_Ring(center, angle, lean, np.full(count, TYPE_NAMES.index(name), np.int64)))
    return _join(parts)


def _relax(tissue: TissueMap, fixed: Field, num_free: int, rng: np.random.Generator, progress: Progress) -> Field:
    """Seeds spread by Lloyd's rounds; in fibrous niches distance is short along the fibres, so seeds line up."""
    flat_density = tissue.density.ravel()
    size = tissue.niche.shape[0]
    grid = (np.stack(np.divmod(np.arange(size * size), size), axis=1) + 0.5) * MAP_UM
    inside = flat_density > 0
    stretch = np.array([niche.stretch for niche in NICHES] + [1.0])
    share = flat_density / flat_density.sum()
    seeds = grid[rng.choice(len(grid), num_free, replace=False, p=share)] + rng.uniform(-1, 1, (num_free, 2))
    seeds = np.concatenate([fixed, seeds])
    pixels, weight = grid[inside], flat_density[inside] ** 2
    for turn in range(_ROUNDS):
        progress(turn / _ROUNDS, "placing cells")
        y, x = seeds.T
        angle, long = tissue.at(tissue.angle, y, x), np.sqrt(stretch[tissue.at(tissue.niche, y, x)])
        _, near = cKDTree(seeds).query(pixels, k=min(_NEAR, len(seeds)))
        dy, dx = (pixels[:, None, i] - seeds[near, i] for i in (0, 1))
        cos, sin = np.cos(angle)[near], np.sin(angle)[near]
        squared = ((dx * cos + dy * sin) / long[near]) ** 2 + ((dy * cos - dx * sin) * long[near]) ** 2
        owner = near[np.arange(len(pixels)), squared.argmin(axis=1)]
        total = np.bincount(owner, weight, len(seeds))
        moved = np.stack([np.bincount(owner, weight * pixels[:, i], len(seeds)) for i in (0, 1)], axis=1)
        claimed = total > 0
        claimed[: len(fixed)] = False
        seeds[claimed] = moved[claimed] / total[claimed, None]
    seeds[len(fixed) :] += rng.normal(0, 0.35, (num_free, 2))
    return _separate(seeds, tissue.side_um)


def _separate(seeds: Field, side: float) -> Field:
    """Push apart what lies closer than `_APART_UM`, inside the slide."""
    for _ in range(_ROUNDS):
        seeds = np.clip(seeds, 1.0, side - 1.0)
        first, second = cKDTree(seeds).query_pairs(_APART_UM, output_type="ndarray").T
        offset = seeds[second] - seeds[first]
        distance = np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-3)
        push = offset / distance * (0.55 * (_APART_UM - distance) + 0.05)
        np.add.at(seeds, second, push)
        np.add.at(seeds, first, -push)
    return np.clip(seeds, 1.0, side - 1.0)


def _draw_types(niche: NDArray[np.int64], depth: Field, rng: np.random.Generator) -> NDArray[np.int64]:
    """Types by the niche's mix; in islets beta inside and alpha outside, in aggregates B inside and T outside."""
    mix = np.array([[n.mix.get(name, 0.0) for name in TYPE_NAMES] for n in NICHES])
    share = mix[niche].copy()
    inner = np.clip((depth - 0.22) / 0.3, 0.05, 1.0)
    for kind, core, rim in (("islet", "beta", "alpha"), ("lymphoid_aggregate", "B_cell", "T_cell")):
        rows = niche == NICHE_NAMES.index(kind)
        both = share[rows, TYPE_NAMES.index(core)] + share[rows, TYPE_NAMES.index(rim)]
        share[rows, TYPE_NAMES.index(core)] = both * np.clip(inner[rows], 0.08, 0.93)
        share[rows, TYPE_NAMES.index(rim)] = both * (1 - np.clip(inner[rows], 0.08, 0.93))
    share = np.cumsum(share, axis=1)
    drawn: NDArray[np.int64] = (rng.random(len(niche))[:, None] * share[:, -1:] > share).sum(axis=1)
    return drawn


def _lean(center: Field, niche: NDArray[np.int64], rng: np.random.Generator) -> Field:
    """Nuclei of acinar cells sit at the rim of their acinus, away from its centre; other nuclei lean anyhow."""
    lean: Field = rng.normal(0, 0.28, center.shape)
    side = center.max() + 40
    axis = np.arange(0, side, 27.0)
    acini = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    acini = acini + rng.uniform(-8, 8, acini.shape)
    rows = niche == NICHE_NAMES.index("acinar_lobule")
    distance, nearest = cKDTree(acini).query(center[rows])
    away = (center[rows] - acini[nearest]) / np.maximum(distance, 1e-6)[:, None]
    lean[rows] = away * np.clip(distance / 8, 0, 1)[:, None] * rng.uniform(0.6, 1.0, (rows.sum(), 1))
    length = np.linalg.norm(lean, axis=1, keepdims=True)
    scaled: Field = lean / np.maximum(length, 1.0)
    return scaled
