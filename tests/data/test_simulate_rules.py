"""The rules, and the same cell redrawn: no edit, no change; an edit, the change that the rule writes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import FEATURES, RULE_GENES, RULES, load_simulation, simulate_slide
from napari_spatia.data.simulate.noise import pixel_noise, smooth_noise
from napari_spatia.data.simulate.rules import REFERENCE, evaluate_rules, rules_table
from napari_spatia.errors import CellError, PanelError, SlideError

NUM_CELLS, SIZE_PX = 240, 64
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slide(tmp_path_factory.mktemp("simulated") / "slide.zarr", num_cells=NUM_CELLS, seed=5)


@pytest.fixture(scope="module")
def simulation(path):
    return load_simulation(path)


def stored_crop(slide, row: int, size_px: int) -> np.ndarray:
    image = np.asarray(slide.image.levels[0])
    top, left = np.rint(slide.centers_um[row] / slide.image.um_per_px).astype(int) - size_px // 2
    padded = np.pad(image, ((0, 0), (size_px, size_px), (size_px, size_px)))
    return padded[:, top + size_px : top + 2 * size_px, left + size_px : left + 2 * size_px]


def measure(simulation, row: int, log2_fc: dict[str, float]) -> dict[str, float]:
    """What a picture of one cell shows of each feature."""
    drawn = simulation.draw(simulation.cell_id[row], log2_fc, size_px=56)
    own = drawn.owner == row
    nucleus, cytoplasm = own & drawn.nucleus, own & ~drawn.nucleus
    image = drawn.image.astype(float)
    axes = np.linalg.eigvalsh(np.cov(np.stack(np.nonzero(nucleus))))
    return {
        "nucleus_area": nucleus.sum(),
        "cell_area": own.sum(),
        "elongation": np.sqrt(axes[1] / axes[0]),
        "dapi_intensity": image[0][nucleus].mean(),
        "chromatin_contrast": image[0][nucleus].std() / image[0][nucleus].mean(),
        "nucleolus_radius": image[2][nucleus].mean(),
        "boundary_intensity": image[1][own].mean(),
        "rna_intensity": image[2][cytoplasm].mean(),
        "rna_granularity": image[2][cytoplasm].std() / image[2][cytoplasm].mean(),
        "fibre_intensity": image[3][own].mean(),
    }


@pytest.fixture(scope="module")
def whole_cells(simulation) -> np.ndarray:
    """Rows of cells away from the slide's edge, with a nucleus worth measuring."""
    side = simulation.scene.shape_px[0] * simulation.um_per_px
    inner = np.abs(simulation.plan[:, :2] - side / 2).max(axis=1) < side / 2 - 12
    area = np.array([simulation.features(cell_id, {})["nucleus_area"] for cell_id in simulation.cell_id])
    return np.flatnonzero(inner & (area > 20))[::10][:12]


def test_every_feature_is_ruled_and_the_two_nucleus_genes_oppose_each_other():
    assert {rule.feature for rule in RULES} == {feature.name for feature in FEATURES}
    assert len(set(RULE_GENES)) == len(RULES)
    weights = [rule.weight for rule in RULES if rule.feature == "nucleus_area"]
    assert min(weights) < 0 < max(weights)


def test_documentation_prints_the_rules():
    assert rules_table() in DOCUMENTATION.read_text(encoding="utf-8")


@settings(deadline=None)
@given(st.lists(st.floats(0, 9), min_size=len(RULES), max_size=len(RULES)), st.sampled_from(RULES), st.floats(0.1, 3))
def test_rules_are_bounded_and_strictly_monotone(values, rule, step):
    low = {gene: np.array([value]) for gene, value in zip(RULE_GENES, values, strict=True)}
    high = low | {rule.gene: low[rule.gene] + step}
    before, after = evaluate_rules(low), evaluate_rules(high)
    for feature in FEATURES:
        assert 2**-feature.limit <= after[feature.name][0] <= 2**feature.limit
        moved = np.sign(after[feature.name] - before[feature.name])[0]
        assert moved == (np.sign(rule.weight) if feature.name == rule.feature else 0)


def test_at_the_reference_every_feature_is_its_baseline():
    factors = evaluate_rules({gene: np.array([REFERENCE]) for gene in RULE_GENES})
    assert all(factor == 1.0 for factor in factors.values())


def test_a_nucleus_gene_changes_the_area_at_least_twofold_over_its_natural_range(simulation):
    low, high = (np.quantile(simulation.values[:, RULE_GENES.index("LMNB1")], q) for q in (0.05, 0.95))
    values = {gene: np.full(2, REFERENCE) for gene in RULE_GENES} | {"LMNB1": np.array([low, high])}
    small, large = evaluate_rules(values)["nucleus_area"]
    assert large / small >= 2


def test_no_edit_gives_the_stored_pixels_bit_for_bit(path, simulation):
    slide = open_slide(path)
    edge = int(simulation.plan[:, 0].argmin())
    for row in [edge, *range(0, NUM_CELLS, 30)]:
        for log2_fc in ({}, {"LMNB1": 0.0, "INS": 2.0}):
            crop = simulation.redraw(simulation.cell_id[row], log2_fc, size_px=SIZE_PX)
            np.testing.assert_array_equal(crop, stored_crop(slide, row, SIZE_PX))


def test_owners_of_a_redrawn_crop_are_the_labels(path, simulation):
    slide = open_slide(path)
    labels = np.asarray(slide.labels.levels[0])
    for row in range(0, NUM_CELLS, 60):
        drawn = simulation.draw(simulation.cell_id[row], {})
        (top, left), (height, width) = drawn.origin_px, drawn.owner.shape
        ys, xs = (slice(max(a, 0), min(a + n, labels.shape[0])) for a, n in ((top, height), (left, width)))
        owner = drawn.owner[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left]
        assert np.mean(owner + 1 == labels[ys, xs]) > 0.995


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.gene)
def test_an_edit_moves_its_feature_in_the_written_direction(simulation, whole_cells, rule):
    rise = []
    for row in whole_cells:
        low, high = (measure(simulation, row, {rule.gene: change})[rule.feature] for change in (-1.5, 2.0))
        rise.append(high - low)
    agree = np.mean(np.sign(rise) == np.sign(rule.weight))
    assert agree >= (0.7 if rule.feature == "rna_granularity" else 0.9)


def test_an_edit_is_graded(simulation, whole_cells):
    growth = []
    for row in whole_cells[:6]:
        areas = [measure(simulation, row, {"LMNB1": change})["nucleus_area"] for change in (0, 0.5, 1, 2, 3)]
        assert areas == sorted(areas) and areas[-1] > areas[0]
        growth.append(areas[-1] / areas[0])
    assert np.median(growth) > 1.4


def test_an_edit_leaves_what_is_far_away(simulation, whole_cells):
    cell_id = simulation.cell_id[whole_cells[0]]
    plain, edited = (simulation.redraw(cell_id, fc, size_px=192) for fc in ({}, {"LMNB1": 2.0, "MTOR": 2.0}))
    changed = (plain != edited).any(axis=0)
    assert changed[64:128, 64:128].any()
    assert not changed[:20].any() and not changed[-20:].any()


def test_other_neighbours_leave_the_cell_and_what_is_far_away(simulation, whole_cells):
    row = int(whole_cells[0])
    cell_id = simulation.cell_id[row]
    plain = simulation.draw(cell_id, {}, size_px=192)
    near = [int(other) for other in np.unique(plain.owner[64:128, 64:128]) if other not in (-1, row)]
    other_type = next(r for r in range(NUM_CELLS) if simulation.plan[r, 5] != simulation.plan[near[0], 5])
    gone = simulation.surrounded(dict.fromkeys(near, -1)).draw(cell_id, {}, size_px=192)
    assert not np.isin(gone.owner, near).any() and (gone.owner == row).sum() >= (plain.owner == row).sum()
    replaced = simulation.surrounded({near[0]: other_type}).draw(cell_id, {}, size_px=192)
    changed = (plain.image != replaced.image).any(axis=0)
    assert changed[plain.owner == near[0]].mean() > 0.9
    assert not changed[:10].any() and not changed[-10:].any()
    assert (simulation.draw(cell_id, {}, size_px=192).image == plain.image).all()  # the slide itself is as it was
    edited = simulation.surrounded({near[0]: row}).draw(cell_id, {})
    assert (edited.image != plain.image[:, 64:128, 64:128]).any()


def test_edits_follow_the_edit_rule(simulation):
    cell_id, gene = simulation.cell_id[7], "LMNB1"
    value = simulation.values[7, RULE_GENES.index(gene)]
    gone = simulation.features(cell_id, {gene: -value})["nucleus_area"]
    assert simulation.features(cell_id, {gene: -value - 5})["nucleus_area"] == gone
    assert simulation.features(cell_id, {gene: 1.0})["nucleus_area"] > gone


def test_what_is_not_there_is_said(path, simulation, tmp_path):
    with pytest.raises(CellError, match="'nobody'"):
        simulation.redraw("nobody", {})
    with pytest.raises(PanelError, match="LMNB9.*LMNB1"):
        simulation.redraw(simulation.cell_id[0], {"LMNB9": 1.0})
    with pytest.raises(SlideError, match="not a simulated slide"):
        load_simulation(tmp_path)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 90), st.integers(1, 90), st.integers(0, 9))
def test_pixel_noise_does_not_depend_on_the_window(y, x, height, width, seed):
    whole = pixel_noise(seed, (0, 0), (391, 391), 2)
    window = pixel_noise(seed, (y, x), (height, width), 2)
    np.testing.assert_array_equal(window, whole[:, y : y + height, x : x + width])


def test_smooth_noise_is_standard_and_periodic():
    y, x = np.meshgrid(np.linspace(0, 128, 700), np.linspace(0, 128, 700), indexing="ij")
    noise = smooth_noise(y, x, 3)
    assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(smooth_noise(y + 128, x - 128, 3), noise, atol=1e-9)
