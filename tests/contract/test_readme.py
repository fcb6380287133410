"""The README does what it says: its example runs, its links and pictures are there, its commands exist."""

import re
from pathlib import Path

import pytest

from napari_spatia.cli.main import app

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
EXAMPLE = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]


def test_the_example_has_six_lines():
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) == 6


@pytest.mark.slow
def test_the_example_runs_with_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from napari_spatia.data.simulate import simulate_slide

    monkeypatch.chdir(tmp_path)
    simulate_slide("tissue.zarr")
    names: dict = {}
    exec(compile(EXAMPLE, "README.md", "exec"), names)  # the example itself is what is under test
    assert names["larger_nucleus"].shape == (4, 64, 64)
    assert (names["larger_nucleus"] != names["cell"].zero_edit).any()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_of_the_docs_are_there(page: Path):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_docs_exist(page: Path):
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    known -= {"open_window"}
    used = set(re.findall(r"napari-spatia ([a-z]+)\b", page.read_text(encoding="utf-8")))
    assert used <= known


def test_make_targets_of_the_readme_exist():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)\b", README, flags=re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)
