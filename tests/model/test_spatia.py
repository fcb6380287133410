from dataclasses import replace

import pytest
import torch

from napari_spatia.model.inputs import GeneTokens
from napari_spatia.model.layers import Block

ALL_CHANNELS = torch.ones(3, dtype=torch.bool)


def test_two_evaluations_agree_bit_for_bit(model, around, genes, image):
    first, second = (model.encode(around, genes, model.image(image, ALL_CHANNELS)[0]).fused for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("changed", ["image", "genes", "niche", "tissue"])
def test_each_input_changes_the_embedding(model, around, genes, image, changed):
    before = model.encode(around, genes, model.image(image, ALL_CHANNELS)[0])
    if changed == "image":
        image = image + 1
    elif changed == "genes":
        genes = replace(genes, value=genes.value + 1)
    elif changed == "niche":
        around = replace(around, neighbour=-around.neighbour)
    else:
        around = replace(around, region=-around.region)
    after = model.encode(around, genes, model.image(image, ALL_CHANNELS)[0])
    assert not torch.allclose(before.fused, after.fused, atol=1e-4)


@pytest.mark.parametrize("scale", ["niche", "tissue"])
def test_a_scale_left_out_is_not_read(model, around, genes, scale):
    blind = around.without(**{scale: True})
    name = {"niche": "neighbour", "tissue": "region"}[scale]
    changed = replace(blind, **{name: torch.randn_like(getattr(around, name))})
    assert torch.allclose(model.encode(blind, genes).fused, model.encode(changed, genes).fused, atol=1e-5)


def test_the_order_of_genes_does_not_matter(model, genes):
    order = torch.tensor([3, 0, 2, 1])
    head = slice(0, 4)
    swapped = GeneTokens(
        torch.cat([genes.gene_idx[:, head][:, order], genes.gene_idx[:, 4:]], 1),
        torch.cat([genes.value[:, head][:, order], genes.value[:, 4:]], 1),
        genes.present,
        genes.library,
    )
    assert torch.allclose(model.embed_genes(genes), model.embed_genes(swapped), atol=1e-5)


def test_padding_is_not_read(model, genes):
    noisy = replace(genes, value=torch.where(genes.present, genes.value, 9.0))
    assert torch.equal(model.embed_genes(genes), model.embed_genes(noisy))


def test_hidden_genes_leave_tokens_and_library(genes):
    hidden = torch.zeros(3, 20, dtype=torch.bool)
    hidden[0, genes.gene_idx[0, 2]] = True
    seen = genes.hide(hidden)
    assert seen.present[0].tolist() == [True, True, False, True, True, True]
    left = (torch.exp2(genes.value[0]) - 1)[[0, 1, 3, 4, 5]].sum()
    assert torch.isclose(torch.exp2(seen.library[0]) - 1, left)
    assert torch.allclose(seen.library[1:], genes.library[1:])


def test_cells_without_genes_or_without_an_image_are_ordinary_inputs(model, around, genes, image):
    tokens, _ = model.image(image, ALL_CHANNELS)
    fused = [model.encode(around, *pair).fused for pair in ((genes, None), (None, tokens), (genes, tokens))]
    assert all(torch.isfinite(f).all() for f in fused)
    assert not torch.allclose(fused[0], fused[2], atol=1e-3)
    assert not torch.allclose(fused[1], fused[2], atol=1e-3)


def test_a_missing_channel_is_not_read(model, image):
    without = torch.tensor([True, False, True])
    changed = image.clone()
    changed[:, 1] += 3
    assert torch.equal(model.image(image, without)[0], model.image(changed, without)[0])
    assert not torch.equal(model.image(image, without)[0], model.image(image, ALL_CHANNELS)[0])


def test_a_masked_cell_is_told_from_its_surroundings_alone(model, around, genes):
    masked = torch.tensor([True, False, False])
    other = replace(genes, value=genes.value + 1)
    before, after = (model.encode(around, g, masked_cell=masked).fused for g in (genes, other))
    assert torch.allclose(before[0], after[0], atol=1e-6)
    assert not torch.allclose(before[1], after[1], atol=1e-4)


def test_type_and_expression_heads_are_distributions(model, around, genes):
    fused = model.encode(around, genes).fused
    assert torch.allclose(model.heads.log_rate(fused).exp().sum(1), torch.ones(3), atol=1e-5)
    assert model.heads.cell_type(fused).shape == (3, 3)


def test_the_first_place_of_a_block_can_be_had_alone():
    torch.manual_seed(0)
    block, x = Block(16, 8), torch.randn(3, 5, 16)
    present = torch.tensor([[True] * 5, [True, False, True, False, True], [True] + [False] * 4])
    torch.testing.assert_close(block.of_first(x, present), block(x, present=present)[:, 0])
