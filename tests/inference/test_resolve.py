import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_spatia.batching.features import normalised_values
from napari_spatia.errors import Cancelled, PanelError, SpatiaError
from napari_spatia.inference.edits import Edit, NicheEdit
from napari_spatia.inference.perturb import EDITS_AT_ONCE, CellEditor
from napari_spatia.inference.programmes import Programme
from napari_spatia.inference.resolve import EditResolver

CELL = 27
PROGRAMMES = {"up_and_down": Programme("up_and_down", "", ("GENE1", "GENE2", "OTHER"), ("GENE3",))}
EVERY_KIND = (
    Edit((("GENE5", 1.0),)),
    Edit((("GENE5", 1.0), ("GENE6", -1.0))),
    Edit((("programme:up_and_down", 1.0),)),
    Edit((("towards:T_cell", 1.0),)),
    Edit((("GENE5", 1.0),), coexpressed=True),
)


@pytest.fixture(scope="module")
def bound(tiny_predictor, grid_slide):
    return tiny_predictor.bind(grid_slide)


@pytest.fixture(scope="module")
def prediction(grid_slide):
    """Two domains, left and right, and niche embeddings in which cells 3 and 60 are the most typical."""
    num = grid_slide.num_cells
    domain = np.where(np.arange(num) % 8 < 4, "1", "2")
    niche = np.random.default_rng(0).normal(size=(num, 6)).astype(np.float32)
    for typical, name in ((3, "1"), (60, "2")):
        others = (domain == name) & (np.arange(num) != typical)
        niche[typical] = niche[others].mean(axis=0)
    return SimpleNamespace(cell_type=np.full(num, "predicted"), domain=domain, embedding={"niche": niche})


@pytest.fixture(scope="module")
def resolver(bound, prediction):
    return EditResolver(bound, prediction)


def drawn(bound, resolved):
    editor = CellEditor(bound)
    return editor.render(editor.select(f"cell-{CELL}", 2), resolved.log2_fc, resolved.around)


@pytest.mark.parametrize("edit", EVERY_KIND)
def test_strength_zero_is_the_zero_edit_bit_for_bit(bound, resolver, edit):
    resolved = resolver.resolve(CELL, edit.at_zero(), PROGRAMMES)
    assert resolved.log2_fc == resolved.changed == {} and resolved.around is None and not resolved.stopped
    editor = CellEditor(bound)
    cell = editor.select(f"cell-{CELL}", 2)
    assert np.array_equal(editor.render(cell, resolved.log2_fc, resolved.around).image, cell.zero_edit)


@pytest.mark.parametrize("edit", EVERY_KIND)
def test_every_kind_is_graded(bound, resolver, edit):
    zero = drawn(bound, resolver.resolve(CELL, edit.at_zero(), PROGRAMMES)).image
    change = []
    for part in (0.25, 0.5, 1.0):
        weaker = replace(edit, terms=tuple((key, part * value) for key, value in edit.terms))
        change.append(float(np.abs(drawn(bound, resolver.resolve(CELL, weaker, PROGRAMMES)).image - zero).mean()))
    assert 0 < change[0] < change[1] < change[2]


def test_genes_and_programmes_add_up_and_missing_genes_are_said(resolver):
    edit = Edit((("GENE1", 0.5), ("programme:up_and_down", 1.0)))
    resolved = resolver.resolve(CELL, edit, PROGRAMMES)
    assert resolved.log2_fc == {"GENE1": 1.5, "GENE2": 1.0, "GENE3": -1.0}
    assert resolved.notes == ("up_and_down: 3 of 4 genes are on the panel; not on it: OTHER.",)


def test_all_the_way_towards_a_type_is_the_difference_of_the_means(bound, resolver, grid_slide):
    """Cells 0, 3, 6 … are acinar; cell 27 is one, so the way leads to T cells."""
    types = grid_slide.known_types()
    assert types[CELL] == "acinar"
    values = bound.values.toarray()
    difference = values[types == "T_cell"].mean(axis=0) - values[types == "acinar"].mean(axis=0)
    for part in (0.5, 1.0):
        resolved = resolver.resolve(CELL, Edit((("towards:T_cell", part),)), PROGRAMMES)
        found = np.array([resolved.log2_fc.get(gene, 0.0) for gene in grid_slide.panel.genes])
        np.testing.assert_allclose(found, part * np.where(np.abs(difference) < 0.05, 0, difference), atol=1e-6)
    assert resolver.resolve(CELL, Edit((("towards:acinar", 1.0),)), PROGRAMMES).log2_fc == {}


def test_what_is_stopped_at_zero_is_said(bound, resolver):
    before = bound.values[CELL].toarray().ravel()
    resolved = resolver.resolve(CELL, Edit((("GENE4", -20.0), ("GENE5", 1.0))), PROGRAMMES)
    assert resolved.stopped == ("GENE4",) and resolved.log2_fc["GENE4"] == -20.0
    assert resolved.changed == pytest.approx({"GENE4": -before[4], "GENE5": 1.0})


def test_a_completed_edit_changes_more_genes_and_reaches_as_far_as_they_do(tiny_predictor, grid_slide):
    rng = np.random.default_rng(0)
    counts = rng.poisson(8.0, grid_slide.counts.shape).astype(np.float32)
    counts[:, 6] = 2 * counts[:, 5] + rng.poisson(1.0, len(counts))
    bound = tiny_predictor.bind(replace(grid_slide, counts=type(grid_slide.counts)(counts)))
    resolver = EditResolver(bound)
    alone, completed = (resolver.resolve(CELL, Edit((("GENE5", 2.0),), on), {}) for on in (False, True))
    assert alone.log2_fc == {"GENE5": 2.0} and not alone.following
    assert completed.log2_fc["GENE5"] == 2.0 and completed.log2_fc["GENE6"] > 0.5 and "GENE6" in completed.following
    assert completed.notes == ("Co-expression learned from 64 cells of the slide.",), "a type of 21 cells is too small"
    editor = CellEditor(bound)
    given = editor.render(editor.select(f"cell-{CELL}", 2), completed.log2_fc)
    assert given.reach_percentile == drawn(bound, completed).reach_percentile


def encoding_of(bound, around):
    genes = bound.genes_of(np.array([CELL]))
    with torch.no_grad():
        return bound.model.encode(bound.around(np.array([CELL])) if around is None else around, genes)


@pytest.mark.parametrize(
    ("niche", "note"),
    [
        ("remove", r"(\d+) of \1 neighbours are removed"),
        ("remove=T_cell", r"\d+ of \d+ neighbours are removed"),
        ("replace=T_cell", r"\d+ of \d+ neighbours express what T_cell cells do"),
        ("cell=cell-60", "in the surroundings of cell-60"),
        ("domain=1", "in the surroundings of cell-3"),
    ],
)
def test_niche_edits_change_niche_and_tissue_and_nothing_else(bound, resolver, niche, note):
    resolved = resolver.resolve(CELL, Edit(niche=NicheEdit.parse(niche)), PROGRAMMES)
    assert resolved.log2_fc == {} and len(resolved.notes) == 1
    assert re.search(note, resolved.notes[0])
    before, after = encoding_of(bound, None), encoding_of(bound, resolved.around)
    assert torch.equal(before.cell, after.cell) and torch.equal(before.gene_tokens, after.gene_tokens)
    assert not torch.allclose(before.niche, after.niche) and not torch.allclose(before.fused, after.fused)
    assert not np.array_equal(drawn(bound, resolved).image, CellEditor(bound).select(f"cell-{CELL}", 2).zero_edit)


def test_neighbours_are_removed_by_type_and_replaced_in_their_places(bound, resolver, grid_slide):
    types, neighbour = grid_slide.known_types(), bound.surroundings.neighbour[CELL]
    there = neighbour >= 0
    is_t_cell = there & (types[neighbour] == "T_cell")
    assert is_t_cell.any() and not is_t_cell[there].all()
    removed = resolver.resolve(CELL, Edit(niche=NicheEdit.parse("remove=T_cell")), {}).around
    assert removed.has_neighbour[0].tolist() == (there & ~is_t_cell).tolist()
    before = bound.around(np.array([CELL]))
    replaced = resolver.resolve(CELL, Edit(niche=NicheEdit.parse("replace=T_cell")), {}).around
    same = (replaced.neighbour[0] == before.neighbour[0]).all(dim=1).numpy()
    assert same[is_t_cell].all() and not same[there & ~is_t_cell].any()
    assert torch.equal(replaced.neighbour_offset_um, before.neighbour_offset_um)
    known = bound.embeddings.of_cells(np.arange(64))[torch.from_numpy(types == "T_cell")]
    assert all((known == row).all(dim=1).any() for row in replaced.neighbour[0][torch.from_numpy(there)])


@pytest.mark.parametrize("niche", ["remove=T_cell", "replace=T_cell", "cell=cell-60"])
def test_types_are_read_off_the_neighbours_that_are_left_after_an_edit(bound, resolver, grid_slide, niche):
    types, rows = grid_slide.known_types(), resolver.neighbours(CELL)
    around = resolver.resolve(CELL, Edit(niche=NicheEdit.parse(niche)), {}).around
    read = around.neighbour_idx[0][around.has_neighbour[0]].numpy()
    if niche == "remove=T_cell":
        assert read.tolist() == rows[types[rows] != "T_cell"].tolist()
    elif niche == "replace=T_cell":
        assert len(read) == len(rows) and (types[read] == "T_cell").all()
    else:
        assert read.tolist() == resolver.neighbours(60).tolist()
    seen = bound.features(around, bound.genes_of(np.array([CELL])), encoding_of(bound, around).fused).around
    expression = normalised_values(bound.values).toarray()[:, bound.model.config.read_idx]
    np.testing.assert_allclose(seen[0].numpy(), expression[read].mean(axis=0), rtol=1e-4, atol=1e-5)


def test_single_neighbours_are_removed_and_replaced(bound, resolver, grid_slide):
    types, rows = grid_slide.known_types(), resolver.neighbours(CELL)
    assert rows.tolist() == [row for row in bound.surroundings.neighbour[CELL] if row >= 0]
    picked = [row for row in rows if types[row] != "T_cell"][:2]
    far = next(row for row in range(64) if row not in rows and row != CELL)
    named = ",".join(f"cell-{row}" for row in (*picked, far))
    is_picked = np.isin(bound.surroundings.neighbour[CELL], picked)
    before = bound.around(np.array([CELL]))
    removed = resolver.resolve(CELL, Edit(niche=NicheEdit.parse(f"remove@{named}")), {})
    assert removed.around.has_neighbour[0].tolist() == (before.has_neighbour[0].numpy() & ~is_picked).tolist()
    assert removed.notes == (f"2 of {len(rows)} neighbours are removed. No neighbours of this cell: cell-{far}.",)
    replaced = resolver.resolve(CELL, Edit(niche=NicheEdit.parse(f"replace=T_cell@{named}")), {})
    same = (replaced.around.neighbour[0] == before.neighbour[0]).all(dim=1).numpy()
    assert same.tolist() == (~is_picked).tolist()
    assert replaced.notes[0].startswith(f"2 of {len(rows)} neighbours express what T_cell cells do.")
    with pytest.raises(SpatiaError, match="'cell-999' is not on slide"):
        resolver.resolve(CELL, Edit(niche=NicheEdit.parse("remove@cell-999")), {})


def test_moving_a_cell_to_its_own_place_changes_nothing(bound, resolver):
    resolved = resolver.resolve(CELL, Edit(niche=NicheEdit.parse(f"cell=cell-{CELL}")), {})
    assert np.array_equal(drawn(bound, resolved).image, CellEditor(bound).select(f"cell-{CELL}", 2).zero_edit)


def test_types_are_the_slides_own_and_else_the_predicted(bound, resolver, prediction, tiny_predictor, grid_slide):
    assert resolver.types.names == ("T_cell", "acinar", "ductal") and resolver.domains.names == ("1", "2")
    untyped = tiny_predictor.bind(replace(grid_slide, obs=grid_slide.obs.drop(columns="cell_type")))
    assert EditResolver(untyped, prediction).types.names == ("predicted",)
    nothing = EditResolver(untyped)
    assert nothing.types.names == nothing.domains.names == ()
    with pytest.raises(SpatiaError, match="no cell type 'acinar'.*predict first"):
        nothing.resolve(CELL, Edit((("towards:acinar", 1.0),)), {})
    assert nothing.resolve(CELL, Edit(niche=NicheEdit.parse("remove")), {}).around is not None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit((("GENE99", 1.0),)), "'GENE99' is not in the panel"),
        (Edit((("programme:up_and_dwn", 1.0),)), "Did you mean up_and_down"),
        (Edit((("towards:acinr", 1.0),)), "no cell type 'acinr'. Did you mean acinar"),
        (Edit(niche=NicheEdit.parse("replace=nobody")), "no cell type 'nobody'"),
        (Edit(niche=NicheEdit.parse("domain=9")), "no niche domain '9'"),
        (Edit(niche=NicheEdit.parse("cell=nobody")), "'nobody' is not on slide"),
    ],
)
def test_unknown_names_are_answered(resolver, edit, message):
    with pytest.raises(SpatiaError, match=message):
        resolver.resolve(CELL, edit, PROGRAMMES)


def test_a_slide_bound_without_its_niche_has_none_to_edit(tiny_predictor, grid_slide):
    resolver = EditResolver(tiny_predictor.bind(grid_slide, inputs=("genes",)))
    with pytest.raises(SpatiaError, match="niche cannot be edited"):
        resolver.resolve(CELL, Edit(niche=NicheEdit.parse("remove")), {})


@pytest.mark.parametrize("text", ["remove", "remove=a b", "replace=T_cell", "cell=c=1", "domain=3"])
def test_a_niche_edit_survives_its_text(text):
    assert str(NicheEdit.parse(text)) == text


@pytest.mark.parametrize("text", ["", "replace", "cell=", "swap=a"])
def test_a_text_that_is_no_niche_edit_is_answered(text):
    with pytest.raises(SpatiaError, match="is no niche edit. Expected remove"):
        NicheEdit.parse(text)


def test_a_programme_off_the_panel_is_answered(resolver):
    with pytest.raises(PanelError, match="cannot be edited"):
        resolver.resolve(CELL, Edit((("programme:far", 1.0),)), {"far": Programme("far", "", ("X",))})


def test_a_gene_that_rises_by_any_amount_is_not_called_stopped(bound, resolver):
    expressed = np.array(bound.predictor.info.panel.genes)[bound.values[0].indices]
    for rise in (0.1, 0.7, 2.98):
        edit = Edit(tuple((str(gene), rise) for gene in expressed))
        assert resolver.resolve(0, edit, {}).stopped == ()


def test_many_edits_drawn_at_once_are_those_drawn_alone(bound, resolver):
    asked = [
        *EVERY_KIND,
        Edit(),
        Edit((("GENE5", 1.0),), niche=NicheEdit.parse("remove")),
        Edit(niche=NicheEdit.parse("cell=cell-60")),
        *(Edit(((f"GENE{gene}", 4.0),)) for gene in range(1, 8)),
    ]
    edits = [resolver.resolve(CELL, edit, PROGRAMMES) for edit in asked]
    editor = CellEditor(bound)
    editor.prepare()
    cell = editor.select(f"cell-{CELL}", 2)
    told = []
    many = editor.render_many(cell, edits, progress=lambda fraction, doing: told.append(fraction))
    alone = [editor.render(cell, edit.log2_fc, edit.around) for edit in edits]
    assert len(edits) > EDITS_AT_ONCE and told == sorted(told) and told[-1] == 1.0
    for one, among in zip(alone, many, strict=True):
        scale = np.ptp(one.image, axis=(1, 2)).max()
        assert np.abs(one.image - among.image).max() <= 1e-4 * scale
        assert np.allclose(one.type_probability, among.type_probability, atol=1e-5)
        assert one.reach_percentile == among.reach_percentile and one.log2_fc == among.log2_fc
        assert np.allclose(one.embedding, among.embedding, atol=1e-5)
        assert torch.allclose(one.condition.vector, among.condition.vector, atol=1e-5)
    again = editor.render_many(cell, edits)
    assert all(np.array_equal(one.image, two.image) for one, two in zip(many, again, strict=True))
    assert np.array_equal(editor.render_many(cell, edits[:1])[0].image, alone[0].image)  # one is `render` bit for bit


def test_many_edits_in_other_passes_are_of_a_cell_read_in_them(bound, resolver):
    editor, edits = CellEditor(bound), [resolver.resolve(CELL, EVERY_KIND[0], PROGRAMMES)]
    cell = editor.select(f"cell-{CELL}", 2)
    (drawn_in_one,) = editor.render_many(cell, edits, nfe=1)
    assert drawn_in_one.nfe == 1 and cell.nfe == 2
    expected = editor.render(editor.select(f"cell-{CELL}", 1), edits[0].log2_fc)
    assert np.array_equal(drawn_in_one.image, expected.image)


def test_many_edits_stop_when_they_are_not_wanted(bound, resolver):
    editor, edits = CellEditor(bound), [resolver.resolve(CELL, EVERY_KIND[0], PROGRAMMES)] * 400
    told = []

    def stop(fraction, doing):
        told.append(fraction)
        raise Cancelled("sensitivity")

    with pytest.raises(Cancelled):
        editor.render_many(editor.select(f"cell-{CELL}", 1), edits, progress=stop)
    assert len(told) == 1
