"""Pictures into a file: whole, in order, the same in any chunk."""

import numpy as np
import pytest

from napari_spatia.errors import Cancelled, CellError
from napari_spatia.inference import generate
from napari_spatia.inference.generate import generate_to_npz


def test_the_file_holds_what_the_contract_says(bound, tmp_path):
    slide = bound.slide
    with np.load(generate_to_npz(bound, tmp_path / "new" / "cells.npz", samples=2)) as found:
        assert sorted(found.files) == ["cell_id", "channels", "images", "masks", "um_per_px"]
        assert (found["cell_id"] == slide.cell_id).all()
        assert found["images"].shape == (150, 2, len(slide.channels), 16, 16)
        assert found["images"].dtype == np.float32
        assert found["masks"].shape == (150, 2, 16, 16) and found["masks"].dtype == bool and found["masks"].all()
        assert tuple(found["channels"]) == slide.channels
        assert found["um_per_px"] == 0.32


def test_named_cells_come_in_their_order_and_chunks_do_not_matter(bound, tmp_path, monkeypatch):
    names = [str(bound.slide.cell_id[i]) for i in (9, 2, 77, 30, 31)]
    with np.load(generate_to_npz(bound, tmp_path / "whole.npz", names)) as found:
        whole, cells = found["images"], found["cell_id"]
    monkeypatch.setattr(generate, "CELLS_AT_ONCE", 2)
    with np.load(generate_to_npz(bound, tmp_path / "parts.npz", names)) as found:
        assert (found["images"] == whole).all()
    assert cells.tolist() == names
    assert bound.generated == [5, 2, 2, 1]


@pytest.mark.parametrize(("cells", "message"), [(["cell-x"], "'cell-x'"), ([], "No cell was named")])
def test_a_wrong_cell_is_said(bound, tmp_path, cells, message):
    with pytest.raises(CellError, match=message):
        generate_to_npz(bound, tmp_path / "cells.npz", cells)


def test_cancelling_leaves_nothing(bound, tmp_path):
    def cancel(fraction, doing):
        if fraction > 0.9:
            raise Cancelled

    with pytest.raises(Cancelled):
        generate_to_npz(bound, tmp_path / "out" / "cells.npz", progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_shuffling_gives_other_cells_expression(bound, tmp_path):
    library = np.asarray(bound.slide.counts.sum(axis=1)).ravel()
    with np.load(generate_to_npz(bound, tmp_path / "shuffled.npz", shuffle=True, samples=4)) as found:
        drawn = found["images"].mean(axis=(1, 2, 3, 4))
    assert np.corrcoef(drawn, library)[0, 1] < 0.5
    assert np.allclose(np.sort(drawn), np.sort(library), atol=1)
