"""The Cell dock in two viewers at once, and of a slide that is closed under the hand; real mouse events."""

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent

import app_fakes
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.driving import handle, mouse
from napari_spatia.widgets.host import hosts_for
from napari_spatia.widgets.log2_slider import STEPS_PER_UNIT
from napari_spatia.widgets.slide_pages import SlidePages

LEFT = Qt.MouseButton.LeftButton
PREVIEW_NFE = 2
"""Of the model that stands in for a real one; a refined picture that comes late would be taken for another edit's."""


class Bench:
    """A viewer with a Cell dock, a model and a selected cell."""

    def __init__(self, qtbot, folder, slide):
        self.qtbot, self.backend, self.viewer = qtbot, app_fakes.FakeBackend(), ViewerModel()
        self.hosts = hosts_for(self.viewer, self.backend, folder)
        self.session = self.hosts.slides.front
        self.dock = SlidePages(self.hosts.slides, CellDock)
        qtbot.addWidget(self.dock)
        self.dock.resize(420, 700)
        self.dock.show()
        self.session.show(slide)
        self.wait(lambda: self.session.state.slide is not None)
        self.session.load_checkpoint("fake")
        self.wait(lambda: self.session.state.bound)
        self.session.select_cell("cell-5")
        self.wait(self.rests)

    def wait(self, done):
        self.qtbot.waitUntil(done, timeout=20000)

    def rests(self):
        state = self.session.state
        drawn = state.resolved is not None and state.resolved.edit == state.edit.present.active()
        in_all_passes = state.counterfactual is not None and state.counterfactual.nfe > PREVIEW_NFE
        return drawn and in_all_passes and not any(job.running for job in state.jobs.values())

    def drag(self, value):
        slider = next(iter(self.dock.page.sliders.rows.values())).slider
        mouse(slider, QMouseEvent.Type.MouseButtonPress, handle(slider), LEFT)
        mouse(slider, QMouseEvent.Type.MouseMove, handle(slider, round(value * STEPS_PER_UNIT)), LEFT)
        mouse(slider, QMouseEvent.Type.MouseButtonRelease, handle(slider), LEFT)

    def close(self):
        self.backend.gate.set()
        self.hosts.close()


@pytest.fixture
def benches(qtbot, tmp_path, small_slide, monkeypatch):
    """Two of them, on the same slide; messages stay off the screen."""
    monkeypatch.setattr("napari_spatia.widgets.host.show_error", lambda text: None)
    monkeypatch.setattr("napari_spatia.widgets.host.show_info", lambda text: None)
    made = [Bench(qtbot, tmp_path / name, small_slide) for name in ("one", "two")]
    yield made
    for bench in made:
        bench.close()


def test_two_viewers_edit_the_same_cell_each_for_itself(benches):
    one, two = benches
    before = two.session.state.counterfactual
    one.drag(0.5)
    one.wait(one.rests)
    assert one.session.state.counterfactual.log2_fc and two.session.state.counterfactual is before
    assert not two.session.state.edit.can_undo and not two.dock.page.undo.isEnabled()
    two.backend.gate.clear()
    two.drag(0.75)
    one.drag(0.25)
    one.wait(one.rests)
    assert two.session.state.counterfactual is before, "one does not wait for the other's model"
    two.backend.gate.set()
    two.wait(two.rests)
    (first,), (second,) = (bench.session.state.counterfactual.log2_fc.values() for bench in benches)
    assert first == pytest.approx(0.25, abs=0.02) and second == pytest.approx(0.75, abs=0.02)


def test_a_slide_closed_while_its_cell_is_drawn_leaves_an_empty_dock(benches, qtbot):
    one, two = benches
    page = one.dock.page
    one.backend.gate.clear()
    one.drag(0.5)
    one.wait(lambda: one.session.state.jobs["render"].running)
    closed = one.session
    one.hosts.slides.close(closed)
    assert one.dock.page is not page and "Open a slide first" in one.dock.page.hint.text()
    one.backend.gate.set()
    qtbot.wait(400)
    notice = one.dock.page.state.notice
    assert notice is None or not notice.is_error
    assert "cell colours" not in {layer.name for layer in one.viewer.layers}
    two.drag(0.5)
    two.wait(two.rests)
    assert two.session.state.counterfactual.log2_fc
