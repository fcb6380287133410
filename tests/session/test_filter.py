import numpy as np
import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.session.cell_filter import CategoryTerm, CellFilter, RangeTerm, filter_cells
from napari_spatia.session.session import Session
from napari_spatia.session.values import Values


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


NUMBERS = Values("n", "Number", np.array([1, 2, 3, np.nan], np.float32))
NAMES = Values("c", "Class", np.array([0, 1, 1, -1], np.int32), ("a", "b"))


@pytest.mark.parametrize(
    ("term", "passes"),
    [
        (RangeTerm("n"), [1, 1, 1, 1]),
        (RangeTerm("n", 2, 3), [0, 1, 1, 0]),
        (RangeTerm("n", high=1), [1, 0, 0, 0]),
        (CategoryTerm("c"), [1, 1, 1, 1]),
        (CategoryTerm("c", frozenset({"b"})), [0, 1, 1, 0]),
        (CategoryTerm("c", frozenset({"a", "b"})), [1, 1, 1, 0]),
        (CategoryTerm("c", frozenset()), [0, 0, 0, 0]),
    ],
)
def test_a_term_lets_pass_what_it_says(term, passes):
    found = filter_cells(CellFilter((term,)), {"n": NUMBERS, "c": NAMES})
    assert found.passing.tolist() == [bool(one) for one in passes] and found.num_passing == sum(passes)


def test_terms_are_joined_and_say_what_they_choose_from():
    both = CellFilter().with_term(RangeTerm("n", 2)).with_term(CategoryTerm("c")).with_term(RangeTerm("n", 3))
    assert both.keys == ("n", "c"), "a term takes the place of another of its key"
    found = filter_cells(both, {"n": NUMBERS, "c": NAMES})
    assert found.passing.tolist() == [False, False, True, False]
    assert found.spans["n"].limits == (1, 3) and found.spans["c"].categories == (("b", 2), ("a", 1))


def test_cells_that_do_not_pass_are_neither_painted_nor_counted(session):
    order = [row.name for row in session.state.lookup.legend]
    session.filter_by("gene:GENE0", 4, 8)
    assert session.state.filtered.num_passing == 5
    lookup = session.state.lookup
    assert np.flatnonzero(lookup.rgba[:, 3]).tolist() == [4, 5, 6, 7, 8]
    assert {row.name: row.count for row in lookup.legend} == {"acinar": 1, "T_cell": 2, "ductal": 2}
    assert [row.name for row in lookup.legend] == order, "rows stay where they are while a filter moves"
    session.colour_by("gene:GENE0")
    lookup = session.state.lookup
    assert (lookup.rgba[:, 3] > 0).sum() == 5 and lookup.histogram.sum() == 5
    assert lookup.limits == (0, 15), "the colours do not move with the filter"
    session.blend_genes(["GENE0", "GENE1"])
    assert (session.state.lookup.rgba[:, 3] > 0).sum() == 5 and session.state.lookup.legend[0].count == 5
    session.clear_filters()
    assert session.state.filtered is None and (session.state.lookup.rgba[:, 3] == 255).all()


def test_filters_are_joined_and_taken_off_one_by_one(session):
    session.add_filter("obs:cell_type")
    assert session.state.filtered.num_passing == 16
    session.filter_categories("obs:cell_type", ["ductal"])
    session.filter_by("gene:GENE0", low=3)
    assert session.state.filtered.num_passing == 4
    session.add_filter("obs:cell_type")
    assert session.state.filtered.num_passing == 4, "what is filtered by already stays as it is"
    session.remove_filter("obs:cell_type")
    assert session.state.filtered.num_passing == 13
    session.filter_by("gene:GENE0", high=2)
    assert session.state.filtered.num_passing == 3


def test_counts_and_genes_of_each_cell_are_there_without_a_column(session, small_slide):
    dense = small_slide.counts.toarray()
    for key, expected in (("counts", dense.sum(axis=1)), ("num_genes", (dense > 0).sum(axis=1))):
        assert key not in small_slide.obs.columns
        session.filter_by(key, low=float(np.median(expected)))
        assert session.state.filtered.passing.tolist() == (expected >= np.median(expected)).tolist()
        session.clear_filters()
    assert {choice.label for choice in session.colour_choices()} >= {"Counts per cell", "Genes per cell"}


def test_filters_follow_the_annotation(session):
    session.add_class("mast")
    session.annotate("cell-1", "mast")
    session.filter_categories("annotation", ["mast"])
    session.annotate("cell-5", "mast")
    assert np.flatnonzero(session.state.filtered.passing).tolist() == [1, 5]
    session.undo_annotation()
    assert np.flatnonzero(session.state.filtered.passing).tolist() == [1]
    assert session.state.lookup.rgba[:, 3].astype(bool).sum() == 1


def test_filters_follow_the_prediction_and_go_with_what_they_are_on(session):
    session.load_checkpoint("fake")
    session.predict()
    session.filter_categories("cluster", ["1"])
    session.filter_by("imputed:HIDDEN", 0.5, 1.5)
    changed = session.state.prediction
    changed.cluster = np.array(["1"] * 16)
    changed.imputed_genes = ("GENE1", "OTHER")
    session._take_prediction(changed)
    assert session.state.cell_filter.keys == ("cluster",) and session.state.filtered.num_passing == 16


def test_another_slide_has_no_filters(session, small_slide):
    session.filter_by("counts", low=1e6)
    assert session.state.filtered.num_passing == 0
    session.show(small_slide)
    assert session.state.cell_filter == CellFilter() and session.state.filtered is None
    assert (session.state.lookup.rgba[:, 3] == 255).all()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda session: session.filter_by("obs:cell_type", 0, 1), "is no number"),
        (lambda session: session.filter_categories("counts", ["a"]), "is a number"),
        (lambda session: session.filter_categories("obs:cell_type", ["nobody"]), "no category 'nobody'"),
        (lambda session: session.add_filter("obs:nothing"), "no such values"),
        (lambda session: session.add_filter("genes:GENE1,GENE2"), "several genes"),
        (lambda session: session.remove_filter("counts"), "no filter by 'counts'"),
    ],
)
def test_what_cannot_be_filtered_by_is_answered(session, act, message):
    with pytest.raises(SpatiaError, match=message):
        act(session)
    assert session.state.cell_filter == CellFilter()
