import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_spatia.widgets.compare_dock import HOW, NO_SLIDE, CompareDock


@pytest.fixture
def dock(put, ready):
    return put(CompareDock, ready)


@pytest.fixture
def filled(dock, ready, qtbot):
    ready.choose_rows(range(8, 16))
    qtbot.mouseClick(dock.compare, Qt.MouseButton.LeftButton)
    return dock


def names(combo):
    return [combo.itemText(idx) for idx in range(combo.count()) if combo.itemText(idx)]


def pick(combo, name, qtbot):
    combo.setFocus()
    combo.setCurrentIndex(combo.findText(name))
    combo.activated.emit(combo.currentIndex())


def genes(dock):
    return [dock.table.genes.index(row, 0).data() for row in range(dock.table.genes.rowCount())]


def test_empty_states(put, empty, small_slide):
    dock = put(CompareDock, empty)
    assert dock.hint.text() == NO_SLIDE and not dock.compare.isEnabled()
    empty.show(small_slide)
    assert dock.hint.text() == HOW and dock.compare.isEnabled() and not dock.table.isVisible()
    assert not dock.keep["A"].isEnabled()


def test_comparing_nothing_is_answered(dock, ready, qtbot):
    qtbot.mouseClick(dock.compare, Qt.MouseButton.LeftButton)
    assert ready.state.notice.is_error and "none is" in ready.state.notice.text


def test_the_table_has_a_row_a_gene_and_says_what_was_compared(filled, ready):
    table, test = filled.table.genes, ready.state.comparison.test
    assert genes(filled) == list(test.genes) and filled.table.isVisible() and not filled.hint.isVisible()
    assert table.index(0, 1).data() == f"{test.auc[0]:.3f}" and table.index(0, 4).data() == f"{test.share_a[0]:.0%}"
    assert "Chosen now, 8 cells" in filled.summary.text() and "The rest, 8 cells" in filled.summary.text()
    assert "drawn at random" not in filled.summary.text()


def test_groups_are_named_and_kept(dock, ready, qtbot):
    assert names(dock.groups["A"]) == ["Chosen now", "The rest", "acinar", "T_cell", "ductal"]
    assert (dock.groups["A"].currentText(), dock.groups["B"].currentText()) == ("Chosen now", "The rest")
    pick(dock.groups["A"], "ductal", qtbot)
    ready.choose_rows(range(6))
    qtbot.mouseClick(dock.keep["B"], Qt.MouseButton.LeftButton)
    assert dock.groups["A"].currentText() == "ductal" and dock.groups["B"].currentText() == "Kept (6 cells)"
    qtbot.mouseClick(dock.compare, Qt.MouseButton.LeftButton)
    assert "2 cells in both are left out" in dock.summary.text()
    ready.colour_by("gene:GENE1")
    assert names(dock.groups["A"]) == ["Chosen now", "The rest", "ductal"], "what is named stays"
    pick(dock.groups["A"], "The rest", qtbot)
    pick(dock.groups["B"], "Chosen now", qtbot)
    assert [group.label for group in ready.state.groups] == ["The rest", "Chosen now"]


def test_a_row_colours_the_cells_by_mouse_and_keys(filled, ready, qtbot):
    table = filled.table
    place = table.visualRect(table.genes.index(2, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert ready.state.colour == f"gene:{genes(filled)[2]}"
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert ready.state.colour == f"gene:{genes(filled)[3]}" == f"gene:{table.current_gene()}"
    ready.colour_by(f"gene:{genes(filled)[0]}")
    assert table.current_gene() == genes(filled)[0], "the table follows"
    ready.colour_by("obs:cell_type")
    assert table.current_gene() is None and not filled.slider.isEnabled()


def test_a_header_sorts_and_the_current_gene_stays(filled, ready, qtbot):
    ready.colour_by("gene:GENE5")
    header = filled.table.horizontalHeader()

    def click(column):
        middle = header.sectionViewportPosition(column) + 5
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=header.viewport().rect().center().__class__(
            middle, header.height() // 2))  # fmt: skip

    click(0)
    click(0)
    assert genes(filled) in (sorted(genes(filled)), sorted(genes(filled), reverse=True))
    click(3)
    test = ready.state.comparison.test
    p = [test.p_adjusted[test.genes.index(gene)] for gene in genes(filled)]
    assert p in (sorted(p), sorted(p, reverse=True))
    assert filled.table.current_gene() == "GENE5" and ready.state.colour == "gene:GENE5"
    before = genes(filled)
    ready.compare_groups()
    assert genes(filled) == before, "a new table keeps the order"


def test_a_gene_gets_a_slider(filled, ready, qtbot):
    ready.colour_by("gene:GENE7")
    qtbot.mouseClick(filled.slider, Qt.MouseButton.LeftButton)
    assert ("GENE7", 0.0) in ready.state.edit.present.terms
    ready.colour_by("gene:GENE11")
    qtbot.mouseClick(filled.slider, Qt.MouseButton.LeftButton)
    assert ready.state.notice.is_error and "GENE11" in ready.state.notice.text, "the model does not read it"


def test_the_table_is_copied_and_saved(filled, ready, qtbot, monkeypatch, tmp_path):
    qtbot.mouseClick(filled.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == ready.comparison_text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "t.csv"), ""))
    qtbot.mouseClick(filled.save, Qt.MouseButton.LeftButton)
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 13


def test_favourites_have_a_star_in_the_table(filled, ready):
    gene = genes(filled)[3]
    ready.toggle_favourite(gene)
    assert genes(filled)[3] == f"★ {gene}" and filled.table.genes.gene(3) == gene
