"""Strips, grids, comparisons and screens as verbs: what they ask of the model, what they refuse, what goes stale."""

import time

import numpy as np
import pytest

from app_fakes import GENES, make_slide
from napari_spatia.errors import CellError, PanelError, SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session

PANEL = GENES[:10]


@pytest.fixture
def session(fake_backend, small_slide, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    session.load_checkpoint("fake")
    session.select_cell("cell-5")
    return session


def test_a_sweep_keeps_the_rest_of_the_edit(session):
    session.set_log2_fc("GENE2", 1.0)
    session.sweep("GENE3")
    strip = session.state.strip
    assert strip.doses == (-3, -2, -1, 0, 1, 2, 3) and strip.key == "GENE3" and strip.cell is session.state.cell
    assert [dict(each.edit.active().terms) for each in strip.drawn][:2] == [
        {"GENE2": 1.0, "GENE3": -3.0}, {"GENE2": 1.0, "GENE3": -2.0},
    ]  # fmt: skip
    assert strip.before.edit == Edit()
    session.sweep("towards:ductal")
    assert session.state.strip.doses == (0, 0.25, 0.5, 0.75, 1)
    session.sweep("GENE3", [2, 0, 2])
    assert session.state.strip.doses == (0, 2)


def test_a_grid_and_a_comparison(session):
    session.grid("GENE1", "GENE2", [0, 1], [0, 2, 4])
    grid = session.state.grid
    assert (grid.doses_a, grid.doses_b) == ((0, 1), (0, 2, 4))
    assert dict(grid.drawn[1][2].edit.active().terms) == {"GENE1": 1.0, "GENE2": 4.0}
    session.set_log2_fc("GENE1", 3.0)
    session.set_beside("cell-7")
    first, second = session.state.side_by_side.cells
    assert (first.cell.cell_id, second.cell.cell_id) == ("cell-5", "cell-7")
    assert second.after.features["cell_area"] - second.before.features["cell_area"] == 3.0


def test_a_screen_is_of_the_selected_cell_and_all_genes_unless_it_is_said(session, fake_backend, tmp_path):
    session.screen(feature="DAPI:mean")
    plan, folder = fake_backend.editors[-1].screened[-1]
    assert (plan.cells, plan.genes, plan.log2_fc) == (("cell-5",), PANEL, 2.0)
    assert folder == tmp_path / "sidecar" / "screens" and session.state.feature == "DAPI:mean"
    assert [gene.gene for gene in session.state.screen.ranked("DAPI:mean")][:2] == ["GENE9", "GENE8"]
    session.screen(["cell-1", "cell-2", "cell-1"], ["GENE4", "GENE3"], log2_fc=-4)
    plan, _ = fake_backend.editors[-1].screened[-1]
    assert (plan.cells, plan.genes, plan.log2_fc) == (("cell-1", "cell-2"), ("GENE4", "GENE3"), -4.0)


def test_a_gene_of_the_screen_goes_onto_a_slider_of_the_screened_cell(session):
    session.screen(["cell-1"], log2_fc=1.5)
    session.edit_as_screened("GENE7")
    assert session.state.selected == "cell-1" and dict(session.state.edit.present.terms)["GENE7"] == 1.5
    session.undo()
    assert dict(session.state.edit.present.terms).get("GENE7", 0.0) == 0.0
    session.screen(["cell-1", "cell-2"])
    session.select_cell("cell-3")
    session.edit_as_screened("GENE7")
    assert session.state.selected == "cell-3", "many cells were screened: the person's own stays"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda s: s.sweep("GENE11"), PanelError, "'GENE11' is not in the panel"),
        (lambda s: s.sweep("GENE1", [1.0]), SpatiaError, "Doses of 'GENE1' are 1; expected 2 to 49"),
        (lambda s: s.sweep("GENE1", [0.0, 17.0]), SpatiaError, "from -16 to 16"),
        (lambda s: s.sweep("GENE1", [0.0, float("nan")]), SpatiaError, "Doses of 'GENE1'"),
        (lambda s: s.grid("GENE1", "GENE1"), SpatiaError, "named twice"),
        (lambda s: s.grid("GENE1", "GENE2", np.linspace(-4, 4, 8)), SpatiaError, "8 x 8 pictures are too many"),
        (lambda s: s.set_beside("cell-5"), SpatiaError, "is the selected cell"),
        (lambda s: s.set_beside("cell-99"), CellError, "'cell-99' is not on slide 'small' \\(16 cells\\)"),
        (lambda s: s.screen(["cell-1", "nowhere"]), CellError, "'nowhere'"),
        (lambda s: s.screen(genes=["GENE1", "GENE11"]), PanelError, "'GENE11'"),
        (lambda s: s.screen([]), SpatiaError, "at least one cell"),
        (lambda s: s.screen(log2_fc=0.0), SpatiaError, "not 0"),
        (lambda s: s.screen(log2_fc=float("nan")), SpatiaError, "not 0"),
        (lambda s: s.screen(feature="beauty"), SpatiaError, "no feature 'beauty'. Choose one of cell_area"),
        (lambda s: s.edit_as_screened("GENE1"), SpatiaError, "no screen yet"),
    ],
)
def test_what_cannot_be_done_is_said(session, call, error, says):
    with pytest.raises(error, match=says):
        call(session)
    assert session.state.strip is session.state.grid is session.state.screen is None


def test_without_a_model_or_a_cell_it_is_said_what_to_do(fake_backend, small_slide, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path)
    session.show(small_slide)
    with pytest.raises(SpatiaError, match="Load a checkpoint first"):
        session.sweep("GENE1")
    session.load_checkpoint("fake")
    with pytest.raises(SpatiaError, match="Select a cell first"):
        session.screen()
    session.screen(["cell-3"])
    assert session.state.screen.plan.cells == ("cell-3",), "named cells need not be selected"


def test_what_was_drawn_stays_with_another_cell_and_goes_with_another_slide_or_model(session, tmp_path):
    def draw():
        session.select_cell(session.slide.cell_id[5])
        session.sweep("GENE1")
        session.grid("GENE1", "GENE2")
        session.screen()
        session.set_beside(session.slide.cell_id[6])

    def there():
        state = session.state
        return [each is not None for each in (state.strip, state.grid, state.screen, state.side_by_side)]

    draw()
    session.select_cell("cell-2")
    assert there() == [True] * 4
    session.load_checkpoint("fake")
    assert there() == [False] * 4
    draw()
    session.show(make_slide(tmp_path / "other.zarr", grid=3))
    assert there() == [False] * 4


def test_a_screen_that_is_cancelled_leaves_no_result(fake_backend, small_slide, tmp_path):
    jobs = ThreadJobs(lambda call: call())
    session = Session(jobs, fake_backend, tmp_path / "sidecar")
    session.show(small_slide)
    jobs.wait()
    session.load_checkpoint("fake")
    while not session.state.types:  # jobs that follow on jobs
        assert jobs.wait()
    fake_backend.gate.clear()
    session.screen(["cell-1"])
    while "screen" not in session.state.jobs:
        time.sleep(0.01)
    session.jobs.cancel("screen")
    fake_backend.gate.set()
    assert jobs.wait()
    assert session.state.screen is None and session.state.jobs["screen"].cancelled
    session.screen(["cell-1"])
    assert jobs.wait()
    assert session.state.screen is not None
    session.close()
