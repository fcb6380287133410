"""The tables of the viewer benchmark, made from small records."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "bench_viewer"

OURS = json.loads("""{
  "viewer": "napari-spatia", "version": "0.1.0", "napari": "0.9.2", "python": "3.11.7", "cells": 1000000,
  "canvas_px": [1000, 900], "bare_mb": 500, "over_bare_mb": 1400, "steps": {
    "open to cells coloured by a gene": {"p50_ms": 1600, "p95_ms": 1600, "times": 1, "longest_gui_block_ms": 90},
    "recolour by a gene, warm": {"p50_ms": 20, "p95_ms": 59.9, "times": 30, "longest_gui_block_ms": 101},
    "hide or show one category": {"p50_ms": 5, "p95_ms": 7, "times": 30, "longest_gui_block_ms": 2},
    "pan or zoom, 10,000 µm wide": {"p50_ms": 30, "p95_ms": 100, "times": 30, "longest_gui_block_ms": 40},
    "pan or zoom, 400 µm wide": {"p50_ms": 30, "p95_ms": 100.1, "times": 30, "longest_gui_block_ms": 40}
  }}""")
PEER = json.loads("""{
  "viewer": "other", "version": "2.0", "napari": "0.9.1", "python": "3.12.1", "cells": 1000000,
  "canvas_px": [1100, 900], "bare_mb": 600, "over_bare_mb": 2800, "stopped_at": "recolour by a category", "steps": {
    "open to cells coloured by a gene": {"p50_ms": 4000, "p95_ms": 4000, "times": 1, "longest_gui_block_ms": 3000},
    "recolour by a gene, warm": {"p50_ms": 5000, "p95_ms": 9000, "times": 2, "longest_gui_block_ms": 8000,
                                 "gave_up": "after 10 s"},
    "recolour by a category": {"gave_up": "after 10 s"}
  }}""")
SMALL = {**OURS, "cells": 10000, "steps": {"pan or zoom, 1,000 µm wide": OURS["steps"]["pan or zoom, 400 µm wide"]}}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("viewer_table")


def _found(peers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "command": "make bench-viewer",
        "cpus": 2,
        "window_px": [1920, 1100],
        "main_cells": 1000000,
        "ours": [SMALL, OURS],
        "peers": peers,
    }


def _rows(markdown: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("|")]
    return {line[0]: [cell.strip() for cell in line[1:]] for line in lines}


def test_times_stand_beside_the_peers_and_what_is_asked_for(table: ModuleType):
    rows = _rows(table.beside_peers(OURS, [PEER]))
    assert rows["step"] == ["napari-spatia", "longest GUI block", "other", "×", "asked for", "reach"]
    assert rows["open to cells coloured by a gene"] == ["1,600", "90 met", "4,000", "× 2.5", "≤ 1,500 ms", "missed"]
    warm = rows["recolour by a gene, warm"]
    assert warm[:2] == ["20 / 60", "101 missed"]
    assert warm[2:] == ["5,000 / 9,000 (gave up after 10 s, 2 times)", "× 250", "≤ 60 ms", "met"]
    assert rows["pan or zoom, 10,000 µm wide"][-1] == "met"
    assert rows["pan or zoom, 400 µm wide"][-1] == "missed"
    assert rows["longest GUI block of all steps, ms"] == ["101", "", "8,000", "× 79", "≤ 100 ms", "missed"]
    assert rows["resident memory over the bare viewer, MB"] == ["1,400", "", "2,800", "× 2.0", "≤ 1,500 MB", "met"]


def test_a_step_that_a_peer_lacks_has_no_ratio(table: ModuleType):
    whole = {key: value for key, value in PEER.items() if key != "stopped_at"}
    assert _rows(table.beside_peers(OURS, [whole]))["hide or show one category"][2:4] == ["–", "–"]
    assert _rows(table.beside_peers(OURS, [PEER]))["hide or show one category"][2:4] == ["not reached", "–"]


def test_a_step_that_gave_up_at_once_and_one_that_nobody_measured(table: ModuleType):
    rows = _rows(table.beside_peers(OURS, [PEER]))
    assert rows["recolour by a category"] == ["–", "–", "gave up after 10 s", "–", "≤ 60 ms", "not measured"]
    assert rows["hover to card"] == ["–", "–", "not reached", "–", "≤ 20 ms", "not measured"]


def test_a_peer_that_could_not_be_installed_is_said_and_has_no_column(table: ModuleType):
    page = table.page(_found([{"viewer": "absent", "missing": "needs Python ≥ 3.12, which was not found"}]))
    assert _rows(page)["absent"][-1] == "needs Python ≥ 3.12, which was not found"
    beside = page.split("## Growth")[0]
    assert "absent" not in beside and "| napari-spatia | longest GUI block | asked for | reach |" in beside


def test_growth_puts_whole_slides_of_all_sizes_in_one_row(table: ModuleType):
    rows = _rows(table.growth([OURS, SMALL]))
    assert rows["step"] == ["10,000 cells", "1,000,000 cells"]
    assert rows["pan or zoom, whole slide"] == ["30 / 100", "30 / 100"]
    assert rows["hide or show one category"] == ["–", "5.0 / 7.0"]
    assert "pan or zoom, 10,000 µm wide" not in rows
