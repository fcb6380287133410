"""Pictures: colours by stain, common limits, signed difference, marks that are really drawn, whole files."""

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from PIL import Image

from napari_spatia.data import picture
from napari_spatia.data.slide import Raster
from napari_spatia.files import staged_file, staged_folder

CHANNELS = ("DAPI", "boundary", "rna_18S", "aSMA_vimentin")


@pytest.fixture
def cell() -> np.ndarray:
    return np.random.default_rng(3).gamma(2.0, 10.0, (4, 32, 32)).astype(np.float32)


def test_a_known_stain_keeps_its_colour_whatever_its_place():
    straight, turned = picture.channel_colours(CHANNELS), picture.channel_colours(CHANNELS[::-1])
    np.testing.assert_array_equal(straight, turned[::-1])
    assert straight[0].argmax() == 2, "DAPI is blue"
    assert len(np.unique(straight, axis=0)) == 4


def test_many_unknown_channels_all_get_a_colour():
    assert picture.channel_colours([f"marker{i}" for i in range(11)]).shape == (11, 3)


def test_composite_adds_the_channels_within_the_limits():
    image = np.zeros((4, 2, 2), np.float32)
    image[0, 0, 0] = 50.0
    image[3, 1, 1] = 500.0
    shown = picture.composite(image, CHANNELS, np.float32([[0, 100]] * 4))
    assert shown.dtype == np.uint8 and shown.shape == (2, 2, 3)
    np.testing.assert_allclose(shown[0, 0], picture.channel_colours(CHANNELS)[0] * 127.5, atol=1)
    np.testing.assert_allclose(shown[1, 1], picture.channel_colours(CHANNELS)[3] * 255, atol=1)
    assert not shown[0, 1].any()


def test_limits_of_a_flat_channel_do_not_divide_by_zero(cell: np.ndarray):
    cell[2] = 7.0
    limits = picture.display_limits(cell)
    assert (limits[:, 1] > limits[:, 0]).all()
    assert np.isfinite(picture.normalised(cell, limits)).all()


def test_difference_is_black_where_equal_and_signed_elsewhere(cell: np.ndarray):
    limits = picture.display_limits(cell)
    assert not picture.difference(cell, cell, limits).any()
    brighter = cell.copy()
    brighter[:, 4, 4] += 100.0
    red, _, blue = picture.difference(cell, brighter, limits)[4, 4].astype(int)
    assert red > blue
    red, _, blue = picture.difference(brighter, cell, limits)[4, 4].astype(int)
    assert blue > red


def test_scale_bar_has_the_length_it_names():
    bar = picture.with_scale_bar(np.zeros((256, 256, 3), np.uint8), um_per_px=0.08, length_um=5.0)
    lowest = bar[np.flatnonzero(bar.any(axis=(1, 2)))[-1]]
    assert abs(np.count_nonzero(lowest.all(axis=1)) * 0.08 - 5.0) < 0.2


def test_mark_and_row_change_the_pixels(cell: np.ndarray):
    shown = picture.enlarge(picture.composite(cell, CHANNELS), 8)
    marked = picture.with_counterfactual_mark(shown)
    assert marked.shape == shown.shape and (marked != shown).any()
    row = picture.panel_row([picture.TitledPicture(f"picture {i}", shown) for i in range(5)], columns=3)
    assert row.shape[1] > 3 * shown.shape[1] and row.shape[0] > 2 * shown.shape[0]


def test_png_keeps_its_notes(cell: np.ndarray, tmp_path: Path):
    path = picture.save_picture(picture.composite(cell, CHANNELS), tmp_path / "new" / "cell.png", {"Comment": "µm"})
    assert Image.open(path).text["Comment"] == "µm"
    assert [item.name for item in path.parent.iterdir()] == ["cell.png"]


def test_a_file_or_folder_that_fails_leaves_the_old_one(tmp_path: Path):
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    file.write_text("old")
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(KeyboardInterrupt), staged_file(file) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), staged_folder(folder) as staged:
        (staged / "half").touch()
        raise KeyboardInterrupt
    assert file.read_text() == "old"
    assert [item.name for item in folder.iterdir()] == ["old"]
    with staged_folder(folder) as staged:
        (staged / "new").touch()
    assert [item.name for item in folder.iterdir()] == ["new"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.txt", "b"]


def test_limits_of_a_large_slide_without_coarse_levels_read_a_few_windows():
    """The same as from all of it where the tissue is alike, without reading more than a small part."""
    read = []

    def block(block_info=None):
        (c, y, x) = block_info[None]["chunk-location"]
        read.append((y, x))
        return np.random.default_rng((c, y, x)).integers(0, 200, (1, 512, 512), dtype=np.uint16) + np.uint16(100 * c)

    level = da.map_blocks(block, chunks=((1, 1), (512,) * 12, (512,) * 12), dtype=np.uint16, meta=np.zeros((0, 0, 0)))
    read.clear()
    limits = picture.slide_limits(Raster((level,), 0.5), high=99.0)
    assert len(set(read)) <= 36, "of 144 chunks"
    np.testing.assert_allclose(limits, [[1.5, 197.5], [101.5, 297.5]], atol=3)
