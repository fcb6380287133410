import json
import os
import signal
import subprocess
import sys

import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.session.annotations import Annotations, Journal
from napari_spatia.session.sidecar import sidecar_folder

RED = (255, 0, 0)


def test_classes_get_number_keys_in_order():
    annotations = Annotations()
    for number in range(10):
        annotations = annotations.with_class(f"class {number}", RED)
    assert [entry.key for entry in annotations.classes] == [*"123456789", ""]


def test_unknown_class_is_named_with_what_there_is():
    with pytest.raises(SpatiaError, match="no annotation class 'b'. Classes: a"):
        Annotations().with_class("a", RED).with_cell("cell-1", "b")
    with pytest.raises(SpatiaError, match="needs a name"):
        Annotations().with_class("  ", RED)


def test_journal_replays_and_drops_a_torn_last_line(tmp_path):
    journal = Journal(tmp_path / "folder" / "journal.jsonl")
    annotations = Annotations().with_class("mast", RED)
    journal.add_class(annotations.classes[0])
    journal.add_cell("cell-1", "mast")
    journal.add_cell("cell-2", "mast")
    journal.add_cell("cell-1", None)
    with journal.path.open("ab") as file:
        file.write(b'{"do": "assign", "ce')
    expected = annotations.with_cell("cell-2", "mast")
    assert journal.replay(Annotations()) == expected
    journal.add_cell("cell-3", "mast")
    assert journal.replay(Annotations()) == expected.with_cell("cell-3", "mast")
    assert all(json.loads(line) for line in journal.path.read_text().splitlines())


def test_many_cells_are_one_line_that_is_there_whole_or_not_at_all(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    annotations = Annotations().with_class("mast", RED).with_class("duct", RED).with_cell("cell-0", "duct")
    for entry in annotations.classes:
        journal.add_class(entry)
    journal.add_cell("cell-0", "duct")
    changes = {"cell-0": None, "cell-1": "mast", "cell-2": "duct"}
    journal.add_cells(changes)
    assert journal.path.read_bytes().count(b"\n") == 4
    assert journal.replay(Annotations()) == annotations.with_cells(changes)
    journal.path.write_bytes(journal.path.read_bytes()[:-2])
    assert journal.replay(Annotations()) == annotations
    with pytest.raises(SpatiaError, match="no annotation class 'b'"):
        annotations.with_cells({"cell-1": "b"})


def test_restart_keeps_classes_only(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    annotations = Annotations().with_class("mast", RED).with_cell("cell-1", "mast")
    journal.restart(annotations)
    assert journal.replay(Annotations()) == Annotations().with_class("mast", RED)


def test_kill_loses_no_click(tmp_path):
    path = tmp_path / "journal.jsonl"
    script = f"""
from pathlib import Path
from napari_spatia.session.annotations import AnnotationClass, Journal
journal = Journal(Path({str(path)!r}))
journal.add_class(AnnotationClass("mast", (1, 2, 3), "1"))
number = 0
while True:
    journal.add_cell(f"cell-{{number}}", "mast")
    print(number, flush=True)
    number += 1
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    confirmed = [int(process.stdout.readline()) for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    replayed = Journal(path).replay(Annotations())
    assert {f"cell-{number}" for number in confirmed} <= set(replayed.assigned)


def test_kill_loses_no_choice_that_was_annotated(tmp_path):
    path = tmp_path / "journal.jsonl"
    script = f"""
from pathlib import Path
from napari_spatia.session.annotations import AnnotationClass, Journal
journal = Journal(Path({str(path)!r}))
journal.add_class(AnnotationClass("mast", (1, 2, 3), "1"))
number = 0
while True:
    journal.add_cells(dict.fromkeys((f"cell-{{number}}-{{idx}}" for idx in range(2000)), "mast"))
    print(number, flush=True)
    number += 1
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    confirmed = [int(process.stdout.readline()) for _ in range(10)]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assigned = Journal(path).replay(Annotations()).assigned
    assert {f"cell-{number}-{idx}" for number in confirmed for idx in range(2000)} <= set(assigned)
    assert len(assigned) % 2000 == 0, "a line that was cut short counts for none of its cells"


def test_sidecar_lies_beside_a_slide_or_in_the_persons_folder(tmp_path, monkeypatch):
    slide = tmp_path / "a.zarr"
    assert sidecar_folder(slide) == tmp_path / ".a.zarr.spatia"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    elsewhere = sidecar_folder(slide)
    assert tmp_path not in elsewhere.parents and elsewhere == sidecar_folder(slide)
    assert elsewhere != sidecar_folder(tmp_path / "b" / "a.zarr")
