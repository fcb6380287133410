"""A simulated slide on disk, and a model without a network bound to it."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from app_fakes import make_slide
from napari_spatia.data.counts import normalised
from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.slide import Slide
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel

CROP_PX = 16


@dataclass
class FakeBound:
    """Embeds a cell as random projections of its counts, and draws its library size in noise of (seed, cell)."""

    slide: Slide
    types: tuple[str, ...] = ("acinar", "ductal", "T_cell")
    inputs: tuple[str, ...] = ("image", "genes", "niche", "tissue")
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ("a note",)
    seen_as_scored: bool = True
    held_out: dict = field(default_factory=lambda: {"type_accuracy": 0.9})
    embedded: list[int] = field(default_factory=list)
    generated: list[int] = field(default_factory=list)

    @property
    def predictor(self) -> SimpleNamespace:
        info = SimpleNamespace(
            name="fake", sha256="0" * 64, preset="tiny", panel=self.slide.panel, channels=self.slide.channels,
            cell_types=self.types, crop_px=CROP_PX, um_per_px=0.32, held_out=self.held_out,
        )  # fmt: skip
        return SimpleNamespace(info=info, device="cpu")

    def embed(self, cell_idx=None, gene_idx=None, progress=lambda fraction, doing: None):
        cell_idx = np.arange(self.slide.num_cells) if cell_idx is None else cell_idx
        self.embedded.append(len(cell_idx))
        values = normalised(self.slide.counts[cell_idx]).toarray()
        weights = np.random.default_rng(0).normal(size=(values.shape[1], 24))
        embedding = (values @ weights).astype(np.float32)
        probability = np.exp(embedding[:, : len(self.types)] / 10)
        probability /= probability.sum(axis=1, keepdims=True)
        progress(1.0, "embedding cells")
        return SimpleNamespace(
            cell=embedding, niche=embedding[:, :12], tissue=embedding[:, :6], type_probability=probability,
            expression=values if gene_idx is None else values[:, gene_idx],
        )  # fmt: skip

    def shuffled(self, seed):
        order = np.random.default_rng(seed).permutation(self.slide.num_cells)
        return replace(self, slide=replace(self.slide, counts=self.slide.counts[order]))

    def generate(self, cell_idx, *, samples, seed, nfe, merge_ratio, progress):
        self.generated.append(len(cell_idx))
        shape = (samples, len(self.slide.channels), CROP_PX, CROP_PX)
        noise = np.stack([np.random.default_rng([seed, idx]).normal(size=shape) for idx in cell_idx])
        library = np.asarray(self.slide.counts.sum(axis=1)).ravel()[cell_idx]
        images = (library[:, None, None, None, None] + noise).astype(np.float32)
        progress(1.0, "drawing cells")
        return images, np.full((len(cell_idx), samples, CROP_PX, CROP_PX), 0.75, np.float32)


@pytest.fixture(scope="session")
def simulated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slide(tmp_path_factory.mktemp("simulated") / "slide.zarr", num_cells=150, seed=6)


@pytest.fixture
def simulated(simulated_once: Path, tmp_path: Path) -> Slide:
    """A fresh copy of a simulated slide of 150 cells."""
    return open_slide(shutil.copytree(simulated_once, tmp_path / "slide.zarr"))


@pytest.fixture
def bound(simulated: Slide) -> FakeBound:
    return FakeBound(simulated)


@pytest.fixture(scope="session")
def grid_slide(tmp_path_factory: pytest.TempPathFactory) -> Slide:
    """64 square cells in memory, in three types."""
    return make_slide(tmp_path_factory.mktemp("slide") / "s.zarr", grid=8)


@pytest.fixture(scope="session")
def tiny_predictor(grid_slide: Slide, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """An untrained model of the grid slide's panel, whose decoder answers to its condition."""
    torch.manual_seed(0)
    config = ModelConfig.from_preset("tiny", grid_slide.panel.genes, grid_slide.channels, ("a", "b", "c"))
    model = SpatiaModel(config)
    with torch.no_grad():
        for parameter in (*model.decoder.parameters(), *model.one_pass.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    intensity = {"black": (0.0, 0.0), "mean": (5.0, 4.0), "std": (2.5, 2.0)}
    save_checkpoint(folder, model, CheckpointConfig(name="tiny", model=config, intensity=intensity))
    return Predictor.load(folder, "cpu")
