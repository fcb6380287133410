import torch

from napari_spatia.model.linear_picture import LinearPicture

WIDTH = 4


def test_absent_genes_count_as_zero(genes):
    fused = torch.randn(3, WIDTH)
    features = LinearPicture(WIDTH, 20, 5).features(fused, genes)
    assert torch.equal(features[:, :WIDTH], fused)
    values = features[:, WIDTH:]
    assert torch.equal(values[1, genes.gene_idx[1, 4:]], torch.zeros(2))
    assert torch.equal(values[0, genes.gene_idx[0]], genes.value[0])


def test_a_linear_effect_is_found_and_a_penalty_shrinks_it(genes):
    torch.manual_seed(0)
    features = 3 * torch.rand(400, WIDTH + 20)
    weight = torch.randn(WIDTH + 20, 5)
    linear = LinearPicture(WIDTH, 20, 5)
    fused = torch.randn(3, WIDTH)
    assert torch.equal(linear(fused, genes), torch.zeros(3, 5))  # nothing is said until it is solved
    linear.solve(features, features @ weight + 2, penalty=1e-6)
    assert torch.allclose(linear.weight, weight, atol=1e-3)
    assert torch.allclose(linear(fused, genes), linear.features(fused, genes) @ weight + 2, atol=1e-2)
    linear.solve(features, features @ weight + 2, penalty=10.0)
    assert linear.weight.norm() < 0.2 * weight.norm()
