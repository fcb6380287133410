"""The list below a line of text wears the colours of the window it belongs to."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_spatia.session.values import ColourChoice
from napari_spatia.widgets.colour_search import ColourSearch
from napari_spatia.widgets.gene_sliders import GeneSearch
from napari_spatia.widgets.screens_parts import TermChoice

GENES = ("KRT7", "KRT19", "EPCAM")


def colour_search():
    made = ColourSearch("Gene…")
    made.list_choices([ColourChoice(f"gene:{gene}", gene, "Genes") for gene in GENES])
    return made


def gene_search():
    made = GeneSearch()
    made.show_genes(GENES)
    return made


def term_choice():
    made = TermChoice("Gene")
    made.show_terms((), GENES)
    return made


@pytest.mark.parametrize("make", [colour_search, term_choice])
def test_typing_after_a_click_takes_the_place_of_what_is_chosen(make, qtbot):
    window, search = QMainWindow(), make()
    qtbot.addWidget(window)
    window.setCentralWidget(search)
    search.setCurrentText("EPCAM")
    window.show()
    line = search.lineEdit()
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    assert line.selectedText() == "EPCAM"
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    assert not line.hasSelectedText(), "a second click sets the cursor"
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(line, "krt1")
    assert line.text() == "krt1"
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    assert not line.hasSelectedText(), "a click in the midst of typing sets the cursor"


@pytest.mark.parametrize("make", [colour_search, gene_search, term_choice])
def test_the_list_finds_parts_of_names_and_looks_like_the_window(make, qtbot):
    window, search = QMainWindow(), make()
    qtbot.addWidget(window)
    window.setCentralWidget(search)
    window.show()
    for style in ("QWidget { background: #262930; }", "QWidget { background: #efebe9; }"):
        window.setStyleSheet(style)  # as napari does when its theme changes
        line = search.lineEdit() if hasattr(search, "lineEdit") else search
        line.clear()
        qtbot.keyClicks(line, "rt")
        popup = search.completer().popup()
        qtbot.waitUntil(popup.isVisible)
        assert {popup.model().index(row, 0).data() for row in range(popup.model().rowCount())} == {"KRT7", "KRT19"}
        assert popup.styleSheet() == style
        qtbot.keyClick(popup, Qt.Key.Key_Escape)
