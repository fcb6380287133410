"""What an import loads, checked in a fresh process."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "qtpy", "PyQt6", "PySide6", "superqt", "magicgui", "napari", "vispy")
DATA_STACK = ("spatialdata", "anndata", "pandas", "sklearn", "dask", "matplotlib", "numpy")


def _loaded_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["napari_spatia", "napari_spatia.session.session", "napari_spatia.data.io"])
def test_import_loads_neither_torch_nor_qt(module: str):
    loaded = _loaded_after(f"import {module}")
    assert "napari_spatia" in loaded
    assert not loaded & set(HEAVY)


def test_the_command_line_starts_without_the_data_stack():
    loaded = _loaded_after("import napari_spatia.cli.main")
    assert "typer" in loaded
    assert not loaded & {*HEAVY, *DATA_STACK}


def test_help_of_every_command_loads_no_data_stack():
    loaded = _loaded_after(
        "from typer.testing import CliRunner\n"
        "from napari_spatia.cli.main import app\n"
        "commands = [c.name or c.callback.__name__ for c in app.registered_commands]\n"
        "assert all(CliRunner().invoke(app, [c, '--help']).exit_code == 0 for c in commands)"
    )
    assert not loaded & {*HEAVY, *DATA_STACK}


def test_a_slide_is_opened_without_the_scheduler_of_dask(slide_with_transcripts):
    """`distributed` takes 0.3 s, for which nobody sees the slide."""
    loaded = _loaded_after(
        "from pathlib import Path\n"
        "from napari_spatia.session.opened import read_picture\n"
        "from napari_spatia.data.io import open_slide\n"
        f"path = Path({str(slide_with_transcripts)!r})\n"
        "read_picture(path, {}, None)\n"
        "open_slide(path)"
    )
    assert "dask" in loaded and "distributed" not in loaded
