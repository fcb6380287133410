"""Checkpoints on disk: a folder with ``config.json``, ``model.safetensors`` and, with a small decoder of one pass, its
``one_pass.safetensors``; no pickles, strict loading.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from napari_spatia.errors import CheckpointError
from napari_spatia.model.config import CONFIG, ONE_PASS_WEIGHTS, WEIGHTS, ModelConfig
from napari_spatia.model.spatia import SpatiaModel

FORMAT = 1
ONE_PASS = "one_pass."
"""What the names of the small decoder's weights begin with."""


class CheckpointConfig(BaseModel):
    """Everything of a checkpoint but its weights.

    ``intensity`` is the training slides' `IntensityScale`; ``held_out`` the scores on cells that were never trained
    on; ``provenance`` the data, split, seed, steps and versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    name: str
    model: ModelConfig
    intensity: dict[str, tuple[float, ...]]
    held_out: dict[str, Any] = {}
    provenance: dict[str, Any] = {}


def save_checkpoint(folder: Path, model: SpatiaModel, config: CheckpointConfig, half: bool = False) -> None:
    """Writes all files, each staged and renamed; ``half`` stores float16, as shipped weights are."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.detach().cpu().to(torch.float16 if half and value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        for file in weights_files(config.model):
            belongs = {
                name: w for name, w in weights.items() if name.startswith(ONE_PASS) == (file == ONE_PASS_WEIGHTS)
            }
            save_file(belongs, Path(staging) / file)
        (Path(staging) / CONFIG).write_text(config.model_dump_json(indent=1) + "\n")
        for name in (*weights_files(config.model), CONFIG):
            (Path(staging) / name).chmod(0o644)  # safetensors writes for the owner alone
            os.replace(Path(staging) / name, folder / name)
    if config.model.one_pass is None:
        (folder / ONE_PASS_WEIGHTS).unlink(missing_ok=True)  # of the model that was here before


def weights_files(model: ModelConfig) -> tuple[str, ...]:
    """Names of the files that hold the weights of such a model."""
    return (WEIGHTS,) if model.one_pass is None else (WEIGHTS, ONE_PASS_WEIGHTS)


def read_config(folder: Path) -> CheckpointConfig:
    """The config alone. Raises `CheckpointError` when the folder is not a checkpoint or its config is damaged."""
    _expect(folder, CONFIG, WEIGHTS)
    try:
        values = json.loads((folder / CONFIG).read_text())
        if values.get("format") != FORMAT:
            raise CheckpointError(
                f"Checkpoint '{folder}' has format {values.get('format')}; this version reads format {FORMAT}. "
                "Update napari-spatia or train the checkpoint again."
            )
        config = CheckpointConfig.model_validate(values)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"Checkpoint '{folder}' has a damaged {CONFIG}: {error}. Copy the checkpoint again from where it came."
        ) from error
    _expect(folder, CONFIG, *weights_files(config.model))
    return config


def _expect(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"'{folder}' is not a checkpoint: expected the files {' and '.join(names)}, found no {name}. "
                "Name a folder that `napari-spatia train` wrote, or a shipped name (`napari-spatia models list`)."
            )


def load_checkpoint(folder: Path) -> tuple[SpatiaModel, CheckpointConfig, str]:
    """The model in evaluation mode (float32), its config, and the SHA-256 of its weights files, one after the other.

    Raises `CheckpointError` naming the first wrong key, or saying that the file is truncated.
    """
    config = read_config(folder)
    files, weights = weights_files(config.model), dict[str, torch.Tensor]()
    for file in files:
        try:
            weights |= load_file(folder / file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"Checkpoint '{folder}' has a truncated or damaged {file} ({error}). Copy it again from where it came."
            ) from error
    model = SpatiaModel(config.model)
    wrong = _first_difference(model.state_dict(), weights)
    if wrong:
        raise CheckpointError(
            f"Checkpoint '{folder}' does not fit its own config: {wrong}. "
            f"{WEIGHTS} and {CONFIG} come from different models; copy both from one place."
        )
    model.load_state_dict(weights)  # copies into float32 parameters whatever precision was stored
    return model.eval().requires_grad_(False), config, _sha256([folder / file for file in files])


def _first_difference(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> str | None:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            return f"weight '{name}' is missing"
        if name not in expected:
            return f"weight '{name}' is not part of the model"
        if expected[name].shape != found[name].shape:
            return f"weight '{name}' has shape {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
    return None


def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
