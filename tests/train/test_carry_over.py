"""A model whose names are in another order is the same model; what is new starts as the mean of what is known."""

import pytest
import torch

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import Around, GeneTokens
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train.carry_over import carry_over

GENES, CHANNELS, TYPES = tuple(f"G{i}" for i in range(7)), ("DAPI", "boundary", "rna"), ("a", "b", "c")


def new_model(genes=GENES, channels=CHANNELS, types=TYPES) -> SpatiaModel:
    return SpatiaModel(ModelConfig.from_preset("tiny", genes, channels, types)).eval().requires_grad_(False)


@pytest.fixture
def source() -> SpatiaModel:
    """No weight is zero, so that none can be forgotten."""
    torch.manual_seed(0)
    model = new_model()
    for name, value in model.state_dict().items():
        value.add_((0.1 if "spectrum" in name else 0.05) * torch.rand_like(value))
    model.linear_prior.clear()  # like the readings they are solved anew
    model.linear_outline.clear()
    return model


def outputs(model: SpatiaModel) -> dict[str, torch.Tensor]:
    """Everything that the model says of three cells, in the order of GENES, CHANNELS and TYPES."""
    g = torch.Generator().manual_seed(1)
    config = model.config
    gene_idx = torch.stack([torch.randperm(len(GENES), generator=g)[:4] for _ in range(3)])
    value = 1 + torch.rand(3, 4, generator=g)
    picture = torch.randn(3, len(CHANNELS) + 1, 64, 64, generator=g)
    rows = lambda n: torch.randn(3, n, config.width, generator=g)  # noqa: E731
    exists = lambda n: torch.ones(3, n, dtype=torch.bool)  # noqa: E731
    offset = lambda n: 20 * torch.randn(3, n, 2, generator=g)  # noqa: E731
    around = Around(rows(5), offset(5), exists(5), rows(4), offset(4), exists(4), exists(5).long())

    gene_at = torch.tensor([config.panel.index(gene) for gene in GENES])
    channel_at = torch.tensor([*(config.channels.index(c) for c in CHANNELS), len(config.channels)])
    type_at = torch.tensor([config.cell_types.index(name) for name in TYPES])
    own = picture[:, channel_at.argsort()] if len(config.channels) == len(CHANNELS) else None
    genes = GeneTokens(gene_at[gene_idx], value, torch.ones(3, 4, dtype=torch.bool), torch.log2(1 + value.sum(1)))
    blind = model.encode(around, genes)
    said = {"expression": model.heads.expression(blind.fused)[:, gene_at], "fused": blind.fused}
    said["types"] = model.heads.cell_type(blind.fused)[:, type_at]
    said["expected"] = model.expected_picture(blind.fused, genes)[:, channel_at]
    if own is not None:
        image, _ = model.image(own, torch.ones(own.shape[1], dtype=torch.bool))
        encoding = model.encode(around, genes, image)
        patch_px = config.image_patch_px**2
        said["patches"] = model.heads.patch(encoding.image_tokens).unflatten(-1, (-1, patch_px))[:, :, channel_at]
        t, condition = torch.rand(3, generator=g), model.condition(blind, genes)
        said["velocity"] = model.decoder(own, t, torch.zeros_like(t), condition)[:, channel_at]
    return said


def test_another_order_of_names_changes_nothing(source):
    target = new_model(GENES[::-1], ("rna", "DAPI", "boundary"), ("c", "a", "b"))
    summary = carry_over(source, target)
    found = outputs(target)
    for name, expected in outputs(source).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-4, msg=name)
    assert summary["panel"] == {"carried_over": len(GENES), "new": [], "gone": []}


def test_new_names_start_as_the_mean_and_the_known_keep_theirs(source):
    target = new_model(("new", *GENES[2:]), (*CHANNELS, "CD45"), (*TYPES, "d"))
    summary = carry_over(source, target)
    assert summary["panel"] == {"carried_over": 5, "new": ["new"], "gone": ["G0", "G1"]}
    assert summary["channels"]["new"] == ["CD45"] and summary["cell_types"]["new"] == ["d"]
    table, before = target.genes.gene.weight, source.genes.gene.weight
    assert torch.equal(table[1:], before[2:]) and torch.allclose(table[0], before.mean(0))
    patch, patch_before = target.image.patch, torch.stack([embed.weight for embed in source.image.patch])
    assert torch.allclose(patch[3].weight, patch_before[:3].mean(0))  # of the stains, not of the mask
    assert torch.equal(patch[4].weight, patch_before[3])  # the mask stays last
    types = target.heads.cell_type.weight
    assert torch.allclose(types[3], source.heads.cell_type.weight.mean(0)) and torch.equal(
        types[0], source.heads.cell_type.weight[0]
    )


def test_new_genes_that_no_cell_expresses_change_nothing(source):
    target = new_model(("X1", *GENES, "X2"), CHANNELS, TYPES)
    carry_over(source, target)
    found, expected = outputs(target), outputs(source)
    for name in ("fused", "expression", "expected", "velocity"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)
