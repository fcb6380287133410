"""Checkpoints by name and by folder; what is wrong is said."""

import json
import subprocess
import sys

import pytest

from napari_spatia.data.panel import Panel
from napari_spatia.errors import CheckpointError
from napari_spatia.inference import registry
from napari_spatia.inference.registry import best_checkpoint, describe, find_checkpoint, list_shipped


def write_checkpoint(folder, name, genes, channels=("DAPI",)):
    folder.mkdir(parents=True)
    model = {"preset": "tiny", "panel": list(genes), "channels": list(channels), "cell_types": ["a", "b"]}
    (folder / "config.json").write_text(json.dumps({"format": 1, "name": name, "model": model, "held_out": {"x": 1}}))
    (folder / "model.safetensors").write_bytes(b"0" * 2000)
    return folder


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Three shipped checkpoints: two of one panel with other stains, one of another panel."""
    root = tmp_path / "weights"
    write_checkpoint(root / "lung", "lung", ["A", "B", "C", "D"])
    write_checkpoint(root / "lung-stained", "lung-stained", ["A", "B", "C", "D"], ("DAPI", "boundary"))
    write_checkpoint(root / "brain", "brain", ["W", "X", "Y", "Z"])
    monkeypatch.setattr(registry, "SHIPPED", root)
    return root


def test_shipped_names_and_folders_are_found(shipped, tmp_path):
    mine = write_checkpoint(tmp_path / "mine", "mine", ["A"])
    assert list_shipped() == ("brain", "lung", "lung-stained")
    assert find_checkpoint("lung") == shipped / "lung"
    assert find_checkpoint(mine) == find_checkpoint(str(mine)) == mine


def test_a_shipped_name_wins_over_a_folder_of_that_name(shipped, tmp_path, monkeypatch):
    mine = write_checkpoint(tmp_path / "work" / "lung", "mine", ["A"])
    monkeypatch.chdir(tmp_path / "work")
    assert find_checkpoint("lung") == shipped / "lung"
    assert find_checkpoint("./lung") == mine


def test_an_unknown_name_names_the_shipped_ones(shipped):
    with pytest.raises(CheckpointError, match=r"'lungs'.*brain, lung, lung-stained.*Did you mean 'lung'\?"):
        find_checkpoint("lungs")


def test_a_folder_without_weights_says_what_it_lacks(shipped):
    (shipped / "lung" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        find_checkpoint(shipped / "lung")


def test_a_file_is_no_checkpoint(shipped):
    with pytest.raises(CheckpointError, match="is a file"):
        find_checkpoint(shipped / "lung" / "config.json")


def test_describe_reads_the_config(shipped):
    found = describe("lung-stained")
    assert (found.name, found.preset, found.channels, found.cell_types) == (
        "lung-stained", "tiny", ("DAPI", "boundary"), ("a", "b"),
    )  # fmt: skip
    assert found.panel.genes == ("A", "B", "C", "D")
    assert found.held_out == {"x": 1}
    assert found.megabytes == pytest.approx(0.002)


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "lung"}', "null"])
def test_a_damaged_config_is_said(shipped, text):
    (shipped / "lung" / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"damaged config\.json"):
        describe("lung")


def test_the_best_checkpoint_knows_most_genes_then_most_channels(shipped):
    assert best_checkpoint(Panel(("A", "B", "C", "Q")), ("DAPI", "boundary")) == "lung-stained"
    assert best_checkpoint(Panel(("A", "B", "C", "Q")), ("DAPI",)) == "lung"
    assert best_checkpoint(Panel(("X", "Y")), ("DAPI",)) == "brain"
    assert best_checkpoint(Panel(("A",)), ("DAPI",)) is None


def test_the_registry_loads_no_torch():
    code = "import sys, napari_spatia.inference.registry as r; r.list_shipped(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
