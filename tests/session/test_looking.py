"""Looking closely: the cell under the mouse, and the way to a cell."""

import threading

import dask.array as da
import numpy as np
import pytest

import app_fakes
from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.data.slide import Raster
from napari_spatia.errors import CellError
from napari_spatia.session.cell_ids import CellIds
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.pointing import LabelPixels
from napari_spatia.session.session import Session

IN_CELL_1, IN_CELL_6, BETWEEN = (4.0, 12.0), (12.0, 20.0), (0.2, 0.2)


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


def test_hover_tells_what_is_known_and_changes_nothing(session):
    before = session.state.hovered, session.state.selected
    session.colour_by("gene:GENE0")
    hovered = session.hover(*IN_CELL_6)
    assert (session.state.hovered, session.state.selected) == before
    assert hovered.card.cell_id == "cell-6" and hovered.card.known_type == "acinar" and hovered.card.cell_type is None
    assert (hovered.title, hovered.value) == ("GENE0 (counts)", 6.0)
    assert hovered.card.total_counts == int(session.slide.counts[6].sum())
    assert session.hover(*BETWEEN) is None and session.hover(-5.0, 1e6) is None


def test_the_value_is_that_of_every_key_the_cells_can_be_coloured_by(session):
    session.load_checkpoint("fake")
    session.predict()
    for choice in session.colour_choices():
        session.colour_by(choice.key)
        values = session._values().read(choice.key)
        hovered = session.hover(*IN_CELL_6)
        if choice.key in ("type", "confidence", "annotation", "obs:cell_type"):
            assert hovered.value is None, "the card says so already"
        elif values.categories is None:
            assert hovered.value == pytest.approx(float(values.data[6])), choice.key
        else:
            assert hovered.value == values.categories[values.data[6]], choice.key
    session.colour_by("normalised:GENE2")
    assert session.hover(*IN_CELL_6).value == pytest.approx(float(session._values().read("normalised:GENE2").data[6]))
    assert session.hover(*IN_CELL_6).card.confidence == pytest.approx(float(session.state.prediction.confidence[6]))


def test_the_card_comes_and_goes_with_the_mouse(session):
    session.point_at(*IN_CELL_1)
    assert session.state.hovered.card.cell_id == "cell-1"
    assert session.still_on(4.2, 12.4) and not session.still_on(*IN_CELL_6) and not session.still_on(*BETWEEN)
    session.point_at(*BETWEEN)
    assert session.state.hovered is None
    session.point_at(*IN_CELL_1)
    session.show_hover(False)
    assert session.state.hovered is None
    session.point_at(*IN_CELL_1)
    assert session.state.hovered is None, "switched off"


def test_another_slide_takes_the_card_away(session, tmp_path):
    session.point_at(*IN_CELL_1)
    session.show(app_fakes.make_slide(tmp_path / "other.zarr", grid=3))
    assert session.state.hovered is None


def test_labels_on_disk_are_read_in_the_background_and_only_once(small_slide, fake_backend, tmp_path, monkeypatch):
    delivered, reads = [], []
    jobs = ThreadJobs(delivered.append)
    session = Session(jobs, fake_backend, tmp_path / "sidecar")
    session.show(small_slide)
    assert jobs.wait(10)
    while delivered:
        delivered.pop(0)()
    label_at = session.opened.label_at
    read = LabelPixels.read

    def noted(y_um, x_um):
        if not label_at.in_memory(y_um, x_um):
            reads.append(threading.current_thread().name)
        return read(label_at, y_um, x_um)

    monkeypatch.setattr(LabelPixels, "read", lambda self, y_um, x_um: noted(y_um, x_um))
    session.point_at(*IN_CELL_1)
    assert session.state.hovered is None, "not read here"
    assert jobs.wait(10) and reads == ["spatia-hover"]
    while delivered:
        delivered.pop(0)()
    assert session.state.hovered.card.cell_id == "cell-1"
    session.point_at(*IN_CELL_6)
    assert session.state.hovered.card.cell_id == "cell-6", "the chunk is in memory: at once"
    jobs.close()


def test_pixels_agree_with_the_labels_in_any_chunks():
    labels = np.arange(70 * 50).reshape(70, 50)
    raster = Raster((da.from_array(labels, chunks=((30, 40), (16, 16, 18))),), um_per_px=0.5, origin_um=(10.0, 20.0))
    pixels = LabelPixels(raster, ChunkedPixels(raster.levels[0], KeptChunks()))
    for y, x in np.random.default_rng(0).integers(0, (70, 50), (200, 2)):
        assert pixels.read(10 + 0.5 * (y + 0.5), 20 + 0.5 * (x + 0.5)) == labels[y, x]
    assert pixels.read(9.9, 30.0) == 0 and pixels.read(45.01, 30.0) == 0
    assert pixels.in_memory(9.9, 30.0)


def test_cells_are_found_by_a_part_of_their_id_at_most_twenty():
    ids = CellIds(np.array([f"{'Ab' if row % 2 else 'xab'}-{row:04d}" for row in range(3000)]))
    assert ids.find("00") == (), "fewer than three letters"
    assert ids.find("AB-12")[:2] == ("Ab-1201", "Ab-1203"), "those that begin with it come first"
    assert len(ids.find("ab-")) == 20 and len(set(ids.find("ab-1"))) == 20
    assert ids.find("b-2999") == ("Ab-2999",) and ids.find(" xab-0000 ") == ("xab-0000",)
    assert ids.find("nothing") == () and ids.find("0\nx") == ()


def test_going_to_a_cell_selects_it_and_moves_the_view(session):
    session.go_to_cell("cell-6")
    assert session.state.selected == "cell-6" and session.state.goal.center_um == (12.0, 20.0)
    goals = []
    session.state.events.goal.connect(goals.append)
    session.go_to_cell("cell-6")
    assert len(goals) == 1, "again, though it is the same place"


def test_a_part_of_an_id_is_enough_where_one_cell_has_it(session):
    session.go_to_cell("ELL-15")
    assert session.state.selected == "cell-15"
    session.go_to_cell("CELL-1")
    assert session.state.selected == "cell-1", "a whole id in another case"
    with pytest.raises(CellError, match="more than one cell id: cell-0, cell-1"):
        session.go_to_cell("cell-")
    with pytest.raises(CellError, match="such as 'cell-0'"):
        session.go_to_cell("nobody")
    assert session.state.selected == "cell-1"


def test_genes_of_the_view_follow_the_window(session):
    assert session.genes_of_view((-1.0, -1.0, 99.0, 99.0)) == (), "all cells are in view"
    assert session.genes_of_view((90.0, 90.0, 99.0, 99.0)) == (), "no cell is"
    bottom = session.genes_of_view((24.0, 0.0, 32.0, 32.0))
    assert bottom[0] == "GENE0" and len(bottom) <= 12 and session.state.view_genes == ()
    session.show_view_genes()
    assert session.state.view_genes == (), "nobody has looked yet"
    session.see((24.0, 0.0, 32.0, 32.0))
    session.show_view_genes()
    assert session.state.view_genes == bottom


def test_another_slide_has_other_genes_of_the_view(session, tmp_path):
    session.see((24.0, 0.0, 32.0, 32.0))
    session.show_view_genes()
    session.show(app_fakes.make_slide(tmp_path / "other.zarr", grid=3))
    assert session.state.view_genes == ()
