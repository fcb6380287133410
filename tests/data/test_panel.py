"""Panels: positions, alignment, and what is said about a gene that is not there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatia.data.panel import Panel
from napari_spatia.errors import PanelError

panels = st.lists(st.text("ABCDEFG1", min_size=1, max_size=4), unique=True, max_size=30).map(
    lambda genes: Panel(tuple(genes))
)


@given(one=panels, other=panels)
def test_alignment_finds_each_shared_gene_and_no_other(one: Panel, other: Panel) -> None:
    positions = one.align(other)
    assert len(positions) == len(one)
    for gene, position in zip(one.genes, positions, strict=True):
        assert (position == -1) == (gene not in other)
        assert position == -1 or other.genes[position] == gene


@given(panel=panels)
def test_positions_are_the_order(panel: Panel) -> None:
    np.testing.assert_array_equal(panel.indices(panel.genes), np.arange(len(panel)))


def test_an_unknown_gene_is_named_with_the_nearest() -> None:
    panel = Panel(("EPCAM", "CD3E", "KRT8"))
    with pytest.raises(PanelError, match="Gene 'epcan' is not in the panel of 3 genes. Did you mean EPCAM"):
        panel.index("epcan")
    with pytest.raises(PanelError, match="'zzzzzz' is not in the panel of 3 genes.$"):
        panel.indices(("CD3E", "zzzzzz"))


def test_genes_are_unique() -> None:
    with pytest.raises(PanelError, match="found twice: A, B"):
        Panel(("A", "B", "A", "C", "B"))
