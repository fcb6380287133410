"""Which types the bars below an edited cell show."""

from napari_spatia.widgets.gauges import TypeBars, TypeChange, most_changed

TYPES = ("acinar", "ductal", "tumour", "beta")


def test_types_that_change_most_come_first_and_those_that_read_nothing_are_left_out():
    shown = most_changed(TYPES, (0.02, 0.9, 0.08, 0.0), (0.004, 0.6, 0.396, 0.0), most=3)
    assert [change.name for change in shown] == ["tumour", "ductal", "acinar"]


def test_without_a_change_to_be_read_the_likeliest_type_comes_first():
    shown = most_changed(TYPES, (0.001, 0.998, 0.001, 0.0), (0.003, 0.997, 0.0, 0.0))
    assert [change.name for change in shown] == ["ductal"], "a change of 0.2 % reads 0% and is left out"


def test_the_numbers_lie_clear_of_a_full_bar(qtbot):
    bars = TypeBars()
    qtbot.addWidget(bars)
    bars.resize(300, 40)
    bars.show_types([TypeChange("T_cell", 1.0, 1.0)])
    image = bars.grab().toImage()
    middle = image.height() // 2
    blue = [
        x for x in range(image.width()) if image.pixelColor(x, middle).blue() > image.pixelColor(x, middle).red() + 60
    ]
    numbers_px = bars.fontMetrics().horizontalAdvance("100% → 100%")
    assert len(blue) > 50 and max(blue) < bars.width() - numbers_px - 2
