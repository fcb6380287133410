import shutil

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from napari_spatia.data import gene_columns
from napari_spatia.data.gene_columns import is_kept, keep_columns, read_columns
from napari_spatia.errors import Cancelled


@pytest.fixture(autouse=True)
def worth_keeping(monkeypatch):
    monkeypatch.setattr(gene_columns, "WORTH_KEEPING", 10)


@pytest.fixture
def counts():
    return csr_matrix(np.random.default_rng(1).poisson(0.7, (60, 9)).astype(np.float32))


def keep(folder, counts):
    return keep_columns(folder, "table", counts, counts.tocsc())


def test_a_kept_copy_is_mapped_and_has_the_same_counts(tmp_path, counts):
    before = read_columns(tmp_path, "table", counts)
    assert not is_kept(before) and not list(tmp_path.iterdir())
    kept = keep(tmp_path, counts)
    columns = read_columns(tmp_path, "table", counts)
    assert is_kept(columns) and isinstance(columns.indices, np.memmap) and columns.dtype == np.uint8
    np.testing.assert_array_equal(columns.toarray(), counts.toarray())
    for gene in range(9):
        np.testing.assert_array_equal(columns[:, gene].toarray(), counts[:, gene].toarray())
    assert kept.parent == tmp_path and list(tmp_path.iterdir()) == [kept]


def test_large_counts_keep_their_value(tmp_path, counts):
    counts[3, 4] = 70_000
    keep(tmp_path, counts)
    columns = read_columns(tmp_path, "table", counts)
    assert columns.dtype == np.uint32 and columns[3, 4] == 70_000


def test_other_counts_never_get_the_copy_and_replace_it(tmp_path, counts):
    kept = keep(tmp_path, counts)
    changed = counts.copy()
    changed.data[5] += 1
    columns = read_columns(tmp_path, "table", changed)
    assert not is_kept(columns)
    np.testing.assert_array_equal(columns.toarray(), changed.toarray())
    assert not is_kept(read_columns(tmp_path, "other", counts))
    newer = keep(tmp_path, changed)
    assert list(tmp_path.iterdir()) == [newer] and newer != kept


def test_small_slides_keep_none(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(gene_columns, "WORTH_KEEPING", counts.nnz + 1)
    assert is_kept(read_columns(tmp_path, "table", counts))


def test_a_damaged_copy_is_not_taken(tmp_path, counts):
    kept = keep(tmp_path, counts)
    (kept / "indices.npy").write_bytes((kept / "indices.npy").read_bytes()[:150])
    columns = read_columns(tmp_path, "table", counts)
    assert not is_kept(columns)
    np.testing.assert_array_equal(columns.toarray(), counts.toarray())
    keep(tmp_path, counts)
    assert is_kept(read_columns(tmp_path, "table", counts))


def test_without_room_or_when_stopped_nothing_is_left(tmp_path, counts, monkeypatch):
    def stop(fraction, doing):
        if fraction > 0.5:
            raise Cancelled("gene columns")

    with pytest.raises(Cancelled):
        keep_columns(tmp_path, "table", counts, counts.tocsc(), stop)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    assert keep(tmp_path, counts) is None and not list(tmp_path.iterdir())
