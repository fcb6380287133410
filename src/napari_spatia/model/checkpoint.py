"""Checkpoints on disk: a folder with ``config.json`` and ``model.safetensors``; no pickles, strict loading."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from napari_spatia.errors import CheckpointError
from napari_spatia.model.config import CONFIG, WEIGHTS, ModelConfig
from napari_spatia.model.spatia import SpatiaModel

FORMAT = 1


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
    """Writes both files, each staged and renamed; ``half`` stores float16, as shipped weights are."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.detach().cpu().to(torch.float16 if half and value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        save_file(weights, Path(staging) / WEIGHTS)
        (Path(staging) / CONFIG).write_text(config.model_dump_json(indent=1) + "\n")
        for name in (WEIGHTS, CONFIG):
            (Path(staging) / name).chmod(0o644)  # safetensors writes for the owner alone
            os.replace(Path(staging) / name, folder / name)


def read_config(folder: Path) -> CheckpointConfig:
    """The config alone. Raises `CheckpointError` when the folder is not a checkpoint or its config is damaged."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"'{folder}' is not a checkpoint: expected the files {CONFIG} and {WEIGHTS}, found no {name}. "
                "Name a folder that `napari-spatia train` wrote, or a shipped name (`napari-spatia models list`)."
            )
    try:
        values = json.loads((folder / CONFIG).read_text())
        if values.get("format") != FORMAT:
            raise CheckpointError(
                f"Checkpoint '{folder}' has format {values.get('format')}; this version reads format {FORMAT}. "
                "Update napari-spatia or train the checkpoint again."
            )
        return CheckpointConfig.model_validate(values)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"Checkpoint '{folder}' has a damaged {CONFIG}: {error}. Copy the checkpoint again from where it came."
        ) from error


def load_checkpoint(folder: Path) -> tuple[SpatiaModel, CheckpointConfig, str]:
    """The model in evaluation mode (float32), its config, and the SHA-256 of its weights file.

    Raises `CheckpointError` naming the first wrong key, or saying that the file is truncated.
    """
    config = read_config(folder)
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"Checkpoint '{folder}' has a truncated or damaged {WEIGHTS} ({error}). Copy it again from where it came."
        ) from error
    model = SpatiaModel(config.model)
    wrong = _first_difference(model.state_dict(), weights)
    if wrong:
        raise CheckpointError(
            f"Checkpoint '{folder}' does not fit its own config: {wrong}. "
            f"{WEIGHTS} and {CONFIG} come from different models; copy both from one place."
        )
    model.load_state_dict(weights)  # copies into float32 parameters whatever precision was stored
    return model.eval().requires_grad_(False), config, _sha256(folder / WEIGHTS)


def _first_difference(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> str | None:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            return f"weight '{name}' is missing"
        if name not in expected:
            return f"weight '{name}' is not part of the model"
        if expected[name].shape != found[name].shape:
            return f"weight '{name}' has shape {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
