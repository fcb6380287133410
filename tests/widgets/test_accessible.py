"""Every control has a name for screen readers, a tooltip and a way to it by the keyboard."""

import re

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_spatia.viewer.keys import ALL_KEYS
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.compare_dock import CompareDock
from napari_spatia.widgets.embedding_dock import EmbeddingDock
from napari_spatia.widgets.explorer import ExplorerDock
from napari_spatia.widgets.export_dock import ExportDock
from napari_spatia.widgets.keep_dialog import KeepDialog
from napari_spatia.widgets.key_list import KeyList
from napari_spatia.widgets.pictures import PictureView
from napari_spatia.widgets.screens_dock import ScreensDock
from napari_spatia.widgets.tab_order import REST_MS
from napari_spatia.widgets.transcripts_dock import TranscriptsDock

CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, PictureView,
)  # fmt: skip
DOCKS = (
    ExplorerDock, CellDock, ScreensDock, EmbeddingDock, CompareDock, AnnotateDock, TranscriptsDock, ExportDock,
)  # fmt: skip


def is_part(widget):
    """Scroll bars, and what Qt itself puts inside of a control: the control has the name."""
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QComboBox | QAbstractSpinBox | QLineEdit | QTabBar):
            return True
        around = around.parentWidget()
    return isinstance(widget, QScrollBar) or (
        isinstance(widget.parentWidget(), QAbstractItemView) and widget.objectName().startswith("qt_")
    ) or type(widget).__name__ == "QHeaderView"  # fmt: skip


def controls(dock):
    return [widget for widget in dock.findChildren(QWidget) if isinstance(widget, CONTROLS) and not is_part(widget)]


def name_of(widget):
    """What a screen reader says: the accessible name, or a button's own words."""
    words = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or (words if re.search(r"\w\w", words.replace("&", "")) else "")


def told(widget):
    text = widget.text() if hasattr(widget, "text") and callable(widget.text) else ""
    return f"{type(widget).__name__} '{text}' in {type(widget.parentWidget()).__name__}"


@pytest.fixture
def used(ready):
    """A session in which everything has been used once, so that every row is there."""
    ready.predict()
    ready.add_class("looked at")
    ready.choose_rows([1, 2, 3])
    ready.filter_by("counts", low=1)
    ready.filter_categories("obs:cell_type", ["acinar"])
    ready.select_cell("cell-5")
    ready.set_log2_fc("GENE2", 1.0)
    ready.render()
    ready.examine()
    return ready


def shown(put, kind, session):
    dock = put(kind, session)
    if kind is CellDock:
        dock.moves.setChecked(True)
    return dock


@pytest.mark.parametrize("kind", DOCKS)
@pytest.mark.parametrize("colour", ["type", "gene:GENE0"])
def test_every_control_has_a_name_and_a_tooltip(put, used, kind, colour):
    used.colour_by(colour)
    dock = shown(put, kind, used)
    assert controls(dock)
    nameless = [told(widget) for widget in controls(dock) if not name_of(widget)]
    assert not nameless, f"no accessible name: {nameless}"
    silent = [told(widget) for widget in controls(dock) if not widget.toolTip()]
    assert not silent, f"no tooltip: {silent}"


def test_the_dialogs_too(put, used):
    dock = put(CellDock, used)
    for dialog in (KeepDialog(dock, lambda name, kind: ""), KeyList(dock)):
        nameless = [told(widget) for widget in controls(dialog) if not name_of(widget)]
        assert not nameless, f"no accessible name: {nameless}"


@pytest.mark.parametrize("kind", DOCKS)
def test_every_control_that_can_be_used_is_reached_by_tab(put, used, kind):
    dock = shown(put, kind, used)
    usable = [w for w in controls(dock) if w.isEnabled() and w.isVisible() and not isinstance(w, PictureView)]
    out_of_reach = [told(widget) for widget in usable if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert not out_of_reach, f"cannot be reached by the Tab key: {out_of_reach}"


@pytest.mark.parametrize("kind", DOCKS)
def test_tab_goes_down_the_dock(put, used, kind, qtbot):
    """The order of the keyboard is the order of the eye: the next control is not above the one before."""
    dock = shown(put, kind, used)
    used.select_cell("cell-6")  # rows that come later have their place too
    used.set_log2_fc("GENE7", 1.0)
    dock.activateWindow()
    qtbot.wait(2 * REST_MS)
    usable = {w for w in controls(dock) if w.isVisible() and w.isEnabled() and not isinstance(w, PictureView)}
    first, chain = dock, []
    widget = first.nextInFocusChain()
    while widget is not first:
        if widget in usable:
            chain.append(widget)
        widget = widget.nextInFocusChain()
    assert len(chain) == len(usable)
    place = {widget: widget.mapTo(dock, widget.rect().center()) for widget in chain}
    upward = [
        f"{told(before)} → {told(after)}"
        for before, after in zip(chain, chain[1:], strict=False)
        if place[after].y() < place[before].y() - 20
    ]
    assert not upward, upward


@pytest.mark.parametrize("kind", DOCKS)
def test_an_empty_dock_says_what_to_do(put, empty, kind):
    dock = put(kind, empty)
    words = " ".join(label.text() for label in dock.findChildren(QLabel) if label.isVisible())
    assert "Open a" in words and "slide" in words


def test_keys_are_declared_once_and_listed():
    heard = [(key.where, key.key) for key in ALL_KEYS]
    assert len(set(heard)) == len(heard), "one key does one thing in one place"
    anywhere = {key.key for key in ALL_KEYS if key.where == "Anywhere"}
    on_slide = {key.key for key in ALL_KEYS if key.where == "On the slide"}
    assert not anywhere & on_slide, "a key that is heard anywhere is heard on the slide too"


def test_the_list_of_keys_shows_all_of_them(qtbot):
    dialog = KeyList()
    qtbot.addWidget(dialog)
    words = [label.text() for label in dialog.findChildren(QLabel)]
    missing = [key for key in ALL_KEYS if key.does not in words and not key.does.startswith("Class ")]
    assert not missing and "1 … 9" in words
    assert {"Home, End", "Wheel"} <= set(words), "a slider's keys and the mouse are listed too"
