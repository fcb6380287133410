"""Colours of categories can be told apart."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_spatia.data.colors import from_hex, palette_color


@pytest.mark.parametrize(("num", "least"), [(30, 11), (60, 7)])
def test_categories_in_one_legend_can_be_told_apart(num, least):
    lab = rgb2lab(np.array([[palette_color(idx) for idx in range(num)]]) / 255)[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None, :])[~np.eye(num, dtype=bool)]
    assert apart.min() > least  # 2 is what a trained eye sees side by side
    assert lab[:, 0].min() > 35, "none is lost on a dark canvas"
    assert np.hypot(*lab[:, 1:].T).min() > 20, "none looks like a cell without a value"


def test_hex_is_read_with_and_without_alpha():
    assert from_hex("#0a10ff") == from_hex("0a10ff80") == (10, 16, 255)
