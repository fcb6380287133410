"""The three rules of the house: imports point one way, each library has one home, what is imported is declared."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted((REPOSITORY / "src" / "napari_spatia").rglob("*.py"))
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}
# Loaded by napari itself under the manifest, or by another library for us: declared without an import of ours.
DECLARED_FOR_OTHERS = {"napari"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in requirements}


@cache
def _imported() -> dict[str, str]:
    """Distribution → one file that imports it, for every import outside the standard library and TYPE_CHECKING."""
    owners = packages_distributions()
    found: dict[str, str] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            for top in (module.split(".")[0] for module in modules):
                if top not in sys.stdlib_module_names and top != "napari_spatia":
                    found[_normal(owners[top][0])] = str(path.relative_to(REPOSITORY))
    return found


def test_import_contracts_are_kept():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout), done.stdout


def test_every_import_is_a_declared_dependency():
    declared = _names(PYPROJECT["project"]["dependencies"])
    undeclared = {name: path for name, path in _imported().items() if name not in declared}
    assert not undeclared


def test_every_dependency_is_imported():
    declared = _names(PYPROJECT["project"]["dependencies"])
    assert declared - set(_imported()) <= DECLARED_FOR_OTHERS


def test_base_dependencies_have_no_qt_binding_and_napari_no_upper_cap():
    declared = PYPROJECT["project"]["dependencies"]
    assert not _names(declared) & QT_BINDINGS
    assert _names(PYPROJECT["project"]["optional-dependencies"]["all"]) & QT_BINDINGS
    assert [item for item in declared if item.startswith("napari")] == ["napari>=0.9"]
    assert "Framework :: napari" in PYPROJECT["project"]["classifiers"]


def test_constraints_pin_every_dependency_and_name_no_place():
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    wanted = _names(PYPROJECT["project"]["dependencies"]).union(*map(_names, extras))
    assert wanted <= _names(pins)
    assert "torch==2.13.0" in pins


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY / "src")))
def test_a_file_holds_one_idea(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert not text or ast.get_docstring(ast.parse(text)), "a module says what it is for"


def test_keys_have_one_home():
    """Who binds a key names a declared one: no spelled key outside `viewer/keys.py`."""
    spelled = re.compile(r"(bind_key|QKeySequence|setShortcut)\(\s*(f?[\"']|Qt\.Key)")
    found = [
        f"{path.relative_to(REPOSITORY)}: {match.group(0)}"
        for path in SOURCES
        for match in spelled.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found, found
