"""The Screens dock with a fake model: pages, pictures that say counterfactual, curves, ranks, and clicks that edit."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication

from napari_spatia.widgets.measure_table import number_text, signed
from napari_spatia.widgets.plots import padded, ticks
from napari_spatia.widgets.screens_dock import GRID, SCREEN, SIDE_BY_SIDE, STRIP, ScreensDock

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(put, ready):
    ready.select_cell("cell-5")
    return put(ScreensDock, ready)


def open_page(dock, name):
    dock.tabs.setCurrentIndex(list(dock.pages).index(name))
    return dock.pages[name]


def shown(flow):
    return [view for view in flow.views if view.isVisible()]


def yellow(view):
    """Pixels of the letters at the top edge."""
    image = view.grab().toImage()
    top = (image.pixelColor(x, y) for x in range(view.width()) for y in range(12))
    return sum(min(pixel.red(), pixel.green()) > pixel.blue() + 50 for pixel in top)


def test_empty_states_lead_on(put, empty, small_slide):
    dock = put(ScreensDock, empty)
    assert "Open a slide" in dock.hint.text() and not dock.strip.isVisible()
    empty.show(small_slide)
    assert "Load a model" in dock.hint.text()
    empty.load_checkpoint("fake")
    assert "Click a cell" in dock.hint.text() and dock.strip.isVisible() and not dock.screen.start.isEnabled()
    empty.select_cell("cell-1")
    assert not dock.hint.isVisible() and not dock.strip.curve.isVisible() and dock.screen.start.isEnabled()


def test_only_the_page_of_the_tab_is_shown(dock):
    for name in (GRID, SCREEN, SIDE_BY_SIDE, STRIP):
        page = open_page(dock, name)
        assert [each for each in dock.pages.values() if each.isVisible()] == [page]
        assert dock.feature.isVisible() == (name != SIDE_BY_SIDE)


def test_a_strip_has_marked_pictures_and_a_curve_of_the_chosen_feature(dock, ready):
    page = dock.strip
    page.term.setCurrentText("GENE3")
    page.range.setValue(1.5)
    page.draw.click()
    views = shown(page.pictures)
    assert len(views) == 8 and all(view.has_picture for view in views)
    assert [view.shown.is_counterfactual for view in views] == [False] + [True] * 7
    assert views[0].shown.width_um == pytest.approx(32 * 0.32) and "nothing edited" in views[0].toolTip()
    assert "GENE3 −1.5" in views[1].toolTip() and "Counterfactual of cell-5" in views[1].toolTip()
    curve = page.curve.curve
    assert curve.doses == tuple(np.linspace(-1.5, 1.5, 7)) and curve.values == tuple(40 + x for x in curve.doses)
    assert curve.before == 40.0 and curve.seen == (-2.0, 1.0) and curve.y_title == "Cell area (µm²)"
    dock.feature.setCurrentIndex(dock.feature.findData("DAPI:mean"))
    dock.feature.activated.emit(dock.feature.currentIndex())
    assert ready.state.feature == "DAPI:mean" and page.curve.curve.y_title == "DAPI mean (stain units)"


def test_the_word_counterfactual_is_painted_on_a_picture_of_any_size(dock):
    dock.strip.draw.click()
    before, after = shown(dock.strip.pictures)[:2]
    assert yellow(after) > 20 and yellow(before) == 0


def test_numbers_unfold_and_are_copied(dock):
    page = dock.strip
    page.draw.click()
    assert not page.numbers.table.isVisible()
    page.numbers.unfold.click()
    assert page.numbers.table.isVisible() and page.numbers.table.item(0, 2).text() == "−3.00"
    page.numbers.copy.click()
    assert QGuiApplication.clipboard().text().split("\n")[1] == "−3\t37.0\t−3.00\t42"


def test_sliders_come_first_until_a_person_chooses(dock, ready):
    sliders = [key for key, _ in ready.state.edit.present.terms]
    down, across = dock.grid.terms
    assert (dock.strip.term.key(), down.key(), across.key()) == (sliders[0], sliders[0], sliders[1])
    across.setCurrentText("gene9")
    ready.set_strength("towards:ductal", 0.5)
    assert across.key() == "GENE9" and across.itemText(len(sliders)) == "→ ductal"


def test_controls_follow_a_screen_that_was_started_elsewhere(dock, ready):
    ready.sweep("GENE7", (-2.0, 0.0, 2.0))
    assert dock.strip.term.key() == "GENE7" and dock.strip.range.value() == 2.0
    dock.strip.term.setCurrentText("GENE3")
    ready.show_feature("nucleus_area")
    assert dock.strip.term.key() == "GENE3", "the next one is being chosen"
    ready.grid("GENE2", "GENE8", (-1.5, 0.0, 1.5))
    grid = dock.grid
    assert [term.key() for term in grid.terms] == ["GENE2", "GENE8"]
    assert grid.range.value() == 1.5 and grid.size.currentData() == 3


def test_a_gene_that_is_not_in_the_panel_is_answered(dock, ready):
    dock.strip.term.setCurrentText("GENE11")
    dock.strip.draw.click()
    assert ready.state.notice.is_error and "'GENE11' is not in the panel" in ready.state.notice.text


def test_a_grid_is_as_wide_as_its_doses(dock, ready, qtbot):
    page = open_page(dock, GRID)
    page.terms[1].setCurrentText("→ ductal")
    page.terms[0].setCurrentText("GENE1")
    page.terms[1].setCurrentText("GENE2")
    page.draw.click()
    assert (ready.state.grid.key_a, ready.state.grid.key_b) == ("GENE1", "GENE2")
    views = shown(page.pictures)
    assert len(views) == 9
    qtbot.waitUntil(lambda: len({view.pos().x() for view in views}) == len({view.pos().y() for view in views}) == 3)
    assert page.numbers.table.columnCount() == 4 and page.numbers.table.item(2, 3).text() == "44.0"


def test_a_grid_towards_a_type_goes_from_0_to_1(dock, ready):
    ready.set_strength("towards:ductal", 0.5)
    page = open_page(dock, GRID)
    page.terms[0].setCurrentText("GENE1")
    page.terms[1].setCurrentText("→ ductal")
    page.draw.click()
    assert ready.state.grid.doses_b == (0, 0.25, 0.5, 0.75, 1) and len(ready.state.grid.doses_a) == 3


def test_a_screen_is_ranked_and_a_click_on_a_row_edits_the_cell(dock, ready, qtbot):
    page = open_page(dock, SCREEN)
    assert page.start.text() == "Screen 10 genes"
    page.start.click()
    assert [page.table.item(row, 0).text() for row in range(2)] == ["GENE9", "GENE8"]
    assert [page.table.item(0, column).text() for column in range(1, 4)] == ["−4.50", "4.5", "42"]
    bold = [page.table.item(row, 0).font().bold() for row in range(10)]
    assert sum(bold) == 7 and bold[0] and not bold[-1]
    assert "40.0 µm² with nothing edited" in page.title.text() and "<b>7</b> change it" in page.title.text()
    place = page.table.visualItemRect(page.table.item(1, 0)).center()
    qtbot.mouseClick(page.table.viewport(), LEFT, pos=place)
    assert dict(ready.state.edit.present.terms)["GENE8"] == 2.0 and page.plot.marked == "GENE8"


def test_a_click_on_a_dot_edits_the_cell_and_the_dots_are_in_order(dock, ready, qtbot):
    page = open_page(dock, SCREEN)
    page.start.click()
    assert page.plot.genes[0] == "GENE9" and page.plot.genes[-1] == "GENE8" and (np.diff(page.plot.effect) >= 0).all()
    qtbot.mouseClick(page.plot, LEFT, pos=page.plot.points()[0].toPoint())
    assert dict(ready.state.edit.present.terms)["GENE9"] == 2.0
    number = len(ready.state.edit.present.terms)
    qtbot.mouseClick(page.plot, LEFT, pos=QPoint(2, 2))
    assert len(ready.state.edit.present.terms) == number


def test_chosen_cells_are_screened_together(dock, ready, fake_backend):
    page = open_page(dock, SCREEN)
    ready.choose_inside([(0, 0), (0, 17), (17, 17), (17, 0)])
    page.cells.setCurrentIndex(1)
    page.dose.setValue(-1.0)
    page.start.click()
    plan, _ = fake_backend.editors[-1].screened[-1]
    assert plan.cells == tuple(ready.slide.cell_id[ready.state.chosen]) and len(plan.cells) > 1
    assert plan.log2_fc == -1.0 and page.table.columnCount() == 5 and f"{len(plan.cells)} cells" in page.title.text()


def test_a_type_is_said_not_to_depend_on_noise(dock, ready):
    page = open_page(dock, SCREEN)
    page.start.click()
    screen = ready.state.screen
    screen.null_sd[:] = 0.0
    ready.show_feature("type:ductal")
    assert "does not depend on noise" in page.title.text() and not page.table.item(0, 0).font().bold()


def test_two_cells_beside_each_other(dock, ready, qtbot):
    ready.set_log2_fc("GENE1", 2.0)
    page = open_page(dock, SIDE_BY_SIDE)
    assert not page.nearest.isEnabled()
    page.other.chosen.emit("cell-7")
    assert [view.shown.is_counterfactual for view in shown(page.pictures)] == [False, False, True] * 2
    assert "cell-7" in page.title.text() and "GENE1 +2" in page.title.text()
    first = [page.table.item(0, column).text() for column in range(3)]
    assert first == [
        "Cell area (µm²)",
        "40.0 → 42.0",
        "40.0 → 42.0",
    ]
    ready.examine()
    page.nearest.click()
    assert ready.state.side_by_side.cells[1].cell.cell_id == "cell-0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.004, "−0.004"), (0.123, "0.12"), (12.34, "12.3"), (-1234.5, "−1,234"), (float("nan"), "–")],
)
def test_numbers_are_short_and_keep_their_sign(value, text):
    assert number_text(value) == text
    assert signed(value) == (text if value < 0 or np.isnan(value) else f"+{text}")


def test_axes_never_are_empty_and_have_round_ticks():
    assert padded([]) == (-0.5, 0.5) and padded([3.0, 3.0, float("nan")]) == (2.5, 3.5)
    low, high = padded([0.0, 10.0])
    assert (low, high) == pytest.approx((-0.8, 10.8))
    assert ticks(-0.8, 10.8) == (0, 5, 10) and ticks(0.0, 0.4) == pytest.approx((0, 0.1, 0.2, 0.3, 0.4))
