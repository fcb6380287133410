import napari
import pytest
from napari.components import ViewerModel

from napari_spatia.viewer.letters import draw_letters
from napari_spatia.viewer.warm_up import warm_up
from napari_spatia.widgets.driving import Driver
from napari_spatia.widgets.host import host_for


def test_without_a_window_there_is_nothing_to_draw():
    assert not draw_letters(ViewerModel())


@pytest.mark.gl
def test_the_scale_bar_of_a_slide_finds_its_letters(small_slide, fake_backend, tmp_path, qtbot):
    warm_up()
    viewer = napari.Viewer()
    host = host_for(viewer, fake_backend, tmp_path / "sidecar")
    driver = Driver(viewer)
    font_info = viewer.window._qt_viewer.canvas._font_info
    font = font_info.font_manager.get_font(font_info.face)
    driver.until(lambda: len(font._glyphs) == len(draw_letters(viewer)), "drawing the letters")
    before = set(font._glyphs)
    host.session.show(small_slide)
    driver.until(lambda: viewer.canvas.overlays.scale_bar.visible, "showing the scale bar")
    driver.settle()
    assert set(font._glyphs) == before and len(font_info.font_manager._fonts) == 1
    driver.close()
