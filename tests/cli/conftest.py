"""The command line as a person runs it, in this process, with stdout and stderr apart."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_spatia.cli.main import app


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of stdout as an object."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def spatia() -> Callable[..., Done]:
    """Run ``napari-spatia`` with these arguments."""

    def run(*arguments: object) -> Done:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def tissue_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated slide of about 300 cells; tests that write take `tissue`."""
    from napari_spatia.data.simulate import simulate_slide

    path = tmp_path_factory.mktemp("tissue") / "tissue.zarr"
    simulate_slide(path, num_cells=300, seed=5)
    return path


@pytest.fixture
def tissue(tissue_store: Path, tmp_path: Path) -> Path:
    """A copy of the simulated slide for one test."""
    import shutil

    return Path(shutil.copytree(tissue_store, tmp_path / "tissue.zarr"))


@pytest.fixture(scope="session")
def untrained(tissue_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint for the simulated panel, never trained: enough to see files, shapes and errors."""
    import torch

    from napari_spatia.data.intensity import IntensityScale
    from napari_spatia.data.io import open_slide
    from napari_spatia.model.checkpoint import CheckpointConfig, save_checkpoint
    from napari_spatia.model.config import ModelConfig
    from napari_spatia.model.spatia import SpatiaModel

    slide = open_slide(tissue_store)
    types = tuple(sorted(set(slide.obs["cell_type"].astype(str))))
    config = ModelConfig.from_preset("tiny", slide.panel.genes, slide.channels, types)
    scale = IntensityScale.of_slide(slide, config.um_per_px, config.crop_px)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = SpatiaModel(config).eval()
    folder = tmp_path_factory.mktemp("checkpoints") / "untrained"
    save_checkpoint(
        folder, model, CheckpointConfig(name="untrained", model=config, intensity=scale.to_dict()), half=True
    )
    return folder
