"""What a run needs to go on after a kill, as safetensors and JSON: written whole or not at all."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from napari_spatia.errors import CheckpointError
from napari_spatia.files import staged_file


def save_state(folder: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer, progress: dict) -> None:
    """Replaces ``folder`` by weights, the optimizer's moments and ``progress`` (stage, step, seconds, log lines)."""
    staged = folder.with_name(folder.name + ".part")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in modules.state_dict().items()}, staged / "weights.safetensors"
    )
    moments = {
        f"{index}.{name}": value.contiguous()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    save_file(moments, staged / "optimizer.safetensors")
    (staged / "progress.json").write_text(json.dumps(progress))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(staged, folder)
    shutil.rmtree(old, ignore_errors=True)


def keep_to(asked: dict[str, Any], folder: Path) -> None:
    """Notes in ``folder`` what an unfinished run was ``asked`` for. Raises `CheckpointError` where one that stopped
    there was asked for something else: it would go on to a mixture of both, and perhaps learn from held-out tissue.
    """
    file = folder / "asked.json"
    if not file.exists():
        with staged_file(file) as staged:
            staged.write_text(json.dumps(asked))
        return
    before = json.loads(file.read_text())
    for name, value in asked.items():
        if before.get(name) != value:
            raise CheckpointError(
                f"The unfinished run in '{folder}' was started with {name} = {before.get(name)}; now it is {value}. Go "
                "on with what it was started with, or leave out --resume to start over."
            )


def read_progress(folder: Path) -> dict | None:
    """The progress that was saved last, or None; a kill between the two renames of `save_state` is mended."""
    old = folder.with_name(folder.name + ".old")
    if not folder.exists() and old.exists():
        os.replace(old, folder)
    if not folder.exists():
        return None
    try:
        return json.loads((folder / "progress.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"The unfinished run in '{folder}' is damaged: {error}. Remove that folder to start over."
        ) from error


def restore_state(folder: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer) -> None:
    """Puts weights and moments back. Raises `CheckpointError` when they belong to another model."""
    try:
        modules.load_state_dict(load_file(folder / "weights.safetensors"))
    except RuntimeError as error:
        raise CheckpointError(
            f"The unfinished run in '{folder}' is of another model: {error}. Remove that folder to start over."
        ) from error
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
