import numpy as np
import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.session.blend import BLEND_COLOURS, blend_colours, lookup_blend
from napari_spatia.session.colour import Painting
from napari_spatia.session.session import Session
from napari_spatia.session.values import Values

MAGENTA, GREEN, CYAN = BLEND_COLOURS
ALL = Painting(percent=(0.0, 100.0))


@pytest.fixture
def session(small_slide, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.show(small_slide)
    return session


def numbers(*values):
    return Values("gene:x", "x", np.array(values, np.float32))


def test_a_cell_has_the_sum_of_its_genes_colours_and_never_more_than_full():
    lookup = lookup_blend("genes:A,B,C", [numbers(0, 2, 4), numbers(0, 0, 8), numbers(0, 0, 1)], {}, ALL)
    assert lookup.rgba.tolist() == [[0, 0, 0, 255], [127, 0, 127, 255], [255, 255, 255, 255]]
    assert lookup.title == "A + B + C (counts)"
    assert [(row.name, row.colour, row.ends) for row in lookup.legend] == [
        ("A", MAGENTA, (0, 4)), ("B", GREEN, (0, 8)), ("C", CYAN, (0, 1)),
    ]  # fmt: skip
    assert [row.count for row in lookup.legend] == [2, 1, 1]


def test_a_hidden_gene_and_a_missing_number_add_nothing():
    parts = [numbers(0, 4, np.nan), numbers(8, 0, 0)]
    lookup = lookup_blend("genes:A,B", parts, {}, Painting(frozenset({"B"}), percent=(0.0, 100.0)))
    assert lookup.rgba[:, :3].tolist() == [[0, 0, 0], list(MAGENTA), [0, 0, 0]]
    assert [row.shown for row in lookup.legend] == [True, False]


def test_no_two_genes_have_one_colour():
    assert blend_colours(["A", "B"], {"B": MAGENTA}) == {"A": GREEN, "B": MAGENTA}
    assert blend_colours(["A", "B"], {"A": CYAN, "B": CYAN}) == {"A": CYAN, "B": MAGENTA}


def test_genes_are_blended_recoloured_hidden_and_taken_off(session):
    session.blend_genes(["GENE1", "GENE2", "GENE1"])
    assert session.state.colour == "genes:GENE1,GENE2"
    session.add_to_blend("GENE3")
    assert [row.colour for row in session.state.lookup.legend] == [MAGENTA, GREEN, CYAN]
    session.recolour_category("GENE2", (255, 255, 0))
    session.solo_category("GENE2")
    shown = session.state.lookup.rgba[:, :3]
    assert shown.max() == 255 and (shown[:, 0] == shown[:, 1]).all() and not shown[:, 2].any()
    session.remove_from_blend("GENE1")
    assert [(row.name, row.colour, row.shown) for row in session.state.lookup.legend] == [
        ("GENE2", (255, 255, 0), True), ("GENE3", CYAN, True),
    ]  # fmt: skip
    session.remove_from_blend("GENE3")
    assert session.state.colour == "gene:GENE2" and session.state.lookup.limits is not None


def test_the_forms_of_a_blend_are_those_that_all_its_genes_have(session):
    session.load_checkpoint("fake")
    session.predict()
    session.blend_genes(["GENE1", "GENE2"], "normalised")
    assert [form.key for form in session.gene_forms()] == ["genes:GENE1,GENE2", "genes-normalised:GENE1,GENE2"]
    session.colour_by("gene:GENE1")
    session.add_to_blend("HIDDEN")
    assert session.state.colour == "genes-imputed:GENE1,HIDDEN", "the one form that both have"
    assert session.state.lookup.title == "GENE1 + HIDDEN (imputed)"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda session: session.blend_genes(["GENE1", "GENE2", "GENE3", "GENE4"]), "not 4"),
        (lambda session: session.blend_genes([]), "not 0"),
        (lambda session: session.blend_genes(["GENE1"], "raw"), "Unknown form 'raw'"),
        (lambda session: session.add_to_blend("NOBODY"), "NOBODY"),
        (lambda session: session.colour_by("genes:GENE1"), "Two or 3 genes"),
        (lambda session: session.remove_from_blend("GENE3"), "not one of several"),
        (lambda session: session.show_range(0, 1), "ends of their own"),
    ],
)
def test_what_cannot_be_blended_is_answered(session, act, message):
    session.blend_genes(["GENE1", "GENE2"])
    before = session.state.lookup
    with pytest.raises(SpatiaError, match=message):
        act(session)
    assert session.state.lookup is before and session.state.colour == "genes:GENE1,GENE2"
