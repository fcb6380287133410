import json
from copy import deepcopy
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import torch

from napari_spatia.data.panel import Panel
from napari_spatia.errors import CellError, CheckpointError, PanelError, SpatiaError
from napari_spatia.inference.noise import white_noise
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.device import pick_device


@pytest.fixture
def slide(grid_slide):
    return grid_slide


@pytest.fixture
def predictor(tiny_predictor):
    return tiny_predictor


@pytest.fixture
def bound(predictor, slide):
    return predictor.bind(slide)


def repainted(slide):
    """The same slide with other pixels."""
    levels = tuple(200 - level for level in slide.image.levels)
    return replace(slide, image=replace(slide.image, levels=levels))


def test_a_checkpoint_tells_what_it_reads(predictor, slide):
    info = predictor.info
    assert info.panel == slide.panel and info.channels == slide.channels and info.name == "tiny"
    assert info.num_parameters > 1000 and len(info.sha256) == 64


def test_embeddings_agree_bit_for_bit_between_calls_and_nearly_in_any_company(bound, predictor, slide):
    first, second = bound.embed(), predictor.bind(slide).embed()
    assert np.array_equal(first.fused, second.fused)
    some = bound.embed(np.array([5, 40]))
    assert np.allclose(some.fused, first.fused[[5, 40]], atol=1e-4)
    assert np.allclose(first.type_probability.sum(1), 1, atol=1e-5)
    assert first.expression.shape == (64, len(slide.panel)) and (first.expression >= 0).all()


@pytest.mark.parametrize("left_out", ["image", "genes", "niche", "tissue"])
def test_each_input_can_be_left_out_and_then_is_not_read(predictor, slide, left_out):
    inputs = tuple(name for name in ("image", "genes", "niche", "tissue") if name != left_out)
    full, part = predictor.bind(slide).embed(), predictor.bind(slide, inputs=inputs).embed()
    assert not np.allclose(full.fused, part.fused, atol=1e-4)
    if left_out == "image":
        assert np.array_equal(part.fused, predictor.bind(repainted(slide), inputs=inputs).embed().fused)


def test_hidden_genes_are_not_read(predictor, slide):
    counts = slide.counts.tolil()
    counts[:, 3] = 50
    changed = replace(slide, counts=counts.tocsr())
    hidden = [predictor.bind(s, hide_genes=("GENE3",)).embed().fused for s in (slide, changed)]
    open_ = [predictor.bind(s).embed().fused for s in (slide, changed)]
    assert np.array_equal(*hidden) and not np.allclose(*open_, atol=1e-4)
    with pytest.raises(PanelError, match="GENE99"):
        predictor.bind(slide, hide_genes=("GENE99",))


def test_another_panels_slide_is_refused_and_a_few_missing_genes_are_said(predictor, slide):
    foreign = replace(slide, panel=Panel(tuple(f"X{i}" for i in range(12))))
    with pytest.raises(PanelError, match=r"has measured 0 of them.*--inputs image"):
        predictor.bind(foreign)
    assert predictor.bind(foreign, inputs=("image",)).embed(np.array([0])).fused.shape == (1, 32)
    partly = replace(slide, panel=Panel(("other", *slide.panel.genes[1:])))
    assert any("1 of the model's 12 genes" in note and "GENE0" in note for note in predictor.bind(partly).notes)


def test_missing_channels_are_named_and_can_be_mapped(predictor, slide):
    renamed = replace(slide, channels=("nuclei", "boundary"))
    unmapped = predictor.bind(renamed)
    assert any("has nuclei, boundary. Missing: DAPI." in note for note in unmapped.notes)
    assert not np.allclose(unmapped.embed().fused, predictor.bind(slide).embed().fused, atol=1e-4)
    with pytest.raises(CheckpointError, match=r"None of them is there. Name stand-ins with --channel-map"):
        predictor.bind(replace(slide, channels=("nuclei", "borders")))
    mapped = predictor.bind(renamed, channel_map={"DAPI": "nuclei"})
    assert np.array_equal(mapped.embed().fused, predictor.bind(slide).embed().fused)
    with pytest.raises(CheckpointError, match="--channel-map names nowhere"):
        predictor.bind(renamed, channel_map={"DAPI": "nowhere"})


def test_a_missing_channel_shows_as_black_and_is_drawn_as_expected(predictor, slide):
    one = replace(slide, channels=("DAPI", "other"))
    bound = predictor.bind(one)
    editor = CellEditor(bound)
    cell = editor.select("cell-20")
    real = CellEditor(predictor.bind(slide)).select("cell-20").real
    assert np.array_equal(cell.real[0], real[0]) and np.ptp(cell.real[1]) == 0
    assert cell.zero_edit_psnr_db > 30 and np.ptp(cell.zero_edit[1]) > 0
    assert np.array_equal(editor.render(cell, {}).image, cell.zero_edit)


def test_cells_without_counts_or_outside_the_image_are_read_by_what_they_have(predictor, slide, monkeypatch):
    size = len(predictor.model.readings.deviation)
    mixed = torch.randn(2 * size, size, generator=torch.Generator().manual_seed(0))
    readings = deepcopy(predictor.model.readings)  # that have something to say
    readings.set_correlation(mixed.T @ mixed / len(mixed))
    readings.gene_mean += 5
    monkeypatch.setitem(predictor.model._modules, "readings", readings)
    counts, centers = slide.counts.tolil(), slide.centers_um.copy()
    counts[5] = 0
    centers[9] = (1e4, 1e4)
    partly = replace(slide, counts=counts.tocsr(), centers_um=centers)
    bound = predictor.bind(partly)
    assert any("1 of 64 cells have no count" in note and "image alone" in note for note in bound.notes)
    assert any("1 of 64 cells lie outside the image" in note and "genes alone" in note for note in bound.notes)
    both = bound.embed()
    by_image, by_genes = (
        predictor.bind(partly, inputs=(name, "niche", "tissue")).embed() for name in ("image", "genes")
    )
    assert np.allclose(both.fused[5], by_image.fused[5], atol=1e-4)
    assert np.allclose(both.fused[9], by_genes.fused[9], atol=1e-4)
    assert not np.allclose(both.fused[20], by_image.fused[20], atol=1e-4)
    assert np.allclose(both.expression[5], by_image.expression[5], atol=1e-4)
    assert np.allclose(both.expression[9], by_genes.expression[9], atol=1e-4)
    assert np.allclose(bound.embed(np.array([9, 20, 5])).fused, both.fused[[9, 20, 5]], atol=1e-4)
    assert not predictor.bind(partly, inputs=("genes",)).has_image.any()


def test_evidence_is_the_same_twice_and_a_zero_edit_changes_nothing(bound, slide):
    editor = CellEditor(bound)
    cell = editor.select("cell-20")
    unedited, edited = (editor.examine(cell, editor.render(cell, edit), num_seeds=3) for edit in ({}, {"GENE3": 4.0}))
    measured = {name: spread for name, spread in edited.spread.items() if spread.num_seeds > 1}
    assert {"cell_area", "DAPI", "boundary"} <= set(edited.spread) and measured
    assert all(spread.change == spread.change_sd == 0 for spread in unedited.spread.values() if spread.num_seeds > 1)
    assert any(spread.change != 0 and spread.change_sd > 0 for spread in measured.values())
    assert all(unedited.spread[name].unedited == spread.unedited for name, spread in measured.items())
    again = editor.examine(cell, editor.render(cell, {"GENE3": 4.0}), num_seeds=3)
    assert again.spread == edited.spread or again.to_dict() == edited.to_dict()
    ids = [near.cell_id for near in edited.nearest]
    assert len(ids) == 4 and "cell-20" not in ids and edited.num_compared == slide.num_cells
    assert edited.nearest[0].image.shape == (2, 64, 64) and edited.reach_percentile >= unedited.reach_percentile
    assert json.loads(json.dumps(edited.to_dict()))["nearest_cells"][0]["cell_id"] == ids[0]


def test_what_is_read_is_compared_with_what_was_read_when_genes_were_scored(predictor, slide):
    genes = slide.panel.genes
    assert predictor.bind(slide).seen_as_scored
    assert predictor.bind(slide, hide_genes=genes[: len(genes) // 10]).seen_as_scored
    assert not predictor.bind(slide, hide_genes=genes[: len(genes) // 2]).seen_as_scored
    assert not predictor.bind(slide, inputs=("image", "niche", "tissue")).seen_as_scored
    one_stain = replace(
        slide,
        channels=("DAPI", "other"),
    )
    assert not predictor.bind(one_stain).seen_as_scored


def test_unknown_inputs_are_refused(predictor, slide):
    for inputs in (("pixels",), ("niche",), ()):
        with pytest.raises(CheckpointError, match="cannot be read"):
            predictor.bind(slide, inputs=inputs)


def test_a_slide_of_another_exposure_is_read_on_its_own_scale(predictor, slide):
    assert predictor.bind(slide).scale == predictor.info.intensity
    levels = tuple((level.astype(np.uint16) * 100) for level in slide.image.levels)
    bright = predictor.bind(replace(slide, image=replace(slide.image, levels=levels)))
    assert bright.scale != predictor.info.intensity
    assert any("own scale" in note for note in bright.notes)


def test_drawing_never_reads_pixels_and_depends_on_seed_cell_and_sample(bound, predictor, slide):
    cells = np.array([3, 9])
    pictures, masks = bound.generate(cells, samples=2, nfe=2)
    assert pictures.shape == (2, 2, 2, 64, 64) and masks.shape == (2, 2, 64, 64)
    other = predictor.bind(repainted(slide))
    other.__dict__["scale"] = bound.scale
    assert np.array_equal(other.generate(cells, samples=2, nfe=2)[0], pictures)
    alone, _ = bound.generate(np.array([9]), samples=2, nfe=2)
    assert np.allclose(alone[0], pictures[1], atol=1e-2)
    assert not np.allclose(pictures[0, 0], pictures[0, 1]) and not np.allclose(pictures[0, 0], pictures[1, 0])
    assert not np.allclose(bound.generate(cells, samples=2, nfe=2, seed=1)[0], pictures)


def test_samples_come_in_pairs_of_opposite_noise(bound, monkeypatch):
    drawn_from = []
    draw = bound.draw
    monkeypatch.setattr(bound, "draw", lambda white, *rest: drawn_from.append(white) or draw(white, *rest))
    bound.generate(np.array([3, 9]), samples=3, nfe=1)
    (white,) = drawn_from
    first, opposite, second = white.view(2, 3, *white.shape[1:]).unbind(1)
    assert (first == -opposite).all()
    assert not np.allclose(first, second) and not np.allclose(first[0], first[1])


def test_shuffling_gives_cells_other_expression_with_the_same_noise(bound):
    cells = np.arange(6)
    assert not np.allclose(bound.generate(cells, nfe=1)[0], bound.shuffled().generate(cells, nfe=1)[0])


def test_noise_belongs_to_the_cell():
    first = white_noise((2, 4), 0, "cell-1")
    assert np.array_equal(first, white_noise((2, 4), 0, "cell-1"))
    for other in ((1, "cell-1"), (0, "cell-2"), (0, "cell-1", 1)):
        assert not np.array_equal(first, white_noise((2, 4), *other))


def test_an_edit_of_nothing_is_the_same_cell_bit_for_bit(bound):
    editor = CellEditor(bound)
    cell = editor.select("cell-20")
    for edit in ({}, {"GENE3": 0.0}):
        assert np.array_equal(editor.render(cell, edit).image, cell.zero_edit)
    again = CellEditor(bound).select("cell-20")
    assert np.array_equal(cell.zero_edit, again.zero_edit) and cell.zero_edit_psnr_db == again.zero_edit_psnr_db
    assert cell.zero_edit_psnr_db > 30  # inversion finds the cell that was clicked


def test_an_edit_changes_the_picture_more_the_larger_it_is(bound):
    editor = CellEditor(bound)
    cell = editor.select("cell-20")
    assert editor.render(cell, {}).reach_percentile is None
    editor.prepare()
    renders = [editor.render(cell, {"GENE3": fc}) for fc in (0.5, 1.0, 2.0, 4.0)]
    change = [float(np.abs(render.image - cell.zero_edit).mean()) for render in renders]
    assert change == sorted(change) and change[0] > 0
    reach = [render.reach_percentile for render in renders]
    assert reach == sorted(reach) and 0 <= reach[0] <= reach[-1] <= 100
    assert renders[0].log2_fc == {"GENE3": 0.5} and renders[0].nfe == cell.nfe and renders[0].ms > 0


def test_an_edit_moves_the_outline_to_where_it_is_expected(bound):
    """Half axes that grow by 0.15 each unit of the gene: the cell is larger by 0.6 in log2 area after +2."""
    linear, gene_idx = bound.model.linear_outline, bound.predictor.info.panel.index("GENE3")
    areas = []
    for slope in (0.0, 0.15, -0.15):
        linear.weight[bound.model.config.width + gene_idx] = slope
        editor = CellEditor(bound)
        cell = editor.select("cell-20")
        assert np.array_equal(editor.render(cell, {}).image, cell.zero_edit)
        areas.append((editor.render(cell, {"GENE3": 2.0}).mask >= 0.5).sum())
    linear.clear()
    assert np.log2(areas[1] / areas[0]) == pytest.approx(0.6, abs=0.15)  # a square of 19 whole pixels
    assert np.log2(areas[2] / areas[0]) == pytest.approx(-0.6, abs=0.15)


def test_a_knocked_out_gene_cannot_go_below_zero(bound, slide):
    editor = CellEditor(bound)
    cell = editor.select("cell-20")
    assert np.array_equal(editor.render(cell, {"GENE5": -20}).image, editor.render(cell, {"GENE5": -30}).image)


def test_unknown_cells_and_genes_are_named(bound):
    editor = CellEditor(bound)
    with pytest.raises(CellError, match="'nobody' is not on slide"):
        editor.select("nobody")
    with pytest.raises(PanelError, match=r"'GENE33' is not in the panel of 12 genes. Did you mean GENE3"):
        editor.render(editor.select("cell-1"), {"GENE33": 1})


def test_a_cell_can_be_drawn_with_another_number_of_passes(bound):
    editor = CellEditor(bound)
    cell = editor.select("cell-3")
    calls = []
    handle = bound.model.decoder.register_forward_hook(lambda *_: calls.append(1))
    rendered = editor.render(cell, {"GENE3": 1.0})
    handle.remove()
    assert len(calls) == rendered.nfe == cell.nfe
    preview = editor.preview("cell-3")
    assert preview.nfe < cell.nfe and editor.render(preview, {}).nfe == preview.nfe
    assert np.array_equal(editor.render(preview, {}).image, preview.zero_edit)


def test_devices_that_are_not_there_are_said():
    assert pick_device("cpu") == "cpu"
    assert pick_device() in ("cpu", "cuda", "mps")
    with pytest.raises(SpatiaError, match="unknown"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(SpatiaError, match="torch finds only"):
            pick_device("cuda")


def test_dask_levels_are_not_read_whole(predictor, slide):
    """A far corner that cannot be read does not matter to a cell elsewhere."""

    def explode(block):
        raise AssertionError("read")

    poison = da.map_blocks(explode, da.zeros((2, 128, 64), dtype=np.uint8, chunks=(2, 64, 64)), dtype=np.uint8)
    level = slide.image.levels[0].rechunk((2, 64, 64))
    wide = replace(slide, image=replace(slide.image, levels=(da.concatenate([level, poison], axis=2),)))
    bound = predictor.bind(wide)
    bound.__dict__["scale"] = predictor.info.intensity
    assert bound.pictures_of(np.array([0])).shape == (1, 3, 64, 64)


def test_pictures_drawn_in_bfloat16_are_those_of_float32(predictor, slide):
    """The weights of products alone are held in bfloat16, and a cell that is not edited stays the same cell."""
    fast = Predictor.load(predictor.info.path, "cpu", precision="bfloat16")
    decoder = fast.model.decoder
    assert decoder.stem.weight.dtype is torch.bfloat16 and decoder.fine_in.norm_in.weight.dtype is torch.float32
    assert fast.model.join.weight.dtype is torch.float32
    cells = np.array([3, 20])
    pictures, exact = (p.bind(slide).generate(cells)[0] for p in (fast, predictor))
    assert not np.array_equal(pictures, exact) and np.corrcoef(pictures.ravel(), exact.ravel())[0, 1] > 0.999
    editor = CellEditor(fast.bind(slide))
    cell = editor.select("cell-20")
    assert cell.zero_edit_psnr_db > 30
    assert np.array_equal(editor.render(cell, {}).image, cell.zero_edit)


def test_a_slide_can_be_read_in_part_on_the_same_scale(bound):
    cells = np.arange(6)
    alone = bound.reading(("genes",))
    assert alone.inputs == ("genes",) and alone.scale is bound.scale and bound.reading(bound.inputs) is bound
    assert alone.hidden == bound.hidden and alone.channel_map == bound.channel_map
    assert not np.allclose(alone.embed(cells).cell, bound.embed(cells).cell)
    with pytest.raises(CheckpointError, match="expected image or genes"):
        bound.reading(("niche",))
