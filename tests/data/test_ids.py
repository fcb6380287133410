import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from napari_spatia.data import ids as module
from napari_spatia.data.ids import IdRows, as_text

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(texts, max_size=40, unique=True), st.lists(texts, max_size=10))
def test_rows_are_those_of_a_plain_search(known, asked):
    found = IdRows(np.array(known, dtype=str)).rows([*asked, *known])
    assert found.tolist() == [known.index(one) if one in known else -1 for one in [*asked, *known]]


@given(st.lists(texts, max_size=40))
def test_an_id_that_stands_twice_is_named(known):
    twice = IdRows(np.array(known, dtype=str)).twice()
    assert (twice is None) == (len(set(known)) == len(known))
    assert twice is None or known.count(twice) > 1


def test_ids_that_share_a_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(module, "_hashes", lambda ids: np.full(len(ids), 7, np.uint64))
    rows = IdRows(np.array(["a", "b", "c"]))
    assert rows.rows(["c", "a", "d", "b"]).tolist() == [2, 0, -1, 1] and rows.twice() is None
    assert "c" in rows and "d" not in rows
    assert IdRows(np.array(["a", "b", "a"])).twice() == "a"


def test_the_width_of_an_array_does_not_matter():
    rows = IdRows(np.array(["cell-1", "a-much-longer-name"]))
    assert rows.row("cell-1") == 0 and rows.rows(np.array(["cell-1"], dtype="U40")).tolist() == [0]


def test_texts_of_an_index_in_pieces(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    index = pd.Index([f"cell-{i**3}" for i in range(10)])
    for values in (index, index.tolist(), np.array(index, dtype=np.dtypes.StringDType())):
        assert as_text(values).tolist() == index.tolist() and as_text(values).dtype.kind == "U"
    assert as_text(pd.Index([], dtype=object)).dtype.kind == "U"
