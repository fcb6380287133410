"""The viewer benchmark: our window on slides of several sizes, two peers on one of them, one after another.

    python scripts/bench_viewer/run.py [--cells 10000 100000 1000000 4000000] [--peer-cells 1000000] [--no-peers]

Needs a display of at least 1,920 × 1,200 px (``make bench-viewer`` brings a virtual one). Slides and the peers'
environments are made in ``--work`` when they are not there yet; a peer that could not be installed is said and left
out. Writes the JSON file ``--out`` and, beside it, the same as a Markdown table.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from viewer_table import page

from napari_spatia.files import staged_file
from napari_spatia.widgets.bench_viewer import WINDOW_PX

HERE = Path(__file__).resolve().parent
CELLS, PEER_CELLS = (10_000, 100_000, 1_000_000, 4_000_000), 1_000_000
NEWEST_MINOR = 20


@dataclass(frozen=True, slots=True)
class Peer:
    """A viewer to compare with: its package, its driver beside this file, the oldest Python that it runs on."""

    package: str
    driver: str
    least_python: tuple[int, int]


PEERS = (
    Peer("napari-spatialdata", "peer_napari_spatialdata.py", (3, 11)),
    Peer("spatiato", "peer_spatiato.py", (3, 12)),
)


class Missing(Exception):
    """Something that is needed for one measurement could not be had; the message says why."""


def slide_of(work: Path, num_cells: int) -> Path:
    """The synthetic slide of so many cells, made when it is not there."""
    path = work / f"cells-{num_cells}.zarr"
    if not path.exists():
        _say(f"Making a slide of {num_cells:,} cells")
        module = "napari_spatia.benchmark.grid_slide"
        _run([sys.executable, "-m", module, str(path), "--cells", str(num_cells)], "making the slide")
    return path


def python_of(peer: Peer, work: Path, ready: dict[str, str]) -> str:
    """The interpreter of the peer's environment, which is made when it is not there. Raises `Missing`."""
    if peer.package in ready:
        return ready[peer.package]
    folder = work / peer.package
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists():
        base = next(_pythons(peer.least_python), None)
        if base is None:
            raise Missing("needs Python ≥ {}.{}, which was not found".format(*peer.least_python))
        _say(f"Installing {peer.package} (some minutes the first time)")
        _run([base, "-m", "venv", "--clear", str(folder)], "making its environment")
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        _run([str(python), *install, peer.package, "napari[pyqt6]"], "installing it")
        done.touch()
    return str(python)


def _pythons(least: tuple[int, int]) -> Iterator[str]:
    """Interpreters that are new enough, this one first: from the PATH, and those that pyenv keeps."""
    names = [f"python{least[0]}.{minor}" for minor in range(least[1], NEWEST_MINOR)]
    candidates = [sys.executable, *(path for name in names if (path := shutil.which(name)))]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
        candidates += [str(path) for name in names for path in sorted(Path(root).glob(f"versions/*/bin/{name}"))]
    check = f"import sys; raise SystemExit(sys.version_info < {least})"
    for candidate in candidates:
        # Run it: pyenv puts names on the PATH for which it has no interpreter chosen.
        if subprocess.run([candidate, "-c", check], capture_output=True, check=False).returncode == 0:
            yield candidate


def ours(slide: Path, repeats: int) -> dict[str, Any]:
    """Our window on one slide."""
    module = "napari_spatia.widgets.bench_viewer"
    found = _measure([sys.executable, "-m", module, str(slide), "--repeats", str(repeats)])
    versions = {"version": version("napari-spatia"), "napari": version("napari"), "python": platform.python_version()}
    return {**found, **versions}


def peers(slide: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Each peer on one slide; one that could not be installed or did not finish says so."""
    ready = dict(pair.split("=", 1) for pair in asked.peer_env)
    options = {"--repeats": asked.peer_repeats, "--moves": asked.repeats, "--limit-s": asked.limit_s}
    said = [str(word) for option in options.items() for word in option]
    records = []
    for peer in PEERS:
        try:
            python = python_of(peer, asked.work, ready)
            _say(f"{peer.package} on {slide.name}")
            records.append(_measure([python, str(HERE / peer.driver), str(slide), *said]))
        except Missing as missing:
            _say(f"{peer.package} is left out: {missing}")
            records.append({"viewer": peer.package, "missing": str(missing)})
    return records


def _command(asked: argparse.Namespace) -> str:
    """How this was run, without the folders of this machine."""
    sizes = " ".join(map(str, asked.cells))
    told = f"--cells {sizes} --peer-cells {asked.peer_cells} --repeats {asked.repeats}"
    told += f" --peer-repeats {asked.peer_repeats} --limit-s {asked.limit_s:g}" if asked.peers else " --no-peers"
    return f'make bench-viewer ARGS="{told}"'


def _measure(command: Sequence[str]) -> dict[str, Any]:
    """The JSON object of the last line that the command prints."""
    lines = _run(command, "the measurement").splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        raise Missing("the measurement ended without a result") from None


def _run(command: Sequence[str], doing: str) -> str:
    """What the command prints. Its errors go to the terminal only: they name folders of this machine."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{doing} failed with exit status {done.returncode}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write(found: dict[str, Any], out: Path) -> None:
    """The JSON file and the table beside it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, text in (
        (out, json.dumps(found, indent=1, ensure_ascii=False) + "\n"),
        (out.with_suffix(".md"), page(found)),
    ):
        with staged_file(path) as stage:
            stage.write_text(text, encoding="utf-8")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS, help="sizes of the slides for our window")
    parser.add_argument("--peer-cells", type=int, default=PEER_CELLS, help="size for the peers, and for ours beside")
    parser.add_argument("--repeats", type=int, default=30, help="of each step of ours, and the peers' pans and zooms")
    parser.add_argument("--peer-repeats", type=int, default=5, help="of each recolouring by a peer")
    parser.add_argument("--limit-s", type=float, default=300.0, help="seconds after which a peer gives up a step")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=PYTHON", help="a ready environment")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmark/viewer.json"))
    parser.add_argument("--work", type=Path, default=Path("build/bench-viewer"))
    return parser.parse_args(arguments)


def main() -> int:
    """Measure one after another, and write."""
    asked = parse()
    asked.work.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    main_cells = 0
    for num_cells in sorted({*asked.cells, asked.peer_cells}):
        try:
            slide = slide_of(asked.work, num_cells)
            _say(f"napari-spatia on {slide.name}")
            records.append(ours(slide, asked.repeats))
        except Missing as missing:
            if num_cells == asked.peer_cells:
                _say(f"Without our window on {num_cells:,} cells there is nothing to compare: {missing}")
                return 1
            _say(f"{num_cells:,} cells are left out: {missing}")
            records.append({"viewer": f"napari-spatia, {num_cells:,} cells", "missing": str(missing)})
            continue
        if num_cells == asked.peer_cells:
            main_cells = records[-1]["cells"]
    found = {
        "command": _command(asked),
        "cpus": os.cpu_count(),
        "window_px": list(WINDOW_PX),
        "main_cells": main_cells,
        "ours": records,
        "peers": peers(slide_of(asked.work, asked.peer_cells), asked) if asked.peers else [],
    }
    write(found, asked.out)
    print(asked.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
