import numpy as np
import pytest
from PIL import Image

from napari_spatia.errors import SpatiaError
from napari_spatia.session import legend_picture
from napari_spatia.session.colour import COLORMAP, LegendRow, Lookup, colormap_lut
from napari_spatia.session.legend_picture import legend_panel, with_legend
from napari_spatia.session.session import Session

NONE = np.zeros((0, 4), np.uint8)
PICTURE = np.full((480, 200, 3), 7, np.uint8)


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


def has(panel, colour):
    """Number of pixels of exactly this colour."""
    return int((panel == np.array(colour)).all(axis=-1).sum())


def categories(*rows):
    return Lookup("type", "Type", NONE, tuple(LegendRow(*row) for row in rows))


def test_the_picture_stays_as_it_is_beside_the_legend():
    whole = with_legend(PICTURE, categories(("a", (200, 0, 0), 5)))
    assert whole.dtype == np.uint8 and whole.shape[0] == 480 and whole.shape[1] > 250
    assert np.array_equal(whole[:, :200], PICTURE)


def test_painted_categories_have_squares_and_hidden_ones_do_not():
    panel = legend_panel(categories(("a", (200, 0, 0), 5), ("b", (0, 200, 0), 3), ("c", (0, 0, 200), 1, False)), 480)
    assert has(panel, (200, 0, 0)) == has(panel, (0, 200, 0)) == 13 * 13
    assert has(panel, (0, 0, 200)) == 0


def test_what_does_not_fit_is_counted(monkeypatch):
    said, text = [], legend_picture._text
    monkeypatch.setattr(legend_picture, "_text", lambda words, letters: said.append(words) or text(words, letters))
    rows = [(f"cluster {n}", (n + 100, 0, 0), n) for n in range(100)]
    panel = legend_panel(categories(*rows), 480, "12 of 600 cells pass")
    drawn = sum(has(panel, colour) > 0 for _, colour, _ in rows)
    assert 10 < drawn < 30 and f"and {100 - drawn} more" in said
    assert said[0] == "Type" and "12 of 600 cells pass" in said
    assert not (panel[-13:] != panel[0, 0]).any(), "nothing is cut off below"


def test_a_long_name_does_not_make_the_legend_as_wide_as_the_view():
    short = legend_panel(categories(("a" * 36, (1, 2, 3), 1)), 480)
    assert legend_panel(categories(("a" * 300, (1, 2, 3), 1)), 480).shape[1] < short.shape[1] * 1.2


def test_numbers_have_a_colour_bar_from_end_to_end():
    panel = legend_panel(Lookup("gene:A", "A (counts)", NONE, (), (0.0, 9.0), (0.0, 4.0)), 480)
    lut = colormap_lut(COLORMAP)
    row = next(y for y in range(480) if has(panel[y : y + 1], lut[0]) and has(panel[y : y + 1], lut[255]))
    places = [int(np.flatnonzero((panel[row] == lut[idx]).all(axis=-1)).mean()) for idx in (0, 128, 255)]
    assert places == sorted(places) and places[2] - places[0] > 100


def test_blended_genes_have_a_bar_each():
    rows = (
        LegendRow("A", (255, 0, 255), 5, True, (0.0, 3.0)),
        LegendRow("B", (0, 255, 0), 5, True, (0.0, 7.0)),
        LegendRow("C", (0, 255, 255), 5, False, (0.0, 7.0)),
    )
    panel = legend_panel(Lookup("genes:A,B,C", "A + B + C", NONE, rows), 480)
    assert has(panel, (255, 0, 255)) and has(panel, (0, 255, 0)) and not has(panel, (0, 255, 255))


def test_a_picture_is_written_with_the_legend_or_without(session, tmp_path):
    session.save_picture(PICTURE, tmp_path / "plain.png", legend=False)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "plain.png")), PICTURE)
    session.filter_by("gene:GENE0", low=8)
    session.save_picture(PICTURE, tmp_path / "view.png")
    written = Image.open(tmp_path / "view.png")
    pixels = np.asarray(written)
    assert all(has(pixels[:, 200:], row.colour) for row in session.state.lookup.legend)
    assert written.text == {"slide": "small", "cells coloured by": "cell_type"}
    assert session.state.exported == (tmp_path / "view.png",) and "view.png" in session.state.notice.text
    session.colour_by(None)
    session.save_picture(PICTURE, tmp_path / "uncoloured.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "uncoloured.png")), PICTURE)


def test_a_place_that_cannot_be_written_is_said(session, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpatiaError, match="Cannot write"):
        session.save_picture(PICTURE, tmp_path / "file" / "view.png")
