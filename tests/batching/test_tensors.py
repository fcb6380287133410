import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from napari_spatia.batching.tensors import embed_cells, gene_tokens, look_around, pool_regions
from napari_spatia.data.counts import log2_counts
from napari_spatia.data.surroundings import surroundings
from napari_spatia.model.config import ModelConfig
from napari_spatia.model.device import one_thread
from napari_spatia.model.spatia import SpatiaModel


def test_cells_embed_the_same_in_any_company():
    rng = np.random.default_rng(0)
    values = log2_counts(csr_matrix(rng.poisson(0.4, (300, 12)).astype(np.float32)))
    model = SpatiaModel(ModelConfig.from_preset("tiny", tuple("ABCDEFGHIJKL"), ("DAPI",), ("a",))).eval()
    together = embed_cells(model, values)
    with torch.no_grad():
        alone = torch.cat([model.embed_genes(gene_tokens(values[row])) for row in range(0, 300, 37)])
    assert torch.allclose(together[::37], alone, atol=1e-5)


def test_regions_are_means_and_empty_ones_zero():
    pooled = pool_regions(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 2]), 4)
    assert pooled.ravel().tolist() == [2.0, 0.0, 5.0, 0.0]


def test_what_lies_around_is_gathered_row_by_row_and_the_unread_is_absent():
    centers = np.array([[0.0, 0.0], [0.0, 10.0], [0.0, 20.0], [900.0, 900.0]])
    around = surroundings(centers, num_neighbours=2, radius_um=50, region_um=100, window=3)
    cells = torch.arange(3.0)[:, None]
    cell_row = np.array([0, 1, -1, 2])  # the third cell was not embedded
    regions = torch.tensor([[10.0], [20.0]])
    seen = look_around(around, np.array([0, 3]), cells, cell_row, regions)
    assert seen.neighbour[0, 0].item() == 1.0 and seen.has_neighbour.tolist() == [[True, False], [False, False]]
    assert seen.neighbour_offset_um[0, 0].tolist() == [0.0, 10.0]
    assert (seen.neighbour[~seen.has_neighbour] == 0).all()
    assert sorted(seen.region[seen.has_region].flatten().tolist()) == [10.0, 20.0]


def test_a_cells_embedding_has_the_same_bits_whichever_cells_are_read_with_it():
    model = SpatiaModel(ModelConfig.from_preset("tiny", tuple(f"G{i}" for i in range(90)), ("DAPI",), ("a",))).eval()
    rng = np.random.default_rng(0)
    values = csr_matrix(rng.poisson(rng.uniform(0, 2, (150, 1)), (150, 90)).astype(np.float32))
    together = embed_cells(model, values)
    for rows in (np.array([3]), np.arange(40, 47), rng.permutation(150)[:70]):
        assert torch.equal(embed_cells(model, values[rows]), together[rows])
    assert len(torch.unique(together, dim=0)) == 150, "the cells differ"


def test_cells_that_are_read_on_all_cores_are_the_same_and_reading_them_can_be_stopped():
    model = SpatiaModel(ModelConfig.from_preset("tiny", tuple(f"G{i}" for i in range(90)), ("DAPI",), ("a",))).eval()
    rng = np.random.default_rng(0)
    values = csr_matrix(rng.poisson(rng.uniform(0, 2, (150, 1)), (150, 90)).astype(np.float32))
    with one_thread():
        alone = embed_cells(model, values)
    seen = []
    on_cores = embed_cells(model, values, lambda fraction, doing: seen.append(fraction), on_cores=True)
    assert torch.equal(on_cores, alone) and not on_cores.requires_grad
    assert seen == sorted(seen) and seen[-1] == 1 and len(seen) > 4

    def stop(fraction, doing):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        embed_cells(model, values, stop, on_cores=True)
