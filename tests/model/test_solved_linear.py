import torch

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.solved_linear import SolvedLinear

GENES = tuple(f"G{i}" for i in range(20))
CONFIG = ModelConfig(panel=GENES, channels=(), cell_types=("a",), width=4, prior_px=2)
WIDTH, VALUES = CONFIG.width, 4


def test_absent_genes_count_as_zero(genes):
    fused = torch.randn(3, WIDTH)
    features = SolvedLinear(CONFIG, VALUES).features(fused, genes)
    assert torch.equal(features[:, :WIDTH], fused)
    values = features[:, WIDTH:]
    assert torch.equal(values[1, genes.gene_idx[1, 4:]], torch.zeros(2))
    assert torch.equal(values[0, genes.gene_idx[0]], genes.value[0])


def test_genes_that_are_not_read_are_left_out(genes):
    """Of a large panel the linear part reads some genes, in the order of the panel."""
    read = GENES[3:9]
    fused = torch.randn(3, WIDTH)
    some = SolvedLinear(CONFIG.model_copy(update={"read_genes": read}), VALUES).features(fused, genes)
    of_all = SolvedLinear(CONFIG, VALUES).features(fused, genes)
    assert torch.equal(some[:, WIDTH:], of_all[:, WIDTH + 3 : WIDTH + 9])


def test_a_linear_effect_is_found_and_a_penalty_shrinks_it(genes):
    torch.manual_seed(0)
    features = 3 * torch.rand(400, WIDTH + 20)
    weight = torch.randn(WIDTH + 20, VALUES)
    linear = SolvedLinear(CONFIG, VALUES)
    fused = torch.randn(3, WIDTH)
    assert torch.equal(linear(fused, genes), torch.zeros(3, VALUES))  # nothing is said until it is solved
    linear.solve(features, features @ weight + 2, penalty=1e-6)
    assert torch.allclose(linear.weight, weight, atol=1e-3)
    assert torch.allclose(linear(fused, genes), linear.features(fused, genes) @ weight + 2, atol=1e-2)
    linear.solve(features, features @ weight + 2, penalty=10.0)
    assert linear.weight.norm() < 0.2 * weight.norm()
