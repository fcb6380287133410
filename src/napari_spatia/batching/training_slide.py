"""The cells of one slide that are trained on, ready to be drawn in batches.

Crops, counts and neighbours lie in files that are mapped, not in memory; a type, a position and a region stay, 32 bytes
a cell.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.data.counts import align_counts, log2_counts
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.data.panel import Panel
from napari_spatia.data.slide import Slide
from napari_spatia.data.surroundings import Surroundings, surroundings
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import GeneTokens, Rows
from napari_spatia.progress import Progress, silent

CROPS_AT_ONCE = 4096
CSR_ARRAYS = ("data", "indices", "indptr")
REGION_SAMPLE = 2
"""Cells of a tissue region that stand for it in one training step."""


@dataclass(frozen=True, slots=True)
class Batch(Rows):
    """B cells, as tensors.

    ``image`` (B, C + 1, H, W) standardised, mask last as ±1; ``counts`` (B, G); ``cell_type`` (B,) int64, -1 unknown.
    """

    cell_idx: NDArray[np.int64]
    image: Tensor
    genes: GeneTokens
    counts: Tensor
    cell_type: Tensor


@dataclass(frozen=True, slots=True)
class TrainingSlide:
    """N cells: ``crops`` `(N, C + 1, H, W)` float16, ``values`` `(N, G)` log2(1 + counts) on the model's panel,
    ``cell_type`` `(N,)` int64 (-1 unknown), and what lies around each within these N cells alone.
    """

    crops: NDArray[np.float16]
    values: csr_matrix
    cell_type: NDArray[np.int64]
    surroundings: Surroundings

    @property
    def num_cells(self) -> int:
        return len(self.cell_type)

    def draw(self, rng: np.random.Generator, num_groups: int, group_size: int, turn: int = 0) -> Batch:
        """``num_groups`` random cells, each with its nearest, so that niches and tissue are shared within a group."""
        anchors = rng.integers(0, self.num_cells, num_groups)
        near = self.surroundings.neighbour[anchors, : group_size - 1]
        near = np.where(near >= 0, near, rng.integers(0, self.num_cells, near.shape))
        return self.batch(np.concatenate([anchors[:, None], near], axis=1).ravel(), turn)

    def batch(self, cell_idx: NDArray[np.int64], turn: int = 0) -> Batch:
        """Named cells; ``turn`` in 0…7 flips and transposes the crops (`turn_offsets` does the same to offsets)."""
        own = self.values[cell_idx]
        return Batch(
            cell_idx,
            turn_pictures(torch.from_numpy(self.crops[cell_idx].astype(np.float32)), turn),
            gene_tokens(own),
            torch.from_numpy((np.exp2(own.toarray()) - 1).round().astype(np.float32)),
            torch.from_numpy(self.cell_type[cell_idx]),
        )

    def context(self, cell_idx: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
        """Sorted rows of the cells in these cells' niches and of `REGION_SAMPLE` cells of each region around them."""
        neighbour = self.surroundings.neighbour[cell_idx]
        regions = np.unique(self.surroundings.regions_around(cell_idx))
        regions = regions[regions >= 0]
        first, past = self.surroundings.region_start[regions], self.surroundings.region_start[regions + 1]
        sample = self.surroundings.by_region[rng.integers(first[:, None], past[:, None], (len(first), REGION_SAMPLE))]
        return np.unique(np.concatenate([neighbour[neighbour >= 0], sample.ravel()]))


def prepare(
    slide: Slide,
    config: ModelConfig,
    cell_idx: NDArray,
    scale: IntensityScale,
    cell_type: NDArray,
    crops_file: Path,
    progress: Progress = silent,
) -> TrainingSlide:
    """Reads the crops of ``cell_idx`` into ``crops_file`` once and lays out what lies around each cell beside it.

    ``cell_type`` `(N,)` are names of all the slide's cells, "" where unknown.
    """
    size = config.crop_px
    shape = (len(cell_idx), config.drawn_channels, size, size)
    if not _is_crops_file(crops_file, shape):
        _write_crops(slide, config, cell_idx, scale, crops_file, shape, progress)
    type_of = {name: i for i, name in enumerate(config.cell_types)}
    values = log2_counts(align_counts(slide.counts[cell_idx], slide.panel, Panel(config.panel)))
    arrays = (_mapped(getattr(values, name), crops_file.with_suffix(f".{name}.npy")) for name in CSR_ARRAYS)
    around = surroundings_for(config, slide.centers_um[cell_idx])
    return TrainingSlide(
        np.load(crops_file, mmap_mode="r"),
        csr_matrix(tuple(arrays), shape=values.shape, copy=False),
        np.array([type_of.get(name, -1) for name in cell_type[cell_idx]], np.int64),
        replace(around, neighbour=_mapped(around.neighbour, crops_file.with_suffix(".neighbour.npy"))),
    )


def _mapped(array: NDArray, path: Path) -> NDArray:
    """``array`` written to ``path`` and read from there when it is used."""
    staged = path.with_suffix(".part.npy")
    np.save(staged, array)
    staged.replace(path)
    return np.load(path, mmap_mode="r")


def surroundings_for(config: ModelConfig, centers_um: NDArray) -> Surroundings:
    """The niche and tissue around cells at ``centers_um`` `(N, 2)` as this model reads them."""
    return surroundings(
        centers_um,
        num_neighbours=config.num_neighbours,
        radius_um=config.niche_radius_um,
        region_um=config.region_um,
        window=config.region_window,
    )


def turn_pictures(pictures: Tensor, turn: int) -> Tensor:
    """One of the eight flips and quarter turns of (..., H, W), ``turn`` in 0…7; 0 leaves them as they are."""
    pictures = pictures.transpose(-1, -2) if turn & 4 else pictures
    dims = [dim for bit, dim in ((1, -2), (2, -1)) if turn & bit]
    return pictures.flip(dims) if dims else pictures


def turn_offsets(offset_um: Tensor, turn: int) -> Tensor:
    """The same turn of offsets (..., 2) in µm (y, x)."""
    offset_um = offset_um.flip(-1) if turn & 4 else offset_um
    sign = torch.tensor([-1.0 if turn & 1 else 1.0, -1.0 if turn & 2 else 1.0], device=offset_um.device)
    return offset_um * sign


def _is_crops_file(path: Path, shape: tuple[int, ...]) -> bool:
    return path.is_file() and np.load(path, mmap_mode="r").shape == shape


def _write_crops(
    slide: Slide,
    config: ModelConfig,
    cell_idx: NDArray,
    scale: IntensityScale,
    path: Path,
    shape: tuple[int, ...],
    progress: Progress,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".part.npy")
    crops = np.lib.format.open_memmap(staged, mode="w+", dtype=np.float16, shape=shape)
    window = (config.um_per_px, config.crop_px)
    order = np.lexsort(np.floor(slide.centers_um[cell_idx] / 320).astype(int).T)  # tile by tile
    for start in range(0, len(order), CROPS_AT_ONCE):
        rows = order[start : start + CROPS_AT_ONCE]
        cells = cell_idx[rows]
        centers = slide.centers_um[cells]
        stains = scale.standardise(read_crops(slide.image, centers, *window))
        masks = read_masks(slide.labels, slide.instance_id[cells], centers, *window)
        crops[rows] = np.concatenate([stains, 2.0 * masks[:, None] - 1], axis=1)
        progress(min(1.0, (start + len(rows)) / len(order)), f"reading {len(order)} cells of {slide.name}")
    crops.flush()
    staged.replace(path)
