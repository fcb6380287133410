"""An editor that draws the very neighbours that it was given scores full marks; one that leaves them scores none."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_spatia.benchmark import edit_check
from napari_spatia.benchmark.edit_check import EditCheck
from napari_spatia.benchmark.niche_check import REMOVED, NicheCheck, summary
from napari_spatia.inference.predictor import Predictor


@pytest.fixture(scope="module")
def bound(slide):
    return Predictor.load("sim-small", "cpu").bind(slide)


@pytest.fixture
def check_with(bound, simulation, monkeypatch):
    """A `NicheCheck` whose editor draws the true picture, ``moved`` or as if nothing had been edited."""

    def make(moved):
        class Editor:
            def __init__(self, bound):
                self.bound = bound

            def select(self, cell_id):
                return SimpleNamespace(cell_id=cell_id, cell_idx=bound.slide.cell_idx(cell_id))

            def render(self, cell, log2_fc, around):
                assert not log2_fc
                taken = {} if around is None or not moved else check._taken(cell.cell_idx, around)
                drawn = simulation.surrounded(taken).draw(cell.cell_id, {})
                mask = (drawn.owner == cell.cell_idx).astype(np.float32)
                return SimpleNamespace(image=drawn.image.astype(np.float32), mask=mask)

        monkeypatch.setattr(edit_check, "CellEditor", Editor)
        check = NicheCheck(EditCheck(bound, simulation))
        return check

    return make


def test_an_editor_that_follows_its_neighbours_and_one_that_does_not(check_with):
    check = check_with(moved=True)
    assert check.edits[0] == REMOVED and len(check.edits) == 1 + len(set(check.check.types))
    cells = check.check.choose_cells(3, seed=0)
    found = json.loads(json.dumps(summary(check.edits, check.run(cells))))
    for kind in ("replaced", "removed"):
        together = found[kind]["around"]["together"]["model"]
        assert together["correlation"]["value"] == together["correlation_over_cells"]["value"] == 1.0
        assert together["sign_accuracy"]["value"] == 1.0
        size = found[kind]["inside"]["mean_absolute_log2_change"]
        assert size["truth"] == size["model"] > 0
    assert found["replaced"]["around"]["together"]["class_mean"]["correlation"]["value"] < 1
    assert found["removed"]["around"]["together"]["class_mean"]["correlation"]["value"] is None

    still = check_with(moved=False)
    left = summary(still.edits, still.run(cells))["replaced"]
    assert left["around"]["together"]["model"]["sign_accuracy"]["value"] == 0
    assert left["inside"]["mean_absolute_log2_change"]["model"] == 0


def test_each_neighbour_becomes_the_cell_whose_expression_the_model_reads(check_with, bound):
    check = check_with(moved=True)
    cell_idx = int(check.check.choose_cells(1, seed=0)[0])
    neighbours = bound.surroundings.neighbour[cell_idx]
    neighbours = neighbours[neighbours >= 0]
    cell_type = check.edits[1]
    taken = check._taken(cell_idx, check._edited(cell_idx, cell_type))
    assert set(taken) == {int(row) for row in neighbours if check.check.types[row] != cell_type}
    assert {check.check.types[row] for row in taken.values()} == {cell_type}
    assert check._taken(cell_idx, check._edited(cell_idx, REMOVED)) == dict.fromkeys(map(int, neighbours), -1)
