"""Slide and Raster: sizes, extents, and finding a cell."""

from pathlib import Path

import dask.array as da
import pytest

from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Raster
from napari_spatia.errors import CellError


def test_a_raster_s_sizes() -> None:
    raster = Raster((da.zeros((2, 100, 60)), da.zeros((2, 50, 30)), da.zeros((2, 25, 15))), 0.5, (10.0, 20.0))
    assert raster.shape_px == (100, 60)
    assert raster.levels_um_per_px == (0.5, 1.0, 2.0)
    assert raster.extent_um == (10.0, 20.0, 60.0, 50.0)


def test_a_cell_is_found_by_its_id_or_named_in_the_error(slide_path: Path) -> None:
    slide = open_slide(slide_path)
    assert slide.num_cells == 42 and slide.cell_idx("id041") == 41
    with pytest.raises(CellError, match=r"Cell 'nope' is not on slide 'slide' \(42 cells, such as 'id000'\)"):
        slide.cell_idx("nope")
