import shutil

import numpy as np
import pytest

from napari_spatia.data.store import copy_store
from napari_spatia.session import bounding
from napari_spatia.session.session import Session


@pytest.fixture
def session(slide_with_transcripts, fake_backend, tmp_path, monkeypatch):
    """120 cells of a simulated slide with a polygon each."""
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(slide_with_transcripts)
    return session


def around(session, row, half_um=1.0):
    y, x = session.slide.centers_um[row]
    return (y - half_um, x - half_um, y + half_um, x + half_um)


def test_polygons_of_the_cells_in_view_follow_it_once_asked_for(session):
    session.see(around(session, 0))
    assert session.state.polygons is None
    session.show_polygons(True)
    seen = set(session.state.polygons.cells.tolist())
    apart = np.abs(session.slide.centers_um - session.slide.centers_um[0]).max(axis=1)
    assert seen == set(np.flatnonzero(apart <= 1.0 + bounding.MARGIN_UM)) and 0 in seen and len(seen) < 120
    other = int(np.argmax(apart))
    session.see(around(session, other))
    assert other in session.state.polygons.cells and 0 not in session.state.polygons.cells
    session.see((-900.0, -900.0, -800.0, -800.0))
    assert session.state.polygons is None
    session.see(around(session, 0))
    session.show_polygons(False)
    assert session.state.polygons is None
    session.see(around(session, 1))
    assert session.state.polygons is None


def test_there_are_none_where_too_many_cells_are_in_view(session, monkeypatch):
    monkeypatch.setattr(bounding, "MOST_OUTLINED", 5)
    session.see(session.slide.image.extent_um)
    session.show_polygons(True)
    assert session.state.polygons is None and "Zoom in" in session.state.notice.text
    assert not session.state.notice.is_error and session.state.polygons_shown


def test_a_slide_without_polygons_says_so_and_switches_off(session, tmp_path):
    bare = copy_store(session.slide.path, tmp_path / "bare.zarr")
    shutil.rmtree(bare / "shapes" / "cell_boundaries")
    session.open(bare)
    session.show_polygons(True)
    assert not session.state.polygons_shown and session.state.notice.is_error
    assert "Slide 'bare' has no polygons of its cells" in session.state.notice.text


def test_the_next_slide_gets_its_own(session, slide_with_transcripts):
    session.see(session.slide.image.extent_um)
    session.show_polygons(True)
    assert len(np.unique(session.state.polygons.cells)) == 120
    session.open(slide_with_transcripts)
    assert session.state.polygons is None
    session.see(session.slide.image.extent_um)
    assert len(np.unique(session.state.polygons.cells)) == 120
