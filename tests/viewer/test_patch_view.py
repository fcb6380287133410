"""Counterfactuals over the slide: where they lie, what they look like, and when they are there."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

import app_fakes
from napari_spatia.data.crops import read_crops
from napari_spatia.data.slide import Raster
from napari_spatia.errors import SpatiaError
from napari_spatia.session.patches import CROP, Patch, feathered
from napari_spatia.session.session import Session
from napari_spatia.viewer.layers import CHANNEL, COLOURS, SELECTED
from napari_spatia.viewer.patch_paint import ENLARGE, LABEL_PX, MARK, AppliedPatches, StainLook
from napari_spatia.viewer.patch_view import EVERY_MS, HAND_RESTS_MS, PatchView
from napari_spatia.viewer.slide_view import SlideView

GENE = "GENE3"


@pytest.fixture
def shown(fake_backend, small_slide, tmp_path):
    viewer = ViewerModel()
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view = SlideView(viewer, session)
    patches = PatchView(viewer, session, view)
    session.show(small_slide)
    session.load_checkpoint("fake")
    yield viewer, session
    patches.close()
    view.close()


def edit(session, cell_id="cell-5", value=2.0):
    session.select_cell(cell_id)
    session.set_log2_fc(GENE, value)
    session.render()


def patch_layers(viewer):
    return [layer for layer in viewer.layers if layer.name.startswith("counterfactual:")]


def pixel(layer, y_um, x_um):
    """RGBA under a point of the slide."""
    y, x = np.rint(layer.world_to_data((y_um, x_um))).astype(int)
    return np.asarray(layer.data[y, x])


def test_a_known_picture_lies_on_the_pixels_it_was_cut_from(small_slide):
    """A crop of the slide, laid over the slide, has the slide's own value at each pixel's centre."""
    um_per_px, size_px, center = 0.5, 16, np.array([11.2, 13.1])
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (1, 64, 64)).astype(np.float32)
    raster = Raster((app_fakes.da.from_array(image),), um_per_px)
    crop = read_crops(raster, center[None], um_per_px, size_px)[0]
    first = np.rint(center / um_per_px - size_px / 2).astype(int)
    assert np.allclose(crop[0], image[0, first[0] : first[0] + 16, first[1] : first[1] + 16], atol=1e-3)
    mask = np.zeros((16, 16), np.float32)
    patch = Patch("one", tuple(first.tolist()), um_per_px, ("DAPI",), crop, crop, mask, mask)
    viewer = ViewerModel()
    half = um_per_px / 2
    slide = viewer.add_image(
        image[0], name="DAPI", scale=(um_per_px,) * 2, translate=(half, half), colormap="gray",
        contrast_limits=(0, 255), metadata={CHANNEL: 0},
    )  # fmt: skip
    session = Session()
    session.state.slide = replace(small_slide, channels=("DAPI",))
    view = PatchView(viewer, session, SimpleNamespace(layers=(slide,), layers_of=lambda use: [slide]))
    laid = viewer.add_image(np.zeros((1, 1, 4), np.uint8), rgb=True)
    view._session.state.patch_extent = CROP
    view._fill(viewer, laid, patch)
    for y, x in ((0, 0), (7, 3), (15, 15), (2, 14)):
        at = (first + (y, x) + 0.5) * um_per_px
        assert pixel(laid, *at)[:3] == pytest.approx([slide.get_value(at, world=True)] * 3, abs=1)
        corner = at - 0.45 * um_per_px
        assert pixel(laid, *corner)[:3] == pytest.approx([slide.get_value(corner, world=True)] * 3, abs=1)
    view.close()


def test_with_several_slides_the_layer_keeps_its_slide_and_the_corner_names_the_cell(shown):
    viewer, session = shown
    edit(session)
    (layer,) = patch_layers(viewer)
    layer.name += " · liver"  # as `LayerOwners` names it
    edit(session, "cell-6")
    assert layer.name == "counterfactual: cell-6 · liver"
    assert viewer.canvas.overlays.text.text == "COUNTERFACTUAL\ncell-6"


def test_an_edit_lies_over_its_cell_and_goes_with_the_selection(shown):
    viewer, session = shown
    session.select_cell("cell-5")
    assert not patch_layers(viewer) and not viewer.canvas.overlays.text.visible, "nothing is edited"
    edit(session)
    (layer,) = patch_layers(viewer)
    assert layer.name == "counterfactual: cell-5" and layer.visible
    names = [each.name for each in viewer.layers]
    assert names.index(layer.name) > max(names.index(COLOURS), names.index(SELECTED))
    center = session.slide.centers_um[5]
    assert pixel(layer, *center)[3] == 255 and pixel(layer, *(center + 4))[3] == 0
    assert viewer.canvas.overlays.text.visible and viewer.canvas.overlays.text.text == "COUNTERFACTUAL\ncell-5"
    edit(session, "cell-6")
    (layer,) = patch_layers(viewer)
    assert layer.name == "counterfactual: cell-6"
    assert pixel(layer, *session.slide.centers_um[6])[3] == 255
    session.select_cell(None)
    assert not patch_layers(viewer) and not viewer.canvas.overlays.text.visible
    assert not np.any(viewer.layers["counterfactual"].data)


def test_the_first_picture_finds_its_layer_and_letters_made(fake_backend, small_slide, tmp_path):
    """Otherwise the window would not answer for a quarter of a second under the hand that moves the first slider."""
    viewer, session = ViewerModel(), Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    view, text, written = SlideView(viewer, session), viewer.canvas.overlays.text, []
    text.events.text.connect(lambda event: written.append((text.text, float(text.color[-1]), text.visible)))
    patches = PatchView(viewer, session, view)
    session.show(small_slide)
    session.load_checkpoint("fake")
    unseen = [words for words, opacity, visible in written if visible and opacity == 0]
    assert set("".join(unseen)) >= set("COUNTERFACTUAL" + "cell-5") and max(map(len, unseen)) <= 5
    assert not text.visible and text.text == ""
    layer = viewer.layers["counterfactual"]
    clear = layer.data
    assert not clear.any()
    edit(session)
    assert layer.data is clear and clear.any(), "its pixels are written over"
    assert text.visible and text.color[-1] == 1
    patches.close()
    view.close()


def test_the_patch_has_the_colours_that_the_stains_have_on_screen(shown):
    viewer, session = shown
    edit(session)
    center, value = session.slide.centers_um[5], float(session.state.counterfactual.image[0, 16, 16])
    for name in ("DAPI", "boundary"):
        viewer.layers[name].colormap, viewer.layers[name].contrast_limits = "gray", (0, 100)
    viewer.layers["boundary"].visible = False
    (layer,) = patch_layers(viewer)
    assert pixel(layer, *center)[:3] == pytest.approx([255 * value / 100] * 3, abs=1.5)
    viewer.layers["boundary"].visible = True
    assert pixel(layer, *center)[:3] == pytest.approx([2 * 255 * value / 100] * 3, abs=1.5)
    viewer.layers["DAPI"].contrast_limits = (0, 200)
    assert pixel(layer, *center)[:3] == pytest.approx([1.5 * 255 * value / 100] * 3, abs=1.5)


def test_before_and_after_and_the_whole_crop(shown):
    viewer, session = shown
    edit(session)
    (layer,) = patch_layers(viewer)
    center = session.slide.centers_um[5]
    for name in ("DAPI", "boundary"):
        viewer.layers[name].contrast_limits = (0, 100)
    after = pixel(layer, *center)[:3].astype(int)
    session.show_before(True)
    before = pixel(layer, *center)[:3].astype(int)
    assert (after >= before).all() and after.sum() > before.sum()
    assert "BEFORE" in viewer.canvas.overlays.text.text
    session.show_before(False)
    assert np.array_equal(pixel(layer, *center)[:3], after)
    session.set_patch_extent("crop")
    assert pixel(layer, *(center - 4))[3] == 255
    with pytest.raises(SpatiaError, match="Expected one of cell, crop"):
        session.set_patch_extent("slide")


def test_toggled_off_nothing_is_painted_and_on_again_the_newest_is(shown):
    viewer, session = shown
    edit(session)
    (layer,) = patch_layers(viewer)
    session.show_patches(False)
    assert not layer.visible and not viewer.canvas.overlays.text.visible
    old = np.array(layer.data)
    session.set_log2_fc(GENE, -1.0)
    session.render()
    assert np.array_equal(layer.data, old)
    session.show_patches(True)
    assert layer.visible and not np.array_equal(layer.data, old)


@pytest.mark.parametrize(("slow_ms", "pauses_ms"), [(1e9, [EVERY_MS]), (-1, [HAND_RESTS_MS] * 4)])
def test_a_held_slider_is_followed_with_pauses_and_one_that_is_let_go_at_once(
    fake_backend, small_slide, monkeypatch, slow_ms, pauses_ms
):
    """A canvas that is painted in software would hold up the picture in the dock: there the hand must rest."""
    monkeypatch.setattr("napari_spatia.viewer.patch_view.SLOW_MS", slow_ms)
    monkeypatch.setattr("napari_spatia.viewer.patch_view.FRAMES_REMEMBERED", 1)
    viewer, session, asked = ViewerModel(), Session(backend=fake_backend), []
    view = SlideView(viewer, session)
    patches = PatchView(viewer, session, view, lambda name, ms, call: asked.append((name, ms, call)))
    session.show(small_slide)
    session.load_checkpoint("fake")
    edit(session)
    assert asked[-1][:2] == ("patch", 0)
    asked[-1][2]()
    assert asked[-1][0] == "patch painted"
    asked[-1][2]()
    asked.clear()
    for value in (3.0, 3.5):
        session.set_log2_fc(GENE, value, gesture=GENE)
        session.render()
    assert [ms for _, ms, _ in asked] == pauses_ms
    session.end_gesture()
    session.set_log2_fc(GENE, 1.0)
    session.render()
    assert asked[-1][:2] == ("patch", 0)
    patches.close()
    view.close()


def test_a_layer_that_a_person_removed_is_off_until_it_is_asked_for(shown):
    viewer, session = shown
    edit(session)
    viewer.layers.remove("counterfactual: cell-5")
    assert not session.state.patches_shown
    edit(session, value=1.0)
    assert not patch_layers(viewer)
    session.show_patches(True)
    assert len(patch_layers(viewer)) == 1
    chosen_and_edited(session, [0, 3])
    viewer.layers.remove("counterfactual: 2 cells")
    assert session.state.applied is None and session.state.patches_shown


def test_another_slide_begins_without_patches(shown, tmp_path):
    viewer, session = shown
    chosen_and_edited(session, [0, 3])
    session.show(app_fakes.make_slide(tmp_path / "other.zarr", grid=3))
    assert not patch_layers(viewer) and session.state.applied is None and session.state.patches_shown
    edit(session)
    names = [layer.name for layer in viewer.layers]
    assert names.index("counterfactual: cell-5") > max(names.index(COLOURS), names.index(SELECTED))


def test_the_mark_is_a_dashed_outline_and_the_word(shown):
    viewer, session = shown
    edit(session)
    picture = np.asarray(patch_layers(viewer)[0].data)
    marked = (picture[..., :3] == MARK).all(axis=-1)
    outline = marked[LABEL_PX:].copy()
    top = LABEL_PX + 5 * ENLARGE  # the cell begins at row 8, its faded border at row 6
    assert marked[:top].sum() > 30 and outline.sum() > 50, "letters above the cell, dashes around it"
    ring = np.zeros_like(outline)
    edge = 8 * ENLARGE
    ring[edge - 2 : edge + 2, edge:-edge] = True
    along = (outline & ring).any(axis=0)[edge:-edge]
    assert 0.3 < along.mean() < 0.9, "dashes and gaps"


def test_feather_falls_off_within_its_width():
    inside = np.zeros((32, 32), bool)
    inside[10:20, 10:20] = True
    weight = feathered(inside, 0.2)
    assert (weight[inside] == 1).all() and 0 < weight[9, 15] < 1 and weight[5, 15] == 0
    assert not feathered(np.zeros((4, 4), bool), 0.2).any()


def chosen_and_edited(session, rows):
    edit(session)
    session.choose_rows(rows)
    session.apply_to_chosen()


def test_one_edit_of_all_chosen_cells(shown):
    viewer, session = shown
    for name in ("DAPI", "boundary"):
        viewer.layers[name].colormap, viewer.layers[name].contrast_limits = "gray", (0, 200)
    chosen_and_edited(session, [0, 3, 9])
    session.select_cell(None)
    (layer,) = patch_layers(viewer)
    assert layer.name == "counterfactual: 3 cells" and layer.multiscale
    for row in (0, 3, 9):
        y, x = session.slide.centers_um[row]
        level = layer.data[0]
        at = np.rint(layer.world_to_data((y, x))).astype(int)
        assert level[tuple(at)][3] == 255
        assert level[tuple(at)][:3] == pytest.approx([2 * 255 * (10 + row + 20) / 200] * 3, abs=1.5)
    marked = (np.asarray(layer.data[0])[..., :3] == MARK).all(axis=-1)
    assert 0.4 < marked.sum() / (3 * 4 * 16) < 0.8, "dashes around each of the three cells, and gaps"
    edit(session)
    assert viewer.layers.index("counterfactual: cell-5") > viewer.layers.index(layer)
    session.select_cell(None)
    between = np.rint(layer.world_to_data(session.slide.centers_um[5])).astype(int)
    assert layer.data[0][tuple(between)][3] == 0
    session.show_before(True)
    at = np.rint(layer.world_to_data(session.slide.centers_um[9])).astype(int)
    assert layer.data[0][tuple(at)][0] == pytest.approx(2 * 255 * 19 / 200, abs=1.5)
    session.forget_applied()
    assert not patch_layers(viewer)


def test_what_an_edit_cannot_be_applied_to(shown, monkeypatch):
    _, session = shown
    with pytest.raises(SpatiaError, match="No cells are chosen"):
        session.apply_to_chosen()
    session.choose_rows([1, 2, 3])
    with pytest.raises(SpatiaError, match="Nothing is edited"):
        session.apply_to_chosen()
    edit(session)
    monkeypatch.setattr("napari_spatia.session.patching.MOST_CELLS", 2)
    with pytest.raises(SpatiaError, match="3 cells are chosen; an edit is applied to 2 at most"):
        session.apply_to_chosen()
    assert session.state.applied is None


def flat(first_px, value, weight):
    image = np.full((1, 8, 8), value, np.float32)
    mask = np.zeros((8, 8), np.float32)
    return Patch("c", first_px, 1.0, ("DAPI",), image, image, mask, np.full((8, 8), weight, np.float32))


def grey():
    return {"DAPI": StainLook((0.0, 255.0), np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, None], 3, 1))}


def test_overlapping_cells_mix_by_weight():
    whole = AppliedPatches([flat((10, 10), 100, 0.75), flat((10, 14), 200, 0.25)])
    whole.looks = grey()
    row = whole.levels[0][4, :]
    assert row[2].tolist() == [100, 100, 100, 191]
    assert row[6].tolist() == [125, 125, 125, 255]
    assert row[10].tolist() == [200, 200, 200, 64]


def test_any_window_of_any_level_is_a_part_of_the_whole():
    rng = np.random.default_rng(0)
    places = rng.integers(-300, 2000, (30, 2))
    whole = AppliedPatches([flat(tuple(place), 40 + 5 * i, 1.0) for i, place in enumerate(places.tolist())])
    whole.looks = grey()
    assert len(whole.levels) > 2
    fine = np.asarray(whole.levels[0])
    for number, level in enumerate(whole.levels):
        step, all_of_it = 2**number, np.asarray(level)
        assert all_of_it.shape == level.shape == (fine.shape[0] // step, fine.shape[1] // step, 4)
        assert np.array_equal(level[7:150, 11:90], all_of_it[7:150, 11:90])
        assert np.array_equal(level[3:80:2, 5], all_of_it[3:80:2, 5])
        blocks = fine[..., 3].reshape(all_of_it.shape[0], step, all_of_it.shape[1], step).mean(axis=(1, 3))
        assert np.abs(blocks - all_of_it[..., 3]).max() < 2
