import pytest
import torch

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import Around, GeneTokens
from napari_spatia.model.spatia import SpatiaModel

NUM_GENES, NUM_CELLS = 20, 3


@pytest.fixture
def config() -> ModelConfig:
    genes = tuple(f"G{i}" for i in range(NUM_GENES))
    return ModelConfig.from_preset("tiny", genes, ("DAPI", "boundary"), ("a", "b", "c"))


@pytest.fixture
def model(config) -> SpatiaModel:
    torch.manual_seed(0)
    model = SpatiaModel(config).eval()
    with torch.no_grad():  # a fresh decoder draws nothing: give its zeroed head and gates something to say
        for parameter in model.decoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def genes() -> GeneTokens:
    g = torch.Generator().manual_seed(1)
    gene_idx = torch.stack([torch.randperm(NUM_GENES, generator=g)[:6] for _ in range(NUM_CELLS)])
    present = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] * 5 + [False]])
    value = 1 + 2 * torch.rand(NUM_CELLS, 6, generator=g)
    return GeneTokens(gene_idx, value, present, torch.log2(1 + ((torch.exp2(value) - 1) * present).sum(1)))


@pytest.fixture
def around(config) -> Around:
    g = torch.Generator().manual_seed(2)
    rows = lambda n: torch.randn(NUM_CELLS, n, config.width, generator=g)  # noqa: E731
    exists = lambda n: torch.ones(NUM_CELLS, n, dtype=torch.bool)  # noqa: E731
    return Around(
        rows(4), 30 * torch.randn(NUM_CELLS, 4, 2, generator=g), exists(4),
        rows(9), 300 * torch.randn(NUM_CELLS, 9, 2, generator=g), exists(9), exists(4).long(),
    )  # fmt: skip


@pytest.fixture
def image(config) -> torch.Tensor:
    return torch.randn(NUM_CELLS, config.drawn_channels, config.crop_px, config.crop_px)
