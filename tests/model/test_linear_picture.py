import torch

from napari_spatia.model.linear_picture import LinearPicture, dense_values


def test_absent_genes_count_as_zero(genes):
    dense = dense_values(genes, 20)
    assert torch.equal(dense[1, genes.gene_idx[1, 4:]], torch.zeros(2))
    assert torch.equal(dense[0, genes.gene_idx[0]], genes.value[0])


def test_a_linear_effect_is_found_and_a_penalty_shrinks_it(genes):
    torch.manual_seed(0)
    values = 3 * torch.rand(400, 20)
    weight = torch.randn(20, 5)
    linear = LinearPicture(20, 5)
    assert torch.equal(linear(genes), torch.zeros(3, 5))  # nothing is said until it is solved
    linear.solve(values, values @ weight + 2, penalty=1e-6)
    assert torch.allclose(linear.weight, weight, atol=1e-3)
    assert torch.allclose(linear(genes), dense_values(genes, 20) @ weight + 2, atol=1e-2)
    linear.solve(values, values @ weight + 2, penalty=10.0)
    assert linear.weight.norm() < 0.2 * weight.norm()
