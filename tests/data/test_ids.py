import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_spatia.data import ids as module
from napari_spatia.data.ids import IdRows, as_text, read_texts

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


def stored(folder, values, chunk=None, **how):
    group = zarr.open_group(folder, mode="w", **how)
    array = group.create_array(
        "texts", shape=(len(values),), dtype=np.dtypes.StringDType(), chunks=(chunk or max(1, len(values)),)
    )
    array[:] = np.array(values, dtype=np.dtypes.StringDType())
    return zarr.open_array(folder / "texts", mode="r")


@pytest.fixture
def by_zarr(monkeypatch):
    """How often texts were left to zarr."""
    asked, usual = [], module.read_elem
    monkeypatch.setattr(module, "read_elem", lambda array: asked.append(array) or usual(array))
    return asked


@given(st.lists(texts, max_size=40), st.integers(1, 9))
def test_stored_texts_are_those_that_were_written(tmp_path_factory, values, chunk):
    found = read_texts(stored(tmp_path_factory.mktemp("texts"), values, chunk))
    assert found.dtype.kind == "U" and found.tolist() == values


def test_ids_as_they_are_usually_written_are_read_as_they_lie(tmp_path, by_zarr):
    values = [f"cell-{number}" for number in range(3000)] + ["", "", "a-longer-one"]
    assert read_texts(stored(tmp_path / "a", values, 700)).tolist() == values
    assert not by_zarr


@pytest.mark.parametrize("kind", ["letters", "lengths", "version", "missing", "damaged"])
def test_other_texts_are_left_to_zarr(tmp_path, by_zarr, monkeypatch, kind):
    values = [f"cell-{number}" for number in range(50)]
    if kind == "letters":
        values[30] = "größer"
    if kind == "lengths":
        monkeypatch.setattr(module, "_MOST_RUNS", 0)
    array = stored(tmp_path / "a", values, 20, zarr_format=2 if kind == "version" else 3)
    if kind == "missing":
        (tmp_path / "a" / "texts" / "c" / "1").unlink()
        values[20:40] = [""] * 20
    if kind == "damaged":
        assert module._unpacked(b"\3\0\0\0\2\0\0\0ab\2\0\0\0c", 3) is None
        assert module._unpacked(b"\1\0\0\0\2\0\0\0a\0", 1) is None, "a text would end there"
        return
    assert read_texts(array).tolist() == values and len(by_zarr) == 1
