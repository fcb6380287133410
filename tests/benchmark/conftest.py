"""A simulated slide, and what a bound model must have to be scored on it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.io import open_slide
from napari_spatia.data.panel import Panel
from napari_spatia.data.simulate import load_simulation, simulate_slide
from napari_spatia.data.slide import Slide

UM_PER_PX, CROP_PX = 0.32, 64


@dataclass
class Oracle:
    """Draws each cell as it is, or, shuffled, as another cell."""

    slide: Slide
    types: tuple[str, ...]
    drawn_as: np.ndarray | None = None
    provenance: dict = field(default_factory=dict)
    channel_map: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def predictor(self):
        info = SimpleNamespace(
            name="oracle", sha256="0" * 64, panel=Panel(self.slide.panel.genes), channels=self.slide.channels,
            cell_types=self.types, crop_px=CROP_PX, um_per_px=UM_PER_PX, provenance=self.provenance,
        )  # fmt: skip
        return SimpleNamespace(info=info)

    def embed(self, cell_idx=None, progress=lambda fraction, doing: None):
        known = self.slide.obs["cell_type"].astype(str).to_numpy()
        return SimpleNamespace(type_probability=(known[:, None] == np.array(self.types)).astype(np.float32))

    def shuffled(self, seed):
        return replace(self, drawn_as=np.random.default_rng(seed).permutation(self.slide.num_cells))

    def generate(self, cell_idx, *, samples, nfe, seed, progress):
        rows = cell_idx if self.drawn_as is None else self.drawn_as[cell_idx]
        window = (self.slide.centers_um[rows], UM_PER_PX, CROP_PX)
        images = np.repeat(read_crops(self.slide.image, *window)[:, None], samples, axis=1)
        masks = np.repeat(
            read_masks(self.slide.labels, self.slide.instance_id[rows], *window)[:, None], samples, axis=1
        )
        return images, masks.astype(np.float32)


@pytest.fixture(scope="session")
def simulated_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slide(tmp_path_factory.mktemp("benchmark") / "slide.zarr", num_cells=200, seed=6)


@pytest.fixture(scope="session")
def slide(simulated_path: Path) -> Slide:
    return open_slide(simulated_path)


@pytest.fixture(scope="session")
def simulation(simulated_path: Path):
    return load_simulation(simulated_path)


@pytest.fixture
def oracle(slide: Slide) -> Oracle:
    return Oracle(slide, tuple(sorted(set(slide.obs["cell_type"].astype(str)))))
