"""Colours of categories can be told apart."""

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_spatia.data.colors import from_hex, palette_color


def test_sixty_categories_in_one_legend_can_be_told_apart():
    lab = rgb2lab(np.array([[palette_color(idx) for idx in range(60)]]) / 255)[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None, :])[~np.eye(60, dtype=bool)]
    assert apart.min() > 9  # 2 is what a trained eye sees side by side
    assert lab[:, 0].min() > 35, "none is lost on a dark canvas"
    assert palette_color(256) == palette_color(0)


def test_hex_is_read_with_and_without_alpha():
    assert from_hex("#0a10ff") == from_hex("0a10ff80") == (10, 16, 255)
