import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatia.session import transcripts
from napari_spatia.viewer.slide_view import SlideView
from napari_spatia.viewer.transcript_view import DENSITY, TRANSCRIPTS, TranscriptView


@pytest.fixture
def shown(transcript_session):
    viewer = ViewerModel()
    views = SlideView(viewer, transcript_session), TranscriptView(viewer, transcript_session)
    yield viewer, transcript_session
    for view in views:
        view.close()


def test_points_lie_where_the_transcripts_are_in_the_colours_of_the_genes(shown):
    viewer, session = shown
    session.show_transcripts(["EPCAM", "VIM"])
    layer, picture = viewer.layers[TRANSCRIPTS], session.state.transcripts
    np.testing.assert_allclose(layer.data, picture.yx)
    vim = np.asarray(session.state.transcript_genes[1].colour) / 255
    np.testing.assert_allclose(layer.face_color[picture.of_gene == 1][:, :3] - vim, 0, atol=1e-6)
    low, high = layer.extent.world
    y0, x0, y1, x1 = session.slide.image.extent_um
    assert (low >= (y0, x0)).all() and (high <= (y1, x1)).all()


def test_the_layer_follows_and_keeps_how_a_person_set_it(shown):
    viewer, session = shown
    active = viewer.layers.selection.active
    session.show_transcripts(["EPCAM"])
    assert viewer.layers.selection.active is active
    viewer.layers[TRANSCRIPTS].opacity = 0.3
    viewer.layers[TRANSCRIPTS].visible = False
    session.see((0.0, 0.0, 1e4, 40.0))
    layer = viewer.layers[TRANSCRIPTS]
    assert len(layer.data) == session.state.transcripts.counts[0]
    assert layer.opacity == pytest.approx(0.3) and not layer.visible
    session.hide_transcripts()
    assert TRANSCRIPTS not in viewer.layers


def test_a_density_takes_the_place_of_points_and_has_their_colour(shown, monkeypatch):
    viewer, session = shown
    session.show_transcripts(["VIM"])
    places = session.state.transcripts.yx
    monkeypatch.setattr(transcripts, "MOST_POINTS", 3)
    session.show_transcripts(["VIM"])
    assert len(viewer.layers[TRANSCRIPTS].data) == 0
    layer, colour = viewer.layers[DENSITY], session.state.transcript_genes[0].colour
    assert layer.blending == "additive" and layer.rgb
    y, x = np.rint(layer.world_to_data(places[5])[:2]).astype(int)
    drawn = layer.data[y, x].astype(float)
    assert drawn.any() and np.allclose(drawn / drawn.max(), np.asarray(colour) / max(colour), atol=0.05)
    low, high = layer.extent.world
    assert (places.min(axis=0) >= low - 0.5).all() and (places.max(axis=0) <= high + 0.5).all()
    monkeypatch.setattr(transcripts, "MOST_POINTS", 10**6)
    session.see(session.slide.image.extent_um)
    assert viewer.layers[DENSITY] is layer and not layer.data.any()
    assert len(viewer.layers[TRANSCRIPTS].data) == len(places)
    viewer.layers.remove(TRANSCRIPTS)
    session.see(session.slide.image.extent_um)
    assert len(viewer.layers[TRANSCRIPTS].data) == len(places), "a removed layer comes back while a gene is shown"
