import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.errors import Cancelled
from napari_spatia.session.session import Session
from napari_spatia.viewer.overlay import ColourSource, PaintedLevel
from napari_spatia.viewer.read_ahead import ReadAhead, beside_the_screen
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
def test_the_levels_that_a_zoom_reaches_are_read(painted):
    data = levels()
    layer = shown(data, painted, (3000, 3000), (4200, 4800))
    assert layer.data_level == 1
    parts = list(beside_the_screen(layer, CANVAS))
    assert [level for level, _ in parts] == [data[0], data[2]]
    for level, spans in parts:
        level.keep(*spans)

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
    assert reads_nothing(middle - (240, 340), middle + (240, 340)) and layer.data_level == 0
    assert reads_nothing(middle - (1010, 1410), middle + (1010, 1410)) and layer.data_level == 2
    assert not reads_nothing((0, 0), (480, 680)), "what is far away is not"


def test_ends_of_a_slide_and_of_its_levels_and_other_layers():
    data = levels()
    ((level, (rows, columns)),) = beside_the_screen(shown(data, False, (0, 0), (480, 680)), CANVAS)
    assert level is data[1] and rows[0] == columns[0] == 0 and rows[1] < CANVAS[0] and columns[1] < CANVAS[1]
    ((level, (rows, columns)),) = beside_the_screen(shown(data, False, (0, 0), SIDES[:1] * 2), CANVAS)
    assert level is data[1] and (rows[1] - rows[0], columns[1] - columns[0]) == (1000, 1400)
    assert not list(beside_the_screen(Image(np.zeros((4, 4))), CANVAS))
    assert not list(beside_the_screen(Image([np.zeros((64, 64)), np.zeros((32, 32))], multiscale=True), CANVAS))


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
    ahead = ReadAhead(viewer, session, lambda name, ms, call: calls.__setitem__(name, call))
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


def test_a_slide_behind_reads_nothing(resting):
    viewer, session, calls = resting
    session.state.in_front = False
    viewer.scene.camera.zoom = 0.1
    assert not calls
