"""A preview in one call says what is said step by step, or is not used."""

import numpy as np
import pytest
import torch

from napari_spatia.batching.tensors import gene_tokens
from napari_spatia.inference import drawing
from napari_spatia.inference.drawing import Drawn, draw_cells, one_call
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.predictor import PREVIEW_NFE, Predictor
from napari_spatia.model.inputs import Rows


@pytest.fixture
def bound(grid_slide, tiny_predictor):
    return tiny_predictor.bind(grid_slide)


def read(bound, cell: int) -> drawing.Read:
    rows = np.array([cell])
    return bound.genes_of(rows), bound.around(rows), torch.from_numpy(bound.noise(cell, 0)[None])


def same(one: Drawn, other: Drawn) -> bool:
    return all(torch.equal(*pair) for pair in zip(tensors_of(one), tensors_of(other), strict=True))


def tensors_of(rows: Rows) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    rows.map(lambda tensor: found.append(tensor) or tensor)
    return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_call_has_the_bits_of_every_step(bound, precision):
    model = Predictor.load(bound.predictor.info.path, "cpu", precision).model
    traced = one_call(model, precision, PREVIEW_NFE)
    assert traced.__name__ == "at_once"
    for cell in (0, 7, 21):
        asked = read(bound, cell)
        assert same(traced(asked), draw_cells(model, precision, asked, PREVIEW_NFE))
    nothing = bound.values[:1].copy()
    nothing.data[:] = 0
    nothing.eliminate_zeros()
    _, around, white = read(bound, 0)
    asked = gene_tokens(nothing), around, white
    assert same(traced(asked), draw_cells(model, precision, asked, PREVIEW_NFE))


def test_a_cell_alone_is_previewed_in_one_call(bound, monkeypatch):
    calls = []
    inside = bound.predictor.preview
    monkeypatch.setitem(bound.predictor.__dict__, "preview", lambda asked: calls.append(1) or inside(asked))
    editor = CellEditor(bound)
    cell = editor.preview("cell-3")
    assert len(calls) == 1 and np.array_equal(editor.render(cell, {}).image, cell.zero_edit)
    refined = editor.select("cell-3")
    before = len(calls)
    editor.render(refined, {"GENE3": 1.0})
    editor.render(cell, {"GENE3": 1.0}, merge_ratio=0.5)
    assert len(calls) == before == 2


@pytest.mark.parametrize("fails", ["to trace", "to agree"])
def test_what_cannot_be_traced_is_drawn_step_by_step(bound, monkeypatch, fails):
    def broken(module, example, check_trace):
        if fails == "to trace":
            raise RuntimeError("gone")
        return lambda *tensors: tuple(tensor + 1 for tensor in module(*tensors))

    monkeypatch.setattr(torch.jit, "trace", broken)
    monkeypatch.setattr(torch.jit, "freeze", lambda traced: traced)
    drawn = one_call(bound.model, "float32", PREVIEW_NFE)
    assert drawn.__name__ == "step_by_step"
    asked = read(bound, 3)
    found = drawn(asked)
    assert isinstance(found, Drawn) and same(found, draw_cells(bound.model, "float32", asked, PREVIEW_NFE))
