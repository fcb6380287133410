from dataclasses import fields

import numpy as np
import pytest
import torch

from app_fakes import make_slide
from napari_spatia.batching.training_slide import prepare, turn_offsets, turn_pictures
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.model.config import ModelConfig


@pytest.fixture
def slide(tmp_path):
    return make_slide(tmp_path / "s.zarr", grid=12, id_step=3)


@pytest.fixture
def config(slide):
    return ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, ("T_cell", "acinar"))


@pytest.fixture
def prepared(slide, config, tmp_path):
    scale = IntensityScale.of_slide(slide, config.um_per_px, config.crop_px)
    types = slide.obs["cell_type"].to_numpy(dtype=str)
    return prepare(slide, config, np.arange(20, 120), scale, types, tmp_path / "crops.npy"), scale


def test_crops_on_disk_are_the_cells_own(slide, config, prepared):
    training, scale = prepared
    centers, window = slide.centers_um[25:26], (config.um_per_px, config.crop_px)
    stains = scale.standardise(read_crops(slide.image, centers, *window))[0]
    mask = read_masks(slide.labels, slide.instance_id[25:26], centers, *window)[0]
    assert np.allclose(training.crops[5, :-1], stains, atol=1e-2)
    assert np.array_equal(training.crops[5, -1] > 0, mask)


def test_a_batch_keeps_cells_genes_and_types_together(slide, prepared):
    training, _ = prepared
    cells = np.array([7, 3, 7, 99])
    batch = training.batch(cells)
    assert torch.allclose(batch.image[1], torch.from_numpy(training.crops[3].astype(np.float32)))
    assert np.array_equal(batch.counts.numpy(), slide.counts[cells + 20].toarray())
    names = slide.obs["cell_type"].to_numpy(dtype=str)[cells + 20]
    assert batch.cell_type.tolist() == [{"T_cell": 0, "acinar": 1}.get(name, -1) for name in names]


def test_draws_depend_on_the_generator_alone_and_groups_are_neighbours(prepared):
    training, _ = prepared
    first, second = (training.draw(np.random.default_rng(4), 3, 4).cell_idx for _ in range(2))
    assert np.array_equal(first, second) and len(first) == 12
    centers = training.surroundings.centers_um[first.reshape(3, 4)]
    assert np.linalg.norm(centers - centers[:, :1], axis=2).max() < 30


def test_the_context_covers_niches_and_regions(prepared):
    training, _ = prepared
    cells = np.array([0, 50])
    context = training.context(cells, np.random.default_rng(0))
    neighbour = training.surroundings.neighbour[cells]
    assert set(neighbour[neighbour >= 0]) <= set(context)
    around = training.surroundings.regions_around(cells)
    assert set(around[around >= 0]) <= set(training.surroundings.region_of_cell[context])


@pytest.mark.parametrize("turn", range(8))
def test_pictures_and_offsets_turn_together(turn):
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 4 + 3, 4 - 1] = 1  # a spot at offset (3, -1) from the middle
    offset = turn_offsets(torch.tensor([3.0, -1.0]), turn)
    y, x = (4 + offset).long()
    assert turn_pictures(picture, turn)[0, 0, y, x] == 1


def test_the_eight_turns_differ():
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    assert len({tuple(turn_pictures(picture, turn).flatten().tolist()) for turn in range(8)}) == 8


@pytest.mark.parametrize("grid", [12, 24])
def test_memory_keeps_32_bytes_a_cell_whatever_the_slide(tmp_path, grid):
    slide = make_slide(tmp_path / "s.zarr", grid=grid)
    config = ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, ("acinar",))
    scale = IntensityScale.of_slide(slide, config.um_per_px, config.crop_px)
    types = slide.obs["cell_type"].to_numpy(dtype=str)
    training = prepare(slide, config, np.arange(grid**2), scale, types, tmp_path / "crops.npy")
    around, values = training.surroundings, training.values
    arrays = [training.crops, training.cell_type, values.data, values.indices, values.indptr]
    arrays += [getattr(around, f.name) for f in fields(around) if not f.name.startswith("region_")]
    in_memory = sum(array.nbytes for array in arrays if not is_mapped(array)) + around.region_of_cell.nbytes
    assert in_memory == 32 * grid**2
    assert np.array_equal((np.exp2(values.toarray()) - 1).round(), slide.counts.toarray())


def is_mapped(array) -> bool:
    return isinstance(array, np.memmap) or (array.base is not None and is_mapped(array.base))
