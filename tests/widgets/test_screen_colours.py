"""The colours on the screen are those of the cells' values, whatever their labels. Needs OpenGL."""

import numpy as np
import pytest

from napari_spatia.benchmark.grid_slide import Ids, write_grid_slide
from napari_spatia.widgets.driving import Driver
from napari_spatia.widgets.launch import start

pytestmark = pytest.mark.gl

ROUNDING = 3
"""Levels of 255 by which a drawn colour may differ from the colour asked for."""
NUM_CELLS = 1600
SLIDE_UM = 400.0
WINDOWS = (1, 2, 3)
"""How many windows side by side cover the slide: three zoom levels."""


def drawn_and_wanted(driver, windows):
    """`(n, 3)` each: colours on the canvas at the centres of all cells that have a row, and those of their values."""
    session, width_um = driver.session, SLIDE_UM / windows
    rgba, centers = session.state.lookup.rgba, session.slide.centers_um
    drawn = np.full((len(rgba), 3), -1)
    for row in range(windows):
        for column in range(windows):
            corner = np.array([row, column]) * width_um
            driver.look_at(*(corner + width_um / 2), width_um)
            pixels = driver.viewer.screenshot(canvas_only=True, flash=False)[..., :3]
            inside = np.flatnonzero(((centers >= corner) & (centers < corner + width_um)).all(axis=1))
            for cell_idx in inside:
                place = driver.place_of(*centers[cell_idx])
                drawn[cell_idx] = pixels[place.y(), place.x()]
    assert (drawn >= 0).all(), "every cell was on the screen"
    return drawn, rgba[:, :3].astype(int)


@pytest.mark.parametrize(
    "ids",
    [Ids(), Ids(5, 7), Ids(2**31 + 3, 11, missing=9), Ids(2**33, 2**20)],
    ids=["1 to n", "gaps", "beyond 2^31, rows missing", "beyond 2^33"],
)
def test_cells_on_the_screen_have_the_colours_of_their_values(ids, tmp_path, qtbot):
    write_grid_slide(tmp_path / "grid.zarr", NUM_CELLS, ids=ids)
    driver = Driver(start(tmp_path / "grid.zarr", None, {}, tmp_path / "sidecar"))
    session = driver.session
    driver.until(lambda: session.state.lookup is not None, "opening")
    session.state.opacity = 1.0
    assert session.slide.num_cells == NUM_CELLS - (0 if ids.missing is None else -(-NUM_CELLS // ids.missing))
    keys = ("gene:GENE40", "obs:cell_type") if ids == Ids() else ("gene:GENE40",)
    for key in keys:
        session.colour_by(key)
        driver.until(lambda key=key: session.state.lookup.key == key, "colouring")
        for windows in WINDOWS:
            drawn, wanted = drawn_and_wanted(driver, windows)
            assert len(drawn) >= 1000 and len(np.unique(wanted, axis=0)) > 3
            assert np.abs(drawn - wanted).max() <= ROUNDING, (key, windows)
    driver.close()
