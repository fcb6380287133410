import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import app_fakes
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.errors import CellError, CheckpointError, PanelError, SpatiaError
from napari_spatia.inference.edits import Edit, NicheEdit
from napari_spatia.inference.programmes import Programme
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


@pytest.fixture
def ready(session):
    session.load_checkpoint("fake")
    return session


class Background:
    """A session in threads whose results wait until the test, as owner of the state, takes them."""

    def __init__(self, backend, sidecar):
        self._calls, self._lock = [], threading.Lock()
        self.jobs = ThreadJobs(self._deliver)
        self.session = Session(self.jobs, backend, sidecar)

    def _deliver(self, call):
        with self._lock:
            self._calls.append(call)

    def settle(self):
        """Take results until nothing runs and nothing waits."""
        while True:
            assert self.jobs.wait(10)
            if not self.take():
                return

    def take(self):
        """Take what has been delivered so far; False when that is nothing."""
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:
            call()
        return bool(calls)


@pytest.fixture
def background(small_slide, fake_backend, tmp_path):
    made = []

    def make(backend=fake_backend, slide=small_slide):
        made.append(Background(backend, tmp_path / f"sidecar-{len(made)}"))
        made[-1].session.show(slide)
        made[-1].settle()
        made[-1].session.load_checkpoint("fake")
        made[-1].settle()
        return made[-1]

    yield make
    fake_backend.gate.set()
    fake_backend.predict_gate.set()
    for entry in made:
        entry.session.close()


def test_a_new_slide_is_coloured_by_the_types_it_came_with(session):
    assert session.state.slide.num_cells == 16
    assert session.state.colour == "obs:cell_type"
    assert {row.name: row.count for row in session.state.lookup.legend} == {"acinar": 6, "T_cell": 5, "ductal": 5}


def test_predict_colours_by_predicted_type_in_the_same_colours(ready):
    known = {row.name: row.colour for row in ready.state.lookup.legend}
    ready.predict(seed=3)
    assert ready.state.colour == "type"
    assert {row.name: row.colour for row in ready.state.lookup.legend} == known
    assert ready.state.prediction.provenance == {"seed": 3} and not ready.state.prediction_saved


def test_every_listed_choice_can_be_shown(ready):
    ready.predict()
    choices = ready.colour_choices()
    assert {choice.group for choice in choices} >= {"Predicted", "Table", "Measured gene", "Imputed gene", "Annotated"}
    assert "obs:name" not in {choice.key for choice in choices}, "an identifier is nothing to colour by"
    for choice in choices:
        ready.colour_by(choice.key)
        assert ready.state.lookup.key == choice.key
        assert ready.state.lookup.rgba.shape == (16, 4)


@pytest.mark.parametrize(
    ("key", "message"),
    [("type", "Predict first"), ("obs:cell_typ", "Did you mean obs:cell_type"), ("gene:GENE", "not in the panel"),
     ("imputed:X", "no imputed expression"), ("nonsense", "cannot be coloured by")],
)  # fmt: skip
def test_unknown_colour_is_answered(session, key, message):
    before = session.state.colour
    with pytest.raises(SpatiaError, match=message):
        session.colour_by(key)
    assert session.state.colour == before


def test_range_and_hidden_categories_belong_to_the_key(session):
    session.show_category("acinar", False)
    assert session.state.lookup.rgba[0, 3] == 0
    session.colour_by("gene:GENE0")
    assert session.state.hidden == frozenset()
    session.show_range(8, 4)
    assert session.state.lookup.shown_range == (4, 8)
    session.colour_by("obs:area")
    assert session.state.shown_range is None


def test_one_category_alone_and_all_again(session):
    session.solo_category("ductal")
    assert session.state.hidden == {"acinar", "T_cell"}
    session.solo_category("ductal")
    assert session.state.hidden == frozenset()
    session.show_category("acinar", False)
    session.show_all_categories()
    assert (session.state.lookup.rgba[:, 3] == 255).all()


def test_a_category_takes_the_colour_it_is_given_and_keeps_it(session):
    session.recolour_category("ductal", (9, 8, 7))
    session.colour_by("gene:GENE0")
    session.colour_by("obs:cell_type")
    assert {row.name: row.colour for row in session.state.lookup.legend}["ductal"] == (9, 8, 7)
    with pytest.raises(SpatiaError, match="no category 'nobody'"):
        session.recolour_category("nobody", (0, 0, 0))
    session.add_class("mine", (1, 1, 1))
    session.colour_by("annotation")
    session.recolour_category("mine", (2, 2, 2))
    assert session.state.annotations.find("mine").colour == (2, 2, 2)


def test_saved_colours_come_back_with_the_slide(tmp_path, fake_backend):
    path = simulate_slide(tmp_path / "tissue.zarr", num_cells=60, seed=3)
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(path)
    name = session.state.lookup.legend[0].name
    session.recolour_category(name, (10, 20, 30))
    session.save_colours()
    colours = {row.name: row.colour for row in session.state.lookup.legend}
    again = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    again.open(path)
    assert {row.name: row.colour for row in again.state.lookup.legend} == colours and colours[name] == (10, 20, 30)
    again.colour_by(f"gene:{again.slide.panel.genes[0]}")
    with pytest.raises(SpatiaError, match="categorical columns"):
        again.save_colours()


def test_a_gene_is_shown_as_counted_normalised_or_imputed(ready):
    ready.predict()
    ready.colour_by("gene:GENE1")
    assert [form.label for form in ready.gene_forms()] == ["Counts", "Normalised", "Imputed"]
    counts = ready.slide.counts[:, 1].toarray().ravel()
    values = ready._values().read("normalised:GENE1").data
    total = np.asarray(ready.slide.counts.sum(axis=1)).ravel()
    assert values == pytest.approx(np.log1p(100 * counts / total), rel=1e-5)
    ready.colour_by("imputed:GENE1")
    assert ready.state.lookup.title == "GENE1 (imputed, r = 0.41 where hidden)"
    ready.colour_by("imputed:HIDDEN")
    assert ready.state.lookup.title == "HIDDEN (imputed)" and len(ready.gene_forms()) == 1
    ready.colour_by("obs:area")
    assert ready.gene_forms() == ()


def test_percentiles_and_colour_map_stay_with_the_next_numbers(session):
    session.colour_by("gene:GENE0")
    session.show_percentiles(10, 90)
    session.set_colormap("cividis")
    assert session.state.lookup.shown_range == (1.5, 13.5) and session.state.lookup.colormap == "cividis"
    session.show_range(2, 3)
    session.colour_by("obs:area")
    assert session.state.lookup.shown_range == pytest.approx((11.0, 19.0))
    for verb, values in ((session.show_percentiles, (90, 10)), (session.set_colormap, ("mud",))):
        with pytest.raises(SpatiaError, match="[Ee]xpected"):
            verb(*values)


def test_a_point_finds_its_cell(session):
    assert session.cell_at(4.0, 12.0) == "cell-1"
    assert session.cell_at(0.1, 0.1) is None
    assert session.cell_at(-5.0, 4.0) is None and session.cell_at(4.0, 1e6) is None


def test_selecting_gives_card_crop_and_inversion(ready):
    ready.select_cell("cell-5")
    state = ready.state
    assert state.card.cell_idx == 5 and state.card.known_type == "ductal" and state.card.cell_type is None
    assert dict(state.card.top_genes)["GENE0"] == 5
    assert state.crop.image.shape == (2, app_fakes.CROP_PX, app_fakes.CROP_PX)
    assert state.cell.cell_id == "cell-5"
    assert [gene for gene, _ in state.edit.present.terms] == [gene for gene, _ in state.card.top_genes if gene in
                                                       state.checkpoint.panel][:4]  # fmt: skip
    assert np.array_equal(state.counterfactual.image, state.cell.zero_edit), "nothing edited yet"


def test_edit_render_undo(ready):
    ready.select_cell("cell-1")
    ready.set_log2_fc("GENE9", 1.0)
    ready.render()
    assert ready.state.counterfactual.log2_fc == {"GENE9": 1.0}
    for value in (1.5, 1.8, 2.0):
        ready.set_log2_fc("GENE9", value, gesture="GENE9")
    ready.end_gesture()
    ready.undo()
    assert dict(ready.state.edit.present.terms)["GENE9"] == 1.0
    ready.redo()
    ready.reset_edit()
    assert set(dict(ready.state.edit.present.terms).values()) == {0.0}
    ready.remove_term("GENE9")
    assert "GENE9" not in dict(ready.state.edit.present.terms)


def test_every_kind_of_edit_is_drawn_and_undone(ready, fake_backend):
    ready.select_cell("cell-1")
    ready.state.programmes = {"mine": Programme("mine", "", ("GENE1",))}
    start = ready.state.edit.present
    niche = NicheEdit.parse("replace=ductal")
    ready.set_strength("programme:mine", 1.0)
    ready.set_strength("towards:ductal", 0.5)
    ready.set_coexpressed(True)
    ready.set_niche(niche)
    ready.render()
    wanted = Edit((("programme:mine", 1.0), ("towards:ductal", 0.5)), True, niche)
    assert fake_backend.resolvers[-1].resolved[-1] == wanted == ready.state.resolved.edit
    assert ready.state.counterfactual.log2_fc == dict(wanted.terms)
    for _ in range(4):
        ready.undo()
    assert ready.state.edit.present == start and ready.state.edit.can_redo
    for _ in range(4):
        ready.redo()
    ready.reset_edit()
    assert ready.state.edit.present.active() == Edit() and ready.state.edit.present.coexpressed


def test_another_cell_starts_in_its_own_niche(ready):
    ready.select_cell("cell-1")
    ready.set_niche(NicheEdit.parse("remove"))
    ready.select_cell("cell-2")
    assert ready.state.edit.present.niche is None and ready.state.resolved.edit.niche is None


def test_types_and_domains_that_an_edit_can_name(ready, session):
    assert ready.state.types == ("T_cell", "acinar", "ductal") and ready.state.domains == ("1",)
    assert "proliferation" in ready.state.programmes


def test_a_malformed_file_of_programmes_is_said_and_the_shipped_ones_stay(ready, tmp_path, monkeypatch):
    from napari_spatia.inference import programmes

    (tmp_path / "own.gmt").write_text("no tabs here")
    monkeypatch.setattr(programmes, "user_file", lambda: tmp_path / "own.gmt")
    ready.read_programmes()
    assert "Line 1 of" in ready.state.notice.text and "EMT" in ready.state.programmes
    (tmp_path / "own.gmt").write_text("mine\tof mine\tGENE1")
    ready.read_programmes()
    assert "mine" in ready.state.programmes


def test_another_cell_keeps_the_sliders_and_starts_at_zero(ready):
    ready.select_cell("cell-1")
    genes = [gene for gene, _ in ready.state.edit.present.terms]
    ready.set_log2_fc(genes[0], 2.0)
    ready.select_cell("cell-2")
    assert ready.state.edit.present.terms == tuple((gene, 0.0) for gene in genes)
    assert not ready.state.edit.can_undo


def test_other_number_of_passes_inverts_again(ready):
    ready.select_cell("cell-1")
    ready.set_nfe(2)
    assert ready.state.cell.nfe == 2 and ready.state.counterfactual.nfe == 2


def test_bad_requests_are_answered(session):
    with pytest.raises(CellError, match="'cell-99' is not on slide"):
        session.select_cell("cell-99")
    with pytest.raises(CheckpointError, match="no checkpoint 'other'"):
        session.load_checkpoint("other")
    with pytest.raises(SpatiaError, match="Load a checkpoint"):
        session.predict()
    with pytest.raises(SpatiaError, match="Load a checkpoint"):
        session.set_log2_fc("GENE1", 1.0)
    with pytest.raises(SpatiaError, match="no prediction to save"):
        session.save_prediction()
    session.load_checkpoint("fake")
    with pytest.raises(PanelError, match="'GENE11' is not in the panel of 10"):
        session.set_log2_fc("GENE11", 1.0)
    with pytest.raises(SpatiaError, match="no programme 'mine'"):
        session.set_strength("programme:mine", 1.0)
    with pytest.raises(SpatiaError, match="no cell type 'duct'. Did you mean ductal"):
        session.set_strength("towards:duct", 1.0)
    for niche, message in (("cell=cell-99", "not on slide"), ("replace=duct", "Did you mean ductal"),
                           ("domain=7", "no niche domain '7'")):  # fmt: skip
        with pytest.raises(SpatiaError, match=message):
            session.set_niche(NicheEdit.parse(niche))
    with pytest.raises(SpatiaError, match="goes from 0 to 1"):
        session.set_strength("towards:ductal", 1.5)
    for value in (16.5, float("nan")):
        with pytest.raises(SpatiaError, match="goes from -16 to 16"):
            session.set_log2_fc("GENE1", value)
    with pytest.raises(SpatiaError, match="No slide is open"):
        Session().predict()


def test_annotation_undo_and_journal(session, small_slide, fake_backend, tmp_path):
    session.add_class("mast", (200, 10, 10))
    session.arm_class("mast")
    assert session.state.colour == "annotation"
    session.annotate("cell-1", "mast")
    session.annotate("cell-2", "mast")
    session.undo_annotation()
    assert dict(session.state.annotations.assigned) == {"cell-1": "mast"}
    session.redo_annotation()
    session.annotate("cell-1", None)
    assert session.state.lookup.rgba[2].tolist() == [200, 10, 10, 255]
    again = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    again.show(small_slide)
    assert dict(again.state.annotations.assigned) == {"cell-2": "mast"}
    assert again.state.annotations.find("mast").colour == (200, 10, 10)


def test_class_added_between_two_clicks_survives_undo(session):
    session.add_class("mast")
    session.annotate("cell-1", "mast")
    session.add_class("ductal")
    session.undo_annotation()
    assert session.state.annotations.names == ("mast", "ductal")
    assert not session.state.annotations.assigned


def test_an_annotated_cell_that_left_the_table_colours_no_other(session, small_slide):
    session.add_class("mast")
    known = session.state.annotations.with_cell("cell-3", "mast")
    session.state.annotations = replace(known, assigned={**known.assigned, "gone": "mast"})
    session.colour_by("annotation")
    codes = session._values().read("annotation").data
    assert np.flatnonzero(codes >= 0).tolist() == [small_slide.cell_id.tolist().index("cell-3")]


def test_new_class_has_its_types_colour_or_one_of_its_own(session):
    types = {row.name: row.colour for row in session.state.lookup.legend}
    for name in ("mast", "ductal", "odd"):
        session.add_class(name)
    colours = {entry.name: entry.colour for entry in session.state.annotations.classes}
    assert colours["ductal"] == types["ductal"]
    assert len({*types.values(), *colours.values()}) == len({*types, *colours})


def test_newest_render_wins_while_a_slider_moves(background, fake_backend):
    app = background()
    app.session.select_cell("cell-1")
    app.settle()
    editor = fake_backend.editors[-1]
    editor.rendered.clear()
    editor.passes.clear()
    fake_backend.gate.clear()
    for value in np.linspace(0.1, 4.0, 40):
        app.session.set_log2_fc("GENE1", float(value), gesture="GENE1")
        app.session.render()
        while not editor.rendered:
            pass
    fake_backend.gate.set()
    app.settle()
    first, last = {"GENE1": 0.1}, {"GENE1": 4.0}
    assert editor.rendered == [first, last, last], "the first was running, the last waited, the rest were skipped"
    assert editor.passes == [2, 2, 4], "few passes while the slider moves, all of them once it rests"
    assert app.session.state.counterfactual.log2_fc == {"GENE1": 4.0}


def test_a_move_ends_the_refining_of_the_picture_before(background, fake_backend):
    app = background()
    app.session.select_cell("cell-1")
    app.settle()
    editor, state = fake_backend.editors[-1], app.session.state
    editor.passes.clear()
    shown = []
    state.events.counterfactual.connect(lambda picture: shown.append((picture.nfe, picture.log2_fc)))
    app.session.set_log2_fc("GENE1", 1.0)
    app.session.render()
    assert app.jobs.wait(10)
    fake_backend.gate.clear()
    app.take()
    while editor.passes != [2, 4]:  # the refining of the first move begins, and waits at the gate
        pass
    app.session.set_log2_fc("GENE1", 2.0)
    app.session.render()
    fake_backend.gate.set()
    app.settle()
    assert shown == [(2, {"GENE1": 1.0}), (2, {"GENE1": 2.0}), (4, {"GENE1": 2.0})]


def test_a_held_slider_is_drawn_in_all_passes_only_once_it_is_let_go(background, fake_backend, monkeypatch):
    """The next move would wait for them; where the hand pauses (`HAND_RESTS_S`) they are drawn too."""
    monkeypatch.setattr("napari_spatia.session.editing.HAND_RESTS_S", 1000)
    app = background()
    app.session.select_cell("cell-1")
    app.settle()
    editor, state = fake_backend.editors[-1], app.session.state
    editor.passes.clear()
    for value in (1.0, 2.0):
        app.session.set_log2_fc("GENE1", value, gesture="GENE1")
        app.session.render()
        while state.counterfactual.log2_fc != {"GENE1": value}:
            app.take()
        assert state.counterfactual.nfe == 2
    assert editor.passes == [2, 2]
    app.session.end_gesture()
    app.settle()
    assert editor.passes == [2, 2, 4] and state.counterfactual.nfe == 4
    monkeypatch.setattr("napari_spatia.session.editing.HAND_RESTS_S", 0.01)
    app.session.set_log2_fc("GENE1", 3.0, gesture="GENE1")
    app.session.render()
    app.settle()
    assert editor.passes == [2, 2, 4, 2, 4] and state.edit.gesture, "still held, but it rests"


def test_letting_go_before_the_preview_is_there_draws_all_passes_after_it(background, fake_backend, monkeypatch):
    monkeypatch.setattr("napari_spatia.session.editing.HAND_RESTS_S", 1000)
    app = background()
    app.session.select_cell("cell-1")
    app.settle()
    editor = fake_backend.editors[-1]
    editor.passes.clear()
    fake_backend.gate.clear()
    app.session.set_log2_fc("GENE1", 1.0, gesture="GENE1")
    app.session.render()
    app.session.end_gesture()
    fake_backend.gate.set()
    app.settle()
    assert editor.passes == [2, 4]


def test_a_chosen_number_of_passes_is_kept_while_a_slider_moves(ready, fake_backend):
    ready.set_nfe(8)
    ready.select_cell("cell-1")
    ready.set_log2_fc("GENE1", 1.0)
    ready.render()
    assert set(fake_backend.editors[-1].passes) == {8}


def test_picture_of_the_previous_cell_never_appears(background, fake_backend):
    app = background()
    app.session.select_cell("cell-1")
    app.settle()
    fake_backend.gate.clear()
    app.session.set_log2_fc("GENE1", 2.0)
    app.session.render()
    app.session.select_cell("cell-2")
    fake_backend.gate.set()
    app.settle()
    assert app.session.state.cell.cell_id == "cell-2"
    assert app.session.state.counterfactual.log2_fc == {}


def test_cancelled_prediction_leaves_nothing(background, fake_backend):
    app = background()
    fake_backend.predict_gate.clear()
    app.session.predict()
    while not fake_backend.predicted_seeds:
        pass
    app.session.jobs.cancel("predict")
    fake_backend.predict_gate.set()
    app.settle()
    assert app.session.state.prediction is None
    assert not app.session.state.jobs["predict"].running
    assert app.session.state.notice is None, "who cancels knows it"


def test_prediction_for_the_slide_before_is_dropped(background, fake_backend, tmp_path):
    app = background()
    fake_backend.predict_gate.clear()
    app.session.predict()
    app.session.show(app_fakes.make_slide(tmp_path / "other.zarr", grid=3))
    fake_backend.predict_gate.set()
    app.settle()
    assert app.session.state.slide.num_cells == 9 and app.session.state.prediction is None


def test_a_slide_is_open_after_its_picture_and_a_damaged_one_is_said_once(fake_backend, tmp_path):
    path = tmp_path / "here.zarr"
    simulate_slide(path, num_cells=60, seed=1)
    app, seen = Background(fake_backend, tmp_path / "sidecar"), []
    session = app.session
    session.state.events.opening.connect(lambda picture: seen.append((picture is not None, session.state.slide)))
    session.open(tmp_path / "missing.zarr")
    app.settle()
    assert session.state.notice.is_error and session.state.notice.serial == 1 and not seen
    session.open(path)
    app.settle()
    assert seen[0] == (True, None) and seen[1] == (False, session.slide) and len(seen) == 2
    first = session.slide
    session.open(tmp_path / "missing.zarr")
    app.settle()
    assert session.state.notice.serial == 2 and session.slide is first and len(seen) == 2, "what is open stays"
    session.close()


def test_background_error_becomes_one_notice(background):
    app = background()
    seen = []
    app.session.state.events.notice.connect(seen.append)
    app.session.load_checkpoint("other")
    app.settle()
    assert [notice.is_error for notice in seen] == [True] and "no checkpoint 'other'" in seen[0].text
    app.session.load_checkpoint("other")
    app.settle()
    assert len(seen) == 2, "the same error twice is said twice"
    assert app.session.state.checkpoint.name == "fake", "what was loaded stays"


def refuse(backend, monkeypatch, text="It reads other genes."):
    def bind(predictor, slide, channel_map):
        raise CheckpointError(text)

    monkeypatch.setattr(backend, "bind", bind)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_in_use(background, fake_backend, monkeypatch):
    app = background()
    app.session.select_cell("cell-3")
    app.session.set_log2_fc("GENE1", 1.0)
    app.settle()
    before, shown = app.session.state.checkpoint, app.session.state.cell
    with monkeypatch.context() as only_here:
        refuse(fake_backend, only_here)
        app.session.load_checkpoint("fake")
        app.settle()
    state = app.session.state
    assert state.checkpoint is before and state.bound and state.cell is shown, "nothing was taken away"
    assert state.refused == "It reads other genes." == state.notice.text
    app.session.load_checkpoint("fake")
    assert state.refused == "", "it is said until something else is tried"
    app.settle()
    assert state.checkpoint is not before and state.bound and state.cell.cell_id == "cell-3"


def test_of_a_checkpoint_that_does_not_fit_the_next_slide_none_is_left(background, fake_backend, monkeypatch):
    app = background()
    slide = app.session.slide
    with monkeypatch.context() as only_here:
        refuse(fake_backend, only_here)
        app.session.show(slide)
        app.settle()
    state = app.session.state
    assert state.checkpoint is None and not state.bound and state.refused == "It reads other genes."
    app.session.select_cell("cell-3")
    with pytest.raises(SpatiaError, match="Load a checkpoint"):
        app.session.set_log2_fc("GENE1", 1.0)
    app.session.load_checkpoint("fake")
    app.settle()
    assert state.bound and not state.refused


def test_a_slide_that_comes_while_a_checkpoint_is_loaded_is_fitted_too(background, fake_backend, small_slide):
    app = background()
    gate, load = threading.Event(), fake_backend.load
    fake_backend.load = lambda *asked: gate.wait(10) and load(*asked)
    app.session.load_checkpoint("fake")
    other = replace(small_slide, name="other")
    app.session.show(other)
    while app.session.slide is not other:
        app.take()
    gate.set()
    app.settle()
    assert app.session.state.bound and app.session._bound.slide is other


def test_a_checkpoint_that_failed_late_does_not_take_the_next_one_away(background, fake_backend, monkeypatch):
    app = background()
    gate, bind, begun = threading.Event(), fake_backend.bind, threading.Event()
    old = app.session._predictor

    def fit(predictor, slide, channel_map):
        if predictor is not old:
            return bind(predictor, slide, channel_map)
        begun.set()
        assert gate.wait(10)
        raise CheckpointError("It reads other genes.")

    monkeypatch.setattr(fake_backend, "bind", fit)
    app.session.show(app.session.slide)
    while not begun.wait(0.01):
        app.take()
    app.session.load_checkpoint("fake")
    while app.session._predictor is old:
        app.take()
    gate.set()
    app.settle()
    assert app.session.state.bound and app.session.state.checkpoint is not None and not app.session.state.refused


def test_each_cell_keeps_its_edit_and_its_steps_of_undo(ready):
    ready.select_cell("cell-3")
    ready.set_log2_fc("GENE1", 1.0)
    ready.set_log2_fc("GENE1", 2.0)
    ready.select_cell("cell-5")
    assert not ready.state.edit.present.active().terms and not ready.state.edit.can_undo
    ready.set_log2_fc("GENE2", -1.0)
    ready.select_cell("cell-3")
    assert dict(ready.state.edit.present.active().terms) == {"GENE1": 2.0}
    assert ready.state.counterfactual.log2_fc == {"GENE1": 2.0}, "and its picture"
    ready.undo()
    assert dict(ready.state.edit.present.active().terms) == {"GENE1": 1.0}
    ready.select_cell(None)
    ready.select_cell("cell-5")
    assert dict(ready.state.edit.present.active().terms) == {"GENE2": -1.0}
    ready.reset_edit()
    ready.select_cell("cell-3")
    ready.select_cell("cell-5")
    assert not ready.state.edit.present.active().terms
    ready.undo()
    assert dict(ready.state.edit.present.active().terms) == {"GENE2": -1.0}


@pytest.mark.parametrize("how", ["slide", "checkpoint"])
def test_edits_go_with_the_slide_and_the_checkpoint(ready, how):
    ready.select_cell("cell-3")
    ready.set_log2_fc("GENE1", 1.0)
    ready.select_cell("cell-5")
    if how == "slide":
        ready.show(ready.slide)
    else:
        ready.load_checkpoint("fake")
    ready.select_cell("cell-3")
    assert not ready.state.edit.present.active().terms


def test_two_sessions_share_nothing(background):
    first, second = background(), background()
    first.session.select_cell("cell-1")
    first.session.colour_by("gene:GENE1")
    first.settle(), second.settle()
    assert second.session.state.selected is None and second.session.state.colour == "obs:cell_type"


def test_instance_ids_with_gaps_beyond_31_bits(fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(app_fakes.make_slide(tmp_path / "big.zarr", first_id=2**33, id_step=977))
    assert session.cell_at(4.0, 12.0) == "cell-1"
    labels = np.asarray(session.slide.labels.levels[0])
    painted = session.opened.index.table(session.state.lookup.rgba).paint(labels)
    assert np.array_equal(painted[..., 3] > 0, labels > 0)


def test_export_passes_prediction_and_annotation(ready, tmp_path, monkeypatch):
    asked = SimpleNamespace()

    def export(slide, out, formats, prediction, progress, *, colors):
        asked.colors = colors
        asked.slide, asked.prediction, asked.formats = slide, prediction, formats
        return [out / "cells.csv"]

    monkeypatch.setattr("napari_spatia.session.session.export_slide", export)
    ready.predict()
    ready.add_class("mast")
    ready.annotate("cell-3", "mast")
    ready.export(tmp_path, ["csv"])
    assert ready.state.exported == (tmp_path / "cells.csv",)
    assert asked.prediction is ready.state.prediction and asked.formats == ["csv"]
    assert {"mast", *app_fakes.TYPES} <= set(asked.colors), "files have the colours of the screen"
    assert asked.slide.obs["spatia_annotation"].dropna().to_dict() == {"cell-3": "mast"}


def test_a_filter_that_was_cleared_does_not_come_back(background):
    entry = background()
    session = entry.session
    session.filter_by("gene:GENE0", low=8)
    session.clear_filters()
    entry.settle()
    assert session.state.filtered is None and (session.state.lookup.rgba[:, 3] == 255).all()
    for low in range(1, 9):
        session.filter_by("gene:GENE0", low=low)
    entry.settle()
    assert session.state.filtered.num_passing == 8, "the newest wins"
    assert (session.state.lookup.rgba[:, 3] > 0).sum() == 8
