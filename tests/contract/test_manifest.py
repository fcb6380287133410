"""The napari manifest: valid, every name in it imports, and one file under both of its paths."""

from importlib import import_module
from pathlib import Path

import pytest
from npe2 import PluginManifest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGED = REPOSITORY / "src" / "napari_spatia" / "napari.yaml"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(PACKAGED)


def test_the_top_level_manifest_is_the_packaged_one():
    assert (REPOSITORY / "napari.yaml").resolve() == PACKAGED


def test_installed_package_finds_its_manifest():
    found = PluginManifest.from_distribution("napari-spatia")
    assert found.name == "napari-spatia"
    assert found.display_name


def test_every_command_imports_and_can_be_called(manifest: PluginManifest):
    commands = manifest.contributions.commands or []
    assert commands
    for command in commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_everything_contributed_names_a_command_of_the_manifest(manifest: PluginManifest):
    known = {command.id for command in manifest.contributions.commands or []}
    contributions = manifest.contributions
    used = {item.command for kind in ("readers", "writers", "widgets") for item in getattr(contributions, kind) or []}
    used |= {item.command for item in contributions.sample_data or [] if hasattr(item, "command")}
    for items in (contributions.menus or {}).values():
        used |= {item.command for item in items if hasattr(item, "command")}
    assert used
    assert used <= known


def test_the_plugin_reads_slides_and_offers_sample_data_and_docks(manifest: PluginManifest):
    contributions = manifest.contributions
    assert any("*.zarr" in reader.filename_patterns for reader in contributions.readers or [])
    assert any(reader.accepts_directories for reader in contributions.readers or [])
    assert contributions.sample_data
    assert {"Explorer", "Cell", "Annotate"} <= {
        word for widget in contributions.widgets or [] for word in widget.display_name.replace(":", " ").split()
    }
