import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_spatia.errors import CheckpointError
from napari_spatia.model.checkpoint import CheckpointConfig, load_checkpoint, read_config, save_checkpoint


@pytest.fixture
def folder(model, tmp_path):
    intensity = {"black": (0.0, 0.0), "mean": (1.0, 1.0), "std": (1.0, 1.0)}
    config = CheckpointConfig(name="tiny", model=model.config, intensity=intensity, held_out={"accuracy": 0.5})
    save_checkpoint(tmp_path / "checkpoint", model, config)
    return tmp_path / "checkpoint"


def test_a_checkpoint_comes_back_the_same(model, folder):
    loaded, config, sha256 = load_checkpoint(folder)
    assert config.model == model.config and config.held_out == {"accuracy": 0.5}
    assert len(sha256) == 64 and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "one_pass.safetensors"]


def test_without_a_small_decoder_there_is_no_file_of_it(model, folder):
    config = read_config(folder)
    before = load_checkpoint(folder)[2]
    alone = type(model)(model.config.model_copy(update={"one_pass": None}))
    save_checkpoint(folder, alone, config.model_copy(update={"model": alone.config}))
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert load_checkpoint(folder)[0].one_pass is None and load_checkpoint(folder)[2] != before


def test_half_precision_is_stored_and_read_as_float32(model, folder):
    save_checkpoint(folder, model, read_config(folder), half=True)
    loaded, _, _ = load_checkpoint(folder)
    assert load_file(folder / "model.safetensors")["join.weight"].dtype == torch.float16
    assert loaded.join.weight.dtype == torch.float32
    assert torch.allclose(loaded.join.weight, model.join.weight, atol=1e-3)


def test_a_wrong_key_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    weights["join.weights"] = weights.pop("join.weight")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"weight 'join.weight' is missing"):
        load_checkpoint(folder)


def test_a_wrong_shape_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    weights["join.bias"] = weights["join.bias"][:3].clone()
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"'join.bias' has shape \(3,\), expected \(32,\)"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "one_pass.safetensors"])
def test_a_truncated_file_is_said(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "one_pass.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"found no {name}"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}'])
def test_a_damaged_config_is_said(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged config.json"):
        load_checkpoint(folder)


def test_another_format_is_said(folder):
    values = json.loads((folder / "config.json").read_text()) | {"format": 99}
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="format 99"):
        load_checkpoint(folder)
