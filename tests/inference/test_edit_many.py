"""One edit of many cells draws what the same edit of each draws alone."""

import numpy as np
import pytest

from napari_spatia.errors import Cancelled, SpatiaError
from napari_spatia.inference.edit_many import CELLS_AT_ONCE, edit_cells
from napari_spatia.inference.edits import Edit, NicheEdit
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.resolve import EditResolver

EDITS = (
    Edit((("GENE5", 2.0),)),
    Edit((("GENE5", 1.0), ("towards:T_cell", 0.5)), coexpressed=True),
    Edit((), niche=NicheEdit.parse("remove")),
)


@pytest.fixture(scope="module")
def bound(tiny_predictor, grid_slide):
    return tiny_predictor.bind(grid_slide)


@pytest.mark.parametrize("edit", EDITS, ids=["gene", "completed", "niche"])
def test_each_cell_is_drawn_as_it_is_alone(bound, edit):
    editor, resolver = CellEditor(bound), EditResolver(bound)
    rows = np.arange(3, 3 + 2 * CELLS_AT_ONCE + 1, dtype=np.int64)
    drawn = edit_cells(bound, resolver, rows, edit, {}, nfe=2)
    assert len(drawn.after) == len(rows) and drawn.channels == bound.predictor.info.channels
    spread = float(np.ptp(drawn.before))
    for number in (0, CELLS_AT_ONCE, len(rows) - 1):
        cell = editor.select(str(bound.slide.cell_id[rows[number]]), 2)
        resolved = resolver.resolve(int(rows[number]), edit, {})
        alone = editor.render(cell, resolved.log2_fc, resolved.around)
        assert np.abs(drawn.before[number] - cell.zero_edit).max() < 1e-3 * spread
        assert np.abs(drawn.after[number] - alone.image).max() < 1e-3 * spread
        assert np.array_equal(drawn.was_cell[number], cell.mask)
        assert np.abs(drawn.mask[number] - alone.mask).max() < 1e-3
    assert np.abs(drawn.after - drawn.before).max() > 1e-3 * spread, "the edit changes pixels"


def test_it_stops_within_a_batch_and_names_what_is_unknown(bound):
    resolver = EditResolver(bound)

    told = []

    def stop(fraction: float, doing: str) -> None:
        told.append(doing)
        if len(told) > 3:  # both batches have been read, and one is being inverted
            raise Cancelled("apply")

    rows = np.arange(2 * CELLS_AT_ONCE, dtype=np.int64)
    with pytest.raises(Cancelled):
        edit_cells(bound, resolver, rows, EDITS[0], {}, nfe=1, progress=stop)
    assert len(told) <= 5 and set(told) == {f"drawing 0 of {len(rows)} cells"}, "each batch ends where it is told to"
    with pytest.raises(SpatiaError, match="NOPE"):
        edit_cells(bound, resolver, rows, Edit((("NOPE", 1.0),)), {}, nfe=1)
