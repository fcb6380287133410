"""What stands on screen while pixels are read: the reading waits here until the test lets it go on."""

import gc
import queue
import threading
import weakref

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.data.pyramid import LARGE_PX
from napari_spatia.session.instances import ColourTable
from napari_spatia.viewer import unread
from napari_spatia.viewer.layers import shown_levels
from napari_spatia.viewer.overlay import ColourSource, PaintedLevel
from napari_spatia.viewer.unread import Unread

SIDE, CHUNK = 4096, 256
CANVAS = (500, 700)
RED, BLUE = 0xFF0000FF, 0xFFFF0000
"""As `ColourTable` packs them."""


class Disk:
    """Chunks whose values tell where they are; reading waits for ``gate``, and fails with ``error``."""

    ndim, dtype = 2, np.dtype(np.uint16)

    def __init__(self, side, gate):
        self.shape, self.chunks = (side, side), (CHUNK, CHUNK)
        self._step, self._gate, self.error = max(SIDE // side, 1), gate, None
        self.reads = []

    def __getitem__(self, keys):
        assert self._gate.wait(20)
        if self.error is not None:
            raise self.error
        self.reads.append(keys)
        rows, columns = (np.arange(part.start, part.stop) * self._step for part in keys)
        return (1 + rows[:, None] // 64 + columns // 64).astype(np.uint16)


class Screen:
    """A viewer without a window, and a layer of three levels of which the last is in memory."""

    def __init__(self, painted=False):
        self.gate = threading.Event()
        self.gate.set()
        self.disks = [Disk(SIDE >> number, self.gate) for number in range(3)]
        kept = KeptChunks()
        self.pixels = [ChunkedPixels(disk, kept) for disk in self.disks]
        self.source = ColourSource()
        self.source.table = ColourTable(ids=None, packed=np.full(200, RED, np.uint32))
        data = [PaintedLevel(level, self.source) for level in self.pixels] if painted else self.pixels
        self.viewer, self.calls = ViewerModel(), queue.Queue()
        self.unread = Unread(self.viewer, self.calls.put)
        self.layer = self.viewer.add_layer(Image(data, multiscale=True, rgb=painted))
        self.see((0, 0), (SIDE, SIDE))
        assert self.layer.data_level == 2 and not self.unread.is_reading

    def see(self, first_px, last_px):
        """These pixels of the finest level come into view."""
        self.layer._update_draw(1.0, np.array([first_px, last_px]), CANVAS)

    def read(self):
        """Let all be read that is asked for."""
        self.gate.set()
        while self.unread.is_reading:
            self.calls.get(timeout=20)()

    @property
    def shown(self):
        return self.layer._slicing_state._slice.image.view

    @property
    def px_of_finest(self):
        """How large a pixel on screen is, and where the first lies."""
        tile = self.layer._transforms[0]
        return tile.scale.tolist(), tile.translate.tolist()


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(unread, "PATIENCE_S", 0.0)


@pytest.fixture
def screen(patience):
    made = Screen()
    yield made
    made.gate.set()
    made.unread.close()


def test_after_a_jump_a_coarser_level_stands_in_until_its_own_is_read(screen):
    screen.gate.clear()
    screen.see((1024, 2048), (1400, 2600))
    assert screen.layer.data_level == 0 and screen.unread.is_reading
    assert screen.px_of_finest == ([4, 4], [1024, 2048])
    place = np.s_[256 : 256 + len(screen.shown), 512 : 512 + screen.shown.shape[1]]
    assert np.array_equal(screen.shown, screen.pixels[2][place])
    screen.read()
    assert screen.px_of_finest == ([1, 1], [1024, 2048])
    assert np.array_equal(screen.shown, screen.pixels[0][1024 : 1024 + 512, 2048 : 2048 + 768])


def test_what_is_in_memory_is_shown_at_once(screen):
    screen.pixels[0].keep((1024, 1536), (2048, 2816))
    screen.gate.clear()
    screen.see((1024, 2048), (1400, 2600))
    assert not screen.unread.is_reading and screen.px_of_finest == ([1, 1], [1024, 2048])


def test_a_frame_waits_a_little_for_a_disk_that_is_quick(monkeypatch):
    monkeypatch.setattr(unread, "PATIENCE_S", 20.0)
    screen = Screen()
    screen.see((1024, 2048), (1400, 2600))
    assert not screen.unread.is_reading and screen.px_of_finest == ([1, 1], [1024, 2048])


@pytest.mark.parametrize(("first_px", "last_px"), [((900, 2048), (3200, 3600)), ((1300, 2300), (1400, 2400))])
def test_what_is_on_screen_stays_while_the_camera_moves_on(screen, first_px, last_px):
    screen.see((600, 2048), (2900, 3600))
    screen.read()
    before, place = screen.shown, screen.px_of_finest
    assert screen.layer.data_level == 1
    screen.gate.clear()
    screen.see(first_px, last_px)
    assert screen.unread.is_reading and screen.shown is before and screen.px_of_finest == place
    screen.read()
    assert screen.shown is not before and not screen.unread.is_reading


def test_cells_that_stay_on_screen_take_new_colours(patience):
    screen = Screen(painted=True)
    screen.see((600, 2048), (2900, 3600))
    screen.read()
    screen.gate.clear()
    screen.see((900, 2048), (3200, 3600))
    assert screen.unread.is_reading
    assert screen.shown[0, 0].tolist() == [255, 0, 0, 255]
    screen.source.table = ColourTable(ids=None, packed=np.full(200, BLUE, np.uint32))
    screen.layer.refresh()
    assert screen.unread.is_reading
    assert screen.shown[0, 0].tolist() == [0, 0, 255, 255]
    rows = len(screen.shown)
    screen.read()
    assert len(screen.shown) > rows and screen.shown[-1, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("style", ["fill", "outline"])
def test_a_window_of_labels_that_was_painted_needs_no_chunk(patience, style):
    screen = Screen(painted=True)
    screen.source.style = style
    screen.see((1024, 2048), (1400, 2600))
    screen.read()
    level = screen.layer.data[0]
    spans = (1024, 1536), (2048, 2816)
    assert level.holds(*spans)
    screen.pixels[0].kept = KeptChunks()
    assert level.holds(*spans) and not level.holds((1024, 1536), (2048, 3072))
    screen.source.style = "both"
    assert level.holds(*spans) == (style == "outline"), "edges are read with a pixel more on each side"


def test_of_a_view_that_was_left_no_more_is_read(screen):
    screen.gate.clear()
    screen.see((0, 0), (450, 600))
    screen.see((2048, 0), (2450, 600))
    screen.see((3072, 2048), (3472, 2600))
    screen.read()
    assert screen.px_of_finest == ([1, 1], [3072, 2048])
    rows = [(keys[0].start, keys[0].stop) for keys in screen.disks[0].reads]
    assert rows.count((3072, 3328)) == rows.count((3328, 3584)) == 1
    assert len(rows) <= 2 + unread.NUM_READERS, "a row of chunks that was begun is read to its end"
    assert screen.calls.empty() or not screen.unread.is_reading


def test_a_level_without_pixels_never_stands_in(patience):
    gate = threading.Event()
    gate.set()
    disk = Disk(2 * LARGE_PX, gate)
    viewer, calls = ViewerModel(), queue.Queue()
    watching = Unread(viewer, calls.put)
    levels = shown_levels([ChunkedPixels(disk, KeptChunks())])
    assert len(levels) > 1, "large enough to need coarser levels"
    layer = viewer.add_layer(Image(levels, multiscale=True))
    layer._update_draw(1.0, np.array([(1024, 2048), (1400, 2600)]), CANVAS)
    assert layer.data_level == 0 and layer._slicing_state._slice.image.view.min() > 0
    watching.close()


def test_an_error_of_the_disk_is_told_once(screen):
    screen.disks[0].error = OSError("the disk has gone")
    screen.see((1024, 2048), (1400, 2600))
    call = screen.calls.get(timeout=20)
    with pytest.raises(OSError, match="the disk has gone"):
        call()
    assert not screen.unread.is_reading


def test_layers_of_other_kinds_are_sliced_as_ever(screen):
    viewer = screen.viewer
    viewer.add_image(np.ones((8, 8)))
    viewer.add_labels(np.ones((8, 8), int))
    plain = viewer.add_image([np.ones((2048, 2048)), np.ones((512, 512))], multiscale=True)
    plain._update_draw(1.0, np.array([(0, 0), (400, 400)]), CANVAS)
    assert plain.data_level == 0 and not screen.unread.is_reading


def test_a_layer_that_was_removed_goes_from_memory(screen):
    screen.viewer.layers.clear()
    screen.viewer.add_points()  # napari remembers which layer was chosen last
    layer = weakref.ref(screen.layer)
    del screen.layer
    gc.collect()
    assert layer() is None


def test_closed_it_leaves_all_to_napari(screen):
    screen.unread.close()
    screen.see((1024, 2048), (1400, 2600))
    assert not screen.unread.is_reading and screen.px_of_finest == ([1, 1], [1024, 2048])


@pytest.mark.gl
def test_a_screenshot_waits_for_all_that_it_shows(patience, qtbot):
    viewer = napari.Viewer()
    gate, calls = threading.Event(), queue.Queue()
    gate.set()
    watching, kept = Unread(viewer, calls.put), KeptChunks()
    levels = [ChunkedPixels(Disk(SIDE >> number, gate), kept) for number in range(3)]
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 130))
    viewer.screenshot(flash=False)
    gate.clear()
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 1000.0, 3000.0), 2.0
    qtbot.waitUntil(lambda: watching.is_reading)
    threading.Timer(0.2, gate.set).start()
    shot = viewer.screenshot(flash=False)
    assert not watching.is_reading and layer._transforms[0].scale.tolist() == [1, 1]
    assert len(np.unique(shot[..., 0])) > 5
    layer.refresh()
    assert np.array_equal(viewer.screenshot(flash=False), shot)
    watching.close()
    viewer.close()
