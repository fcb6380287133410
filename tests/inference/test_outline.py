"""An edited cell's picture is stretched to the outlines that are expected, and nothing else of it moves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data.morphology import half_axes
from napari_spatia.inference.outline import MOST_CHANGE, OutlineStretch

SIZE = 64
Y, X = np.indices((SIZE, SIZE))
AS_IT_IS = torch.tensor([3.0, 2.5, 1.5, 1.0])
CHANGE = st.floats(-0.4, 0.4)


def ellipse(y: float, x: float, long: float, short: float, angle: float) -> np.ndarray:
    along = (X - x) * np.cos(angle) + (Y - y) * np.sin(angle)
    across = (Y - y) * np.cos(angle) - (X - x) * np.sin(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


CELL, NUCLEUS = ellipse(32, 31, 16, 8, 0.5), ellipse(31, 32, 5, 4, 1.2)


def stretched(change: list[float], cell=CELL, nucleus=NUCLEUS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask of the cell, the nucleus as its pixels are covered, a gradient over the picture: after half axes change."""
    stretch = OutlineStretch.of_cell(cell, nucleus, AS_IT_IS)
    drawn = torch.from_numpy(np.stack([cell, nucleus, X / SIZE]).astype(np.float32))[None]
    mask, inner, ground = stretch.apply(drawn, AS_IT_IS + torch.tensor([change]))[0].numpy()
    return mask > 0.5, inner, ground


def change_of(mask: np.ndarray, before: np.ndarray) -> np.ndarray:
    return half_axes(mask, 0.3) - half_axes(before, 0.3)


@settings(max_examples=40, deadline=None)
@given(st.tuples(CHANGE, CHANGE, CHANGE, CHANGE))
def test_outlines_change_as_expected(change):
    mask, nucleus, _ = stretched(list(change))
    assert np.allclose(change_of(mask, CELL), change[:2], atol=0.15)
    # What the cell's own stretch does to the nucleus at its rim is small beside the nucleus's own.
    assert np.log2(nucleus.sum() / NUCLEUS.sum()) == pytest.approx(change[2] + change[3], abs=0.3)
    assert not ((nucleus > 0.5) & ~mask).any()


@settings(max_examples=20, deadline=None)
@given(st.tuples(CHANGE, CHANGE, CHANGE, CHANGE))
def test_the_tissue_away_from_the_cell_stays(change):
    ground = stretched(list(change))[2]
    assert np.abs(ground - X / SIZE)[:4].max() * SIZE < 2.5  # pixels, at the window's edge


def test_no_change_is_the_same_tensor_bit_for_bit():
    stretch = OutlineStretch.of_cell(CELL, NUCLEUS, AS_IT_IS)
    drawn = torch.randn(2, 3, SIZE, SIZE)
    assert stretch.apply(drawn, AS_IT_IS.repeat(2, 1)) is drawn
    one = stretch.apply(drawn, torch.stack([AS_IT_IS, AS_IT_IS + 0.3]))
    assert torch.equal(one[0], drawn[0]) and not torch.equal(one[1], drawn[1])


def test_pictures_of_a_batch_are_stretched_as_alone():
    stretch = OutlineStretch.of_cell(CELL, NUCLEUS, AS_IT_IS)
    drawn, expected = torch.randn(3, 2, SIZE, SIZE), AS_IT_IS + 0.4 * torch.randn(3, 4)
    together = stretch.apply(drawn, expected)
    for row in range(3):
        assert torch.allclose(together[row], stretch.apply(drawn[[row]], expected[[row]])[0], atol=1e-5)


def test_a_cell_without_a_nucleus_stretches_all_the_same():
    mask, _, _ = stretched([0.3, 0.3, 0.5, 0.5], nucleus=np.zeros_like(CELL))
    assert np.allclose(change_of(mask, CELL), 0.3, atol=0.15)


def test_a_cell_of_few_pixels_stays():
    few = np.zeros_like(CELL)
    few[30, 30:33] = True
    mask, _, ground = stretched([0.5, 0.5, 0.5, 0.5], cell=few, nucleus=few)
    assert (mask == few).all() and np.allclose(ground, X / SIZE, atol=1e-6)


def test_a_change_has_an_end():
    at_most, beyond = ([most, most, 0.0, 0.0] for most in (MOST_CHANGE, 5.0))
    assert (stretched(at_most)[0] == stretched(beyond)[0]).all()
