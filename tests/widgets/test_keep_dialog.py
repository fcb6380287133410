"""The dialog that keeps the edited cell."""

from pathlib import Path

import pytest

from napari_spatia.widgets.cell_dock import CellDock
from napari_spatia.widgets.keep_dialog import CSV, GIF, JSON, KINDS, OME, PNG, TIF, KeepDialog, KeepRow


@pytest.fixture
def dock(put, ready):
    dock = put(CellDock, ready)
    ready.select_cell("cell-5")
    ready.set_log2_fc("GENE3", 1.0)
    return dock


def choose(dialog, kind):
    dialog.kind.setCurrentIndex(dialog.kind.findData(kind))


@pytest.mark.parametrize("kind", [name for name, _, _ in KINDS])
def test_each_kind_of_file_is_written(dock, tmp_path, kind):
    asked = []

    def ask(name, of_kind):
        asked.append((name, of_kind))
        return str(tmp_path / "kept")

    dialog = KeepDialog(dock, ask)
    choose(dialog, kind)
    dialog.side.setCurrentIndex(0)
    dialog.buttons.accepted.emit()
    assert asked == [(f"cell-5-counterfactual.{kind}", kind)]
    written = tmp_path / f"kept.{kind}"
    assert dock.state.saved == written and written.stat().st_size > 100
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [written.name]


def test_only_what_counts_is_asked(dock):
    dialog = KeepDialog(dock, lambda name, kind: "")
    seen = {}
    for kind in (PNG, TIF, OME, GIF, CSV, JSON):
        choose(dialog, kind)
        seen[kind] = [not widget.isHidden() for widget in (dialog.shown, dialog.term, dialog.side)]
    assert seen == {
        PNG: [True, False, True], TIF: [True, False, True], OME: [False] * 3,
        GIF: [False, True, True], CSV: [False] * 3, JSON: [False] * 3,
    }  # fmt: skip
    choose(dialog, PNG)
    save = dialog.buttons.button(dialog.buttons.StandardButton.Save)
    for box in dialog.pictures.values():
        box.setChecked(False)
    assert not save.isEnabled(), "no picture is chosen"


def test_a_film_is_offered_of_the_slider_that_moved_most(dock, ready):
    ready.set_log2_fc("GENE7", -2.5)
    dialog = KeepDialog(dock, lambda name, kind: "")
    assert dialog.term.currentData() == "GENE7" and dialog.term.itemData(1) == "GENE3"


def test_no_place_writes_nothing_and_no_picture_offers_nothing(dock, ready):
    KeepDialog(dock, lambda name, kind: "").buttons.accepted.emit()
    assert ready.state.saved is None
    row = dock.findChild(KeepRow)
    assert row.save.isEnabled()
    ready.select_cell(None)
    assert not row.save.isEnabled()


def test_an_ending_of_ones_own_stays(dock, tmp_path):
    dialog = KeepDialog(dock, lambda name, kind: str(tmp_path / "mine.tiff"))
    choose(dialog, OME)
    dialog.buttons.accepted.emit()
    assert dock.state.saved == Path(tmp_path / "mine.tiff")
