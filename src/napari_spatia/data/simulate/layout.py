"""Where things are: regions, niches, ducts, islets, vessels, aggregates and the fibre field, as a map in µm.

The map is a coarse grid (`MAP_UM` per pixel). Fields are sums of smooth noise at fixed lengths in µm, so a larger
slide shows more tissue, not larger tissue.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.simulate.catalogue import NICHE_NAMES, NICHES, REGIONS
from napari_spatia.data.simulate.noise import Field, smooth_noise

MAP_UM = 2.0
_LUMEN = -1
_NICHE = {name: idx for idx, name in enumerate(NICHE_NAMES)}


@dataclass(frozen=True, slots=True)
class Structure:
    """A closed outline around (y, x) µm: ``radius_um`` with a few harmonics, so that no two look alike."""

    kind: str
    center: tuple[float, float]
    radius_um: float
    wave: tuple[float, float, float, float]

    def radius(self, theta: Field) -> Field:
        """Radius of the outline in the directions ``theta``, in µm."""
        two, phase_two, three, phase_three = self.wave
        return self.radius_um * (1 + two * np.cos(2 * theta + phase_two) + three * np.cos(3 * theta + phase_three))


@dataclass(frozen=True, slots=True)
class TissueMap:
    """Grids of `(Y, X)` at `MAP_UM`: niche index (−1 in a lumen), region index, fibre angle, matrix in [0, 1].

    ``depth`` runs inside islets and aggregates from 0 (rim) to 1 (centre).
    """

    side_um: float
    niche: NDArray[np.int8]
    region: NDArray[np.int8]
    angle: Field
    matrix: Field
    depth: Field
    structures: tuple[Structure, ...]

    @property
    def density(self) -> Field:
        """Cells per µm² that the niches ask for; 0 in lumens."""
        area = np.array([niche.area_per_cell_um2 for niche in NICHES] + [np.inf])
        return 1.0 / area[self.niche]

    def at(self, grid: NDArray, y: Field, x: Field) -> NDArray:
        """Values of one of the grids at points in µm."""
        size = grid.shape[0]
        row = np.clip((y / MAP_UM).astype(np.int64), 0, size - 1)
        column = np.clip((x / MAP_UM).astype(np.int64), 0, size - 1)
        return grid[row, column]


def map_tissue(num_cells: int, seed: int) -> TissueMap:
    """A square tissue map just large enough for ``num_cells`` cells."""
    side = np.sqrt(num_cells * 108.0)
    for _ in range(3):
        tissue = _draw_map(float(side), seed)
        side *= np.sqrt(num_cells / (tissue.density.sum() * MAP_UM**2))
    return _draw_map(float(side), seed)


def fibre_coordinates(y: Field, x: Field, seed: int) -> tuple[Field, Field]:
    """(across, along) in µm: coordinates bent by smooth noise; fibres run where ``across`` is constant."""
    turn, oy, ox = np.random.default_rng([seed, 11]).uniform(0, [np.pi, 100, 100])
    bend = 24 * smooth_noise(y / 110 + oy, x / 110 + ox, 0) + 5 * smooth_noise(y / 38 + ox, x / 38 + oy, 1)
    across = x * np.sin(turn) + y * np.cos(turn) + bend
    along = x * np.cos(turn) - y * np.sin(turn) + 20 * smooth_noise(y / 90 + oy, x / 90 + ox, 2)
    return across, along


def _draw_map(side: float, seed: int) -> TissueMap:
    rng = np.random.default_rng([seed, 12])
    size = int(np.ceil(side / MAP_UM))
    axis = (np.arange(size) + 0.5) * MAP_UM
    y, x = (grid.copy() for grid in np.meshgrid(axis, axis, indexing="ij"))
    oy, ox = rng.uniform(0, 100, 2)
    region = _regions(y, x, side, oy, ox, float(rng.uniform(0, 2 * np.pi)))
    niche = _open_niches(y, x, region, oy, ox)
    depth = np.zeros_like(y)
    across, _ = fibre_coordinates(y, x, seed)
    slope_y, slope_x = np.gradient(across, MAP_UM)
    angle = np.arctan2(slope_x, -slope_y) - np.pi / 2
    angle = np.arctan2(np.sin(angle + np.pi / 2), np.cos(angle + np.pi / 2))
    structures = _place_structures(rng, region, niche, side)
    for structure in structures:
        _stamp(structure, y, x, niche, angle, depth)
    matrix = np.array([n.matrix for n in NICHES] + [0.0])[niche]
    return TissueMap(side, niche, region, angle, matrix, depth, structures)


def _regions(y: Field, x: Field, side: float, oy: float, ox: float, turn: float) -> NDArray[np.int8]:
    """Exocrine on one side, tumour on the other, a fibrous interface between; islands of each in large slides."""
    ramp = ((y / side - 0.5) * np.sin(turn) + (x / side - 0.5) * np.cos(turn)) * 3.2
    field = ramp + 0.36 * smooth_noise(y / 170 + oy, x / 170 + ox, 3) + 0.12 * smooth_noise(y / 45 + ox, x / 45 + oy, 4)
    return np.digitize(field, [-0.08, 0.14]).astype(np.int8)


def _open_niches(y: Field, x: Field, region: NDArray[np.int8], oy: float, ox: float) -> NDArray[np.int8]:
    """Niches outside the structures: lobules between septa, nests in desmoplastic stroma."""
    septum = np.abs(smooth_noise(y / 75 + ox, x / 75 + ox, 5)) < 0.10
    nest_field = smooth_noise(y / 48 + oy, x / 48 + oy, 6) + 0.2 * smooth_noise(y / 14 + oy, x / 14 + ox, 7)
    gland = (smooth_noise(y / 17 + ox, x / 17 + oy, 8) > 1.75) & (nest_field > 0.25)
    exocrine = np.where(septum, _NICHE["septum"], _NICHE["acinar_lobule"])
    tumour = np.where(nest_field > -0.30, _NICHE["tumour_nest"], _NICHE["tumour_stroma"])
    tumour = np.where(gland, _LUMEN, tumour)
    interface = np.where(nest_field > 1.05, _NICHE["tumour_nest"], _NICHE["tumour_stroma"])
    return np.choose(region, [exocrine, interface, tumour]).astype(np.int8)


_WANTED = (
    # kind, per mm², radius range in µm, regions where it may lie, clearance in µm
    ("islet", 15.0, (34.0, 62.0), ("exocrine",), 6.0),
    ("lymphoid_aggregate", 11.0, (34.0, 58.0), ("interface", "tumour"), 6.0),
    ("duct", 22.0, (10.0, 27.0), ("exocrine", "interface"), 22.0),
    ("vessel", 26.0, (8.0, 20.0), REGIONS, 20.0),
)


def _place_structures(
    rng: np.random.Generator, region: NDArray[np.int8], niche: NDArray[np.int8], side: float
) -> tuple[Structure, ...]:
    """Structures that do not touch, at least one of each kind where the slide has room."""
    placed: list[tuple[Structure, float]] = []
    for kind, per_mm2, (low, high), regions, clearance in _WANTED:
        wanted = max(1, round(per_mm2 * side**2 / 1e6))
        allowed = np.isin(region, [REGIONS.index(name) for name in regions])
        found = 0
        for _ in range(60 * wanted):
            radius = float(rng.uniform(low, high))
            wave = (rng.uniform(0, 0.2), rng.uniform(0, 6.3), rng.uniform(0, 0.08), rng.uniform(0, 6.3))
            center = tuple(rng.uniform(0.06 * side, 0.94 * side, 2).tolist())
            row, column = (int(c / MAP_UM) for c in center)
            apart = all(
                np.hypot(center[0] - other.center[0], center[1] - other.center[1])
                > radius + clearance + other.radius_um + room
                for other, room in placed
            )
            if found < wanted and apart and allowed[row, column] and radius < 0.2 * side:
                placed.append((Structure(kind, (center[0], center[1]), radius, wave), clearance))
                found += 1
    return tuple(structure for structure, _ in placed)


def _stamp(structure: Structure, y: Field, x: Field, niche: NDArray[np.int8], angle: Field, depth: Field) -> None:
    """Write one structure into the map, in place."""
    far = structure.radius_um * 1.4 + 40
    rows, columns = (
        slice(max(0, int((c - far) / MAP_UM)), max(0, int((c + far) / MAP_UM) + 1)) for c in structure.center
    )
    dy, dx = y[rows, columns] - structure.center[0], x[rows, columns] - structure.center[1]
    theta, distance = np.arctan2(dy, dx), np.hypot(dy, dx)
    beyond = distance - structure.radius(theta)
    here, turned, deep = niche[rows, columns], angle[rows, columns], depth[rows, columns]
    stroma = _NICHE["septum"] if structure.kind in ("islet", "duct") else _NICHE["tumour_stroma"]
    if structure.kind in ("islet", "lymphoid_aggregate"):
        collar, inner = 4.0 if structure.kind == "islet" else 0.0, 0.0
    else:
        collar, inner = (26.0, 14.0) if structure.kind == "duct" else (22.0, 12.0)
    ring = (beyond > 0) & (beyond <= collar)
    here[ring] = stroma
    turned[(beyond > 0) & (beyond <= collar + 4)] = (theta + np.pi / 2)[(beyond > 0) & (beyond <= collar + 4)]
    if inner:
        here[beyond <= inner] = _NICHE[structure.kind]
        turned[beyond <= inner] = (theta + np.pi / 2)[beyond <= inner]
        here[beyond <= 0] = _LUMEN
    else:
        here[beyond <= 0] = _NICHE[structure.kind]
        deep[beyond <= 0] = -(beyond / structure.radius_um)[beyond <= 0]
