"""What the dyes bind to: four stains over a territory, before any optics, in camera units (ADU)."""

import numpy as np

from napari_spatia.data.simulate.layout import fibre_coordinates
from napari_spatia.data.simulate.noise import Field, smooth_noise
from napari_spatia.data.simulate.outlines import Outlines
from napari_spatia.data.simulate.territory import Territory


class CellFrame:
    """Pixels of a territory in the frames of their owners: gathers a number per cell, knows along and across."""

    def __init__(self, outlines: Outlines, territory: Territory) -> None:
        self.outlines, self.territory = outlines, territory
        self.inside = territory.owner >= 0
        self._owner = np.where(self.inside, territory.owner, 0)
        dy = territory.warped_y - self.of(outlines.nucleus_y)
        dx = territory.warped_x - self.of(outlines.nucleus_x)
        cos, sin = self.of(outlines.cos), self.of(outlines.sin)
        self.along, self.across = dx * cos + dy * sin, dy * cos - dx * sin
        self._shift_y, self._shift_x = self.of(outlines.plan["texture_y"]), self.of(outlines.plan["texture_x"])
        self.nucleus = np.where(self.inside, _ramp(territory.nucleus_depth, 0.18), 0.0)
        self.cytoplasm = np.where(self.inside, 1.0 - self.nucleus, 0.0)
        self.nucleoli = self._nucleoli()

    def of(self, per_cell: Field) -> Field:
        """`(N,)` numbers as `(Y, X)`, each pixel its owner's."""
        values: Field = per_cell[self._owner]
        return values

    def feature(self, name: str) -> Field:
        return self.of(self.outlines.features[name])

    def texture(self, along_um: float, across_um: float, number: int) -> Field:
        """Smooth noise fixed to the cell, of the given lengths along and across it."""
        return smooth_noise(self.across / across_um + self._shift_y, self.along / along_um + self._shift_x, number)

    def _nucleoli(self) -> Field:
        """1 inside a nucleolus, 0 elsewhere."""
        plan, radius = self.outlines.plan, self.feature("nucleolus_radius")
        half_along, half_across = self.of(self.outlines.nucleus_a), self.of(self.outlines.nucleus_b)
        spots = np.zeros_like(self.along)
        for number in range(3):
            across = self.of(plan[f"nucleolus_{number}_y"]) * half_across - self.across
            along = self.of(plan[f"nucleolus_{number}_x"]) * half_along - self.along
            size = radius * (1.0, 0.75, 0.6)[number]
            spot = _ramp(size - np.sqrt(across * across + along * along), 0.25)
            spots = np.maximum(spots, np.where(self.of(plan["num_nucleoli"]) > number, spot, 0.0))
        return spots * self.nucleus


def stain(outlines: Outlines, territory: Territory, matrix: Field, seed: int) -> Field:
    """`(4, Y, X)`: DAPI, boundary, rna_18S, aSMA_vimentin. ``matrix`` `(Y, X)` is the fibrous matrix in [0, 1]."""
    frame = CellFrame(outlines, territory)
    strands, wisps = _matrix_fibres(territory, seed)
    between = np.where(frame.inside, 0.0, matrix)
    under = np.where(frame.inside, 0.35 * matrix, matrix)
    return np.stack(
        [
            _dapi(frame) + 10 * between * wisps,
            _boundary(frame) + (55 + 130 * wisps) * between,
            _rna(frame) + (50 + 190 * wisps) * between + 60 * under * strands,
            _fibres(frame) + (25 + 90 * wisps) * between + 520 * under * strands,
        ]
    )


def _ramp(depth: Field, width: float) -> Field:
    """0 outside, 1 inside, linear over ``width`` µm on either side of the outline."""
    return np.clip(0.5 + depth / (2 * width), 0.0, 1.0)


def _dapi(frame: CellFrame) -> Field:
    """Clumped chromatin, denser at the envelope, thinner towards the rim of the section, holes at the nucleoli."""
    depth = np.maximum(frame.territory.nucleus_depth, 0.0)
    clumps = frame.texture(0.46, 0.46, 12) + 0.7 * frame.texture(0.24, 0.24, 13)
    dots = np.maximum(frame.texture(0.42, 0.42, 14) - 1.3, 0.0)
    broad = 0.17 * frame.texture(1.4, 1.4, 15)
    contrast = frame.feature("chromatin_contrast")
    envelope = 0.34 * np.exp(-np.square((depth - 0.35) / 0.32))
    dome = 0.70 + 0.30 * np.clip(depth / 1.8, 0.0, 1.0)
    chromatin = np.maximum(dome + envelope + broad + contrast * (0.62 * clumps + 2.2 * dots), 0.08)
    return frame.feature("dapi_intensity") * frame.nucleus * chromatin * (1.0 - 0.66 * frame.nucleoli)


def _boundary(frame: CellFrame) -> Field:
    """A membrane along every border, stronger where cells touch, patchy, over a faint cytoplasm."""
    depth = np.maximum(frame.territory.depth, 0.0)
    membrane = 0.95 * np.exp(-np.square(depth / 0.6)) + 0.38 * np.exp(-depth / 1.6)
    patchy = np.clip(1.0 + 0.38 * frame.texture(1.5, 1.5, 16) + 0.28 * frame.texture(0.38, 0.38, 17), 0.15, 2.2)
    touching = 0.45 + 0.55 * frame.territory.touching
    granular = np.clip(0.24 + 0.09 * frame.texture(0.45, 0.45, 18) + 0.07 * frame.texture(1.6, 1.6, 22), 0.04, 0.6) * (
        0.30 + 0.70 * frame.cytoplasm
    )
    return np.where(frame.inside, frame.feature("boundary_intensity") * (membrane * patchy * touching + granular), 0.0)


def _rna(frame: CellFrame) -> Field:
    """Ribosomes fill the cytoplasm, densest around the nucleus; nuclei are dark with bright nucleoli."""
    depth = np.maximum(frame.territory.depth, 0.0)
    around = np.exp(-np.maximum(-frame.territory.nucleus_depth, 0.0) / 2.2)
    cloud = 1.0 + 0.22 * frame.texture(1.7, 1.7, 19) + 0.16 * frame.texture(0.4, 0.4, 23)
    granules = np.maximum(frame.texture(0.45, 0.45, 24) - 0.9, 0.0)
    body = (0.62 + 0.38 * around) * np.clip(cloud, 0.2, 2.0) + 2.6 * frame.feature("rna_granularity") * granules
    rim = 0.35 + 0.65 * np.clip(depth / 0.8, 0.0, 1.0)
    inside = frame.cytoplasm * body * rim + frame.nucleus * (0.13 + 0.03 * cloud) + 0.50 * frame.nucleoli
    return np.where(frame.inside, frame.feature("rna_intensity") * inside, 0.0)


def _fibres(frame: CellFrame) -> Field:
    """Filaments along the cell's long axis, thick bundles and thin ones, passing under the nucleus."""
    bundles = np.maximum(frame.texture(5.0, 0.5, 25) - 0.1, 0.0)
    threads = np.exp(-np.square(frame.texture(4.0, 0.5, 26) / 0.35))
    body = 0.22 + 0.75 * bundles + 0.50 * threads
    return np.where(frame.inside, frame.feature("fibre_intensity") * body * (1.0 - 0.72 * frame.nucleus), 0.0)


def _matrix_fibres(territory: Territory, seed: int) -> tuple[Field, Field]:
    """(strands, wisps) ≥ 0 of the extracellular matrix, bent along the fibre field."""
    across, along = fibre_coordinates(territory.y, territory.x, seed)
    patches = np.clip(0.2 + smooth_noise(territory.y / 20, territory.x / 20, 27), 0.0, None)
    strands = np.maximum(smooth_noise(across / 0.7, along / 10.0, 28) - 0.75, 0.0) * patches
    wisps = np.clip(0.45 + 0.5 * smooth_noise(across / 1.5, along / 9.0, 29), 0.0, None)
    return strands, wisps
