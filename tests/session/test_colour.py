import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatia.session import colour
from napari_spatia.session.instances import InstanceIndex
from napari_spatia.session.values import Values, from_column


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=40, unique=True), st.booleans())
def test_painting_finds_each_cell_whatever_its_id(ids, small):
    ids = np.array([number % 5000 + 1 for number in ids] if small else ids, dtype=np.int64)
    ids = np.unique(ids)[::-1].copy()
    rgba = np.random.default_rng(0).integers(1, 255, (len(ids), 4)).astype(np.uint8)
    painted = InstanceIndex.from_ids(ids).table(rgba).paint(ids)
    assert np.array_equal(painted, rgba)


@pytest.mark.parametrize("top", [9, 2**33])
def test_background_and_unknown_labels_are_transparent(top):
    index = InstanceIndex.from_ids(np.array([3, top], dtype=np.int64))
    painted = index.table(np.full((2, 4), 200, np.uint8)).paint(np.array([[0, 1, 3], [5, top, top + 1]]))
    assert (painted[..., 3] > 0).tolist() == [[False, False, True], [False, True, False]]
    assert index.row(top) == 1 and index.row(4) is None and index.row(0) is None and index.row(top + 7) is None


def test_categories_keep_their_colour_and_the_legend_counts():
    values = Values("type", "Type", np.array([0, 1, 1, -1], np.int32), ("ductal", "mast"))
    palette = colour.extend_palette({"mast": (1, 2, 3)}, values.categories)
    lookup = colour.lookup_categories(values, palette)
    assert lookup.rgba[1].tolist() == [1, 2, 3, 255]
    assert [(row.name, row.count) for row in lookup.legend] == [("mast", 2), ("ductal", 1)]
    assert 0 < lookup.rgba[3, 3] < 255


def test_hidden_category_is_transparent_but_stays_in_the_legend():
    values = Values("type", "Type", np.array([0, 1], np.int32), ("a", "b"))
    lookup = colour.lookup_categories(
        values, colour.extend_palette({}, values.categories), colour.Painting(hidden=frozenset({"a"}))
    )
    assert lookup.rgba[:, 3].tolist() == [0, 255]
    assert [row.shown for row in lookup.legend] == [False, True]


def test_numbers_run_from_low_to_high_colour_and_clip():
    values = Values("gene:A", "A", np.array([0.0, 5.0, 10.0, 99.0, np.nan], np.float32))
    lookup = colour.lookup_numbers(values, colour.Painting(shown_range=(0.0, 10.0)))
    lut = colour.colormap_lut()
    assert lookup.limits == (0.0, 99.0) and lookup.shown_range == (0.0, 10.0)
    assert lookup.rgba[0, :3].tolist() == lut[0].tolist()
    assert lookup.rgba[2, :3].tolist() == lookup.rgba[3, :3].tolist() == lut[255].tolist()
    assert lookup.rgba[4, :3].tolist() == list(colour.MISSING)


def test_constant_and_empty_numbers_have_a_range():
    for numbers in (np.full(3, 7.0, np.float32), np.full(3, np.nan, np.float32)):
        low, high = colour.lookup_numbers(Values("k", "k", numbers)).shown_range
        assert high > low


def test_rare_gene_is_not_flattened_by_its_percentiles():
    numbers = np.zeros(1000, np.float32)
    numbers[0] = 4
    assert colour.lookup_numbers(Values("k", "k", numbers)).shown_range == (0.0, 4.0)


def test_many_categories_get_distinct_colours():
    palette = colour.extend_palette({}, [str(number) for number in range(60)])
    assert len(set(palette.values())) == 60


def test_columns_sort_naturally_and_keep_missing():
    import pandas as pd

    values = from_column("obs:c", "c", pd.Series(["10", "2", None, "x"]))
    assert values.categories == ("2", "10", "x")
    assert values.data.tolist() == [1, 0, -1, 2]
    flags = from_column("obs:f", "f", pd.Series([True, False]))
    assert flags.categories == ("False", "True")


def test_numbers_have_a_histogram_and_end_at_the_percentiles_that_are_asked_for():
    numbers = np.append(np.arange(1000, dtype=np.float32), np.nan)
    lookup = colour.lookup_numbers(Values("k", "k", numbers), colour.Painting(percent=(10, 90), colormap="cividis"))
    assert lookup.histogram.sum() == 1000 and lookup.histogram.max() - lookup.histogram.min() <= 1
    assert lookup.shown_range == pytest.approx((99.9, 899.1)) and lookup.colormap == "cividis"
    assert np.array_equal(lookup.rgba[999, :3], colour.colormap_lut("cividis")[255])


@pytest.mark.parametrize("name", colour.COLORMAPS)
def test_every_colour_map_has_256_colours(name):
    lut = colour.colormap_lut(name)
    assert lut.shape == (256, 3) and lut.dtype == np.uint8 and len(np.unique(lut, axis=0)) > 200


def test_colours_of_the_slide_are_kept_unless_a_person_chose_others():
    values = Values("obs:c", "c", np.array([0, 1], np.int32), ("a", "b"), {"a": (1, 2, 3), "b": (4, 5, 6)})
    lookup = colour.paint(values, {"b": (7, 8, 9)})
    assert lookup.rgba[:, :3].tolist() == [[1, 2, 3], [7, 8, 9]]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60), st.floats(0, 49), st.floats(50, 100))
def test_percentiles_of_counts_are_numpys(numbers, low, high):
    values = np.array(numbers, dtype=np.float32)
    found = colour.percentile_range(values, (-1.0, -1.0), (low, high))
    wanted = tuple(np.percentile(values, (low, high)))
    assert found == pytest.approx(wanted if wanted[1] > wanted[0] else (-1.0, -1.0), abs=1e-3)


def test_numbers_between_counts_have_percentiles_too():
    values = np.random.default_rng(0).gamma(1.0, 2.0, 500).astype(np.float32)
    assert colour.percentile_range(values, (0.0, 1.0), (1, 99)) == pytest.approx(tuple(np.percentile(values, (1, 99))))
