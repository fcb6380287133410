import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.errors import Cancelled
from napari_spatia.session.session import Session
from napari_spatia.viewer import read_ahead
from napari_spatia.viewer.overlay import ColourSource, PaintedLevel
from napari_spatia.viewer.read_ahead import MAX_BYTES, ReadAhead, parts_ahead
from napari_spatia.viewer.slide_view import SlideView

SIDES = (8192, 4096, 2048)
CANVAS = (500, 700)


def levels():
    kept = KeptChunks()
    return [ChunkedPixels(da.zeros((side, side), dtype=np.uint8, chunks=256), kept) for side in SIDES]


def shown(data, painted, first_px, last_px):
    """A layer of which the canvas shows these pixels of its finest level."""
    layer = Image(
        [PaintedLevel(level, ColourSource()) for level in data] if painted else data, multiscale=True, rgb=painted
    )
    layer._update_draw(1.0, np.array([first_px, last_px]), CANVAS)
    return layer


@pytest.mark.parametrize("painted", [False, True])
def test_what_moves_of_the_camera_show_is_read(painted):
    data = levels()
    layer = shown(data, painted, (3000, 3000), (4200, 4800))
    assert layer.data_level == 1
    parts = parts_ahead(layer, CANVAS)
    assert [part.level for part in parts] == [data[1], data[2], data[0]]
    for part in parts:
        part.level.keep(part.rows, part.columns)

    def reads_nothing(first_px, last_px):
        """Whether that much is drawn from memory."""
        asked = []
        for level in data:
            level._read = lambda rows, columns: asked.append((rows, columns)) or iter(())
        layer._update_draw(1.0, np.array([first_px, last_px]), CANVAS)
        for level in data:
            del level._read
        return not asked

    middle = np.array([3600, 3900])
    assert reads_nothing((3250, 3400), (4450, 5200)) and layer.data_level == 1
    assert reads_nothing(middle - (240, 340), middle + (240, 340)) and layer.data_level == 0
    assert reads_nothing(middle - (1010, 1410), middle + (1010, 1410)) and layer.data_level == 2
    assert not reads_nothing((0, 0), (480, 680)), "what is far away is not"


def test_ends_of_a_slide_and_of_its_levels_and_other_layers():
    data = levels()
    finest, coarser = parts_ahead(shown(data, False, (0, 0), (480, 680)), CANVAS)
    assert finest.level is data[0] and finest.rows[0] == finest.columns[0] == 0
    assert coarser.level is data[1] and coarser.rows[0] == coarser.columns[0] == 0
    assert coarser.rows[1] < CANVAS[0] and coarser.columns[1] < CANVAS[1]
    whole, finer = parts_ahead(shown(data, False, (0, 0), SIDES[:1] * 2), CANVAS)
    assert (whole.level, whole.rows, whole.columns) == (data[2], (0, SIDES[2]), (0, SIDES[2]))
    assert whole.num_bytes == SIDES[2] ** 2
    assert finer.level is data[1]
    assert [high - low for low, high in (finer.rows, finer.columns)] == [1000, 1400]
    assert not parts_ahead(Image(np.zeros((4, 4))), CANVAS)
    assert not parts_ahead(Image([np.zeros((64, 64)), np.zeros((32, 32))], multiscale=True), CANVAS)


class Kept:
    """Jobs that are kept instead of run."""

    def __init__(self):
        self.kept, self.watcher = [], None

    def submit(self, kind, work, accept, **_):
        self.kept.append((kind, work))

    def cancel(self, kind):
        self.kept.append((kind, None))


@pytest.fixture
def resting(small_slide, fake_backend, tmp_path):
    """A viewer with a slide; its session; what runs when the camera rests."""
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    calls = {}
    ahead = ReadAhead(
        viewer, session, lambda name, ms, call: calls.__setitem__(name, call), lambda: viewer.title == "reading"
    )
    session.show(small_slide)
    for layer in viewer.layers:
        layer.visible = False
    calls.clear()
    yield viewer, session, calls
    ahead.close()
    view.close()


def test_it_reads_when_the_camera_rests_and_stops_when_it_moves(resting, monkeypatch):
    viewer, session, calls = resting
    data = levels()
    viewer.add_layer(shown(data, False, (0, 0), SIDES[:1] * 2))
    jobs = Kept()
    monkeypatch.setattr(session, "jobs", jobs)
    viewer.scene.camera.zoom = 0.1
    assert jobs.kept == [("read ahead", None)]
    viewer.layers[-1].visible = False
    calls["read ahead"]()
    assert len(jobs.kept) == 1, "nothing is read for layers that are not drawn, nor without levels beside"
    viewer.layers[-1].visible = True
    calls["read ahead"]()
    (_, (kind, work)) = jobs.kept
    assert kind == "read ahead" and not data[1].in_memory(2048, 2048)
    with pytest.raises(Cancelled):
        work(cancelled)
    assert not data[1].in_memory(2048, 2048)
    work(lambda fraction, doing: None)
    assert data[1].in_memory(2048, 2048) and not data[1].in_memory(0, 0)


def cancelled(fraction, doing):
    raise Cancelled("read ahead")


def test_no_more_is_read_than_there_is_room_for(resting, monkeypatch):
    viewer, session, calls = resting
    data = levels()
    viewer.add_layer(shown(data, False, (3000, 3000), (4200, 4800)))
    around, coarser, finer = parts_ahead(viewer.layers[-1], viewer.canvas.size)
    assert around.num_bytes + coarser.num_bytes + finer.num_bytes < MAX_BYTES
    monkeypatch.setattr(read_ahead, "MAX_BYTES", around.num_bytes + coarser.num_bytes)
    viewer.scene.camera.zoom = 0.1
    jobs = Kept()
    monkeypatch.setattr(session, "jobs", jobs)
    calls["read ahead"]()
    jobs.kept[-1][1](lambda fraction, doing: None)
    y, x = (sum(span) // 2 for span in (finer.rows, finer.columns))
    assert not data[0].in_memory(y, x) and data[1].in_memory(y // 2, x // 2) and data[2].in_memory(y // 4, x // 4)


def test_what_is_on_screen_is_read_first(resting, monkeypatch):
    viewer, session, calls = resting
    viewer.add_layer(shown(levels(), False, (3000, 3000), (4200, 4800)))
    viewer.scene.camera.zoom = 0.1
    jobs = Kept()
    monkeypatch.setattr(session, "jobs", jobs)
    viewer.title = "reading"
    calls.pop("read ahead")()
    assert not jobs.kept
    viewer.title = "read"
    calls.pop("read ahead")()
    assert len(jobs.kept) == 1


def test_a_slide_behind_reads_nothing(resting):
    viewer, session, calls = resting
    session.state.in_front = False
    viewer.scene.camera.zoom = 0.1
    assert not calls
