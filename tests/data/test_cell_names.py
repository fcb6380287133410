"""A cell in words."""

import pytest

from napari_spatia.data.cell_names import cell_name


@pytest.mark.parametrize(
    ("cell_id", "said"), [("12", "cell 12"), ("aaab-1", "cell aaab-1"), ("cell-000012", "cell-000012"), ("Cell_3",) * 2]
)
def test_the_word_is_said_once(cell_id, said):
    assert cell_name(cell_id) == said
