"""Embeddings of a table: listed without reading them, read row by row the slide's cells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spatia.data.io import open_slide
from napari_spatia.data.obsm import list_obsm, read_obsm
from napari_spatia.data.store import read_obs, write_obsm
from napari_spatia.errors import SlideError


def test_each_cell_gets_its_own_row(any_slide_path: Path) -> None:
    index = read_obs(any_slide_path, "table", ()).index.to_numpy(dtype=str)
    values = np.arange(len(index) * 3, dtype=np.float64).reshape(-1, 3)
    write_obsm(any_slide_path, "table", {"X_pca": values}, cell_id=index)
    slide = open_slide(any_slide_path)
    backwards = replace(slide, cell_id=slide.cell_id[::-1])
    assert list_obsm(slide) == {"X_pca": 3, "spatial": 2}
    read = read_obsm(slide, "X_pca")
    assert read.dtype == np.float32 and read.shape == (slide.num_cells, 3)
    by_id = dict(zip(index, values, strict=True))
    assert np.array_equal(read, np.array([by_id[cell] for cell in slide.cell_id], np.float32))
    assert np.array_equal(read_obsm(backwards, "X_pca"), read[::-1])


def test_one_that_is_not_there_is_named(any_slide_path: Path) -> None:
    with pytest.raises(SlideError, match="no obsm 'X_umap'. It has: spatial"):
        read_obsm(open_slide(any_slide_path), "X_umap")


def test_a_slide_in_memory_has_none(small_slide) -> None:
    assert list_obsm(small_slide) == {}
