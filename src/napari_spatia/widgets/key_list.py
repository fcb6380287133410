"""The list of keys, as a small window over the one that listens to them."""

from itertools import groupby

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_spatia.viewer.keys import ALL_KEYS
from napari_spatia.widgets.parts import heading

SLIDER = (
    ("← →", "A step of 0.1"),
    ("Page up, Page down", "A sixteenth of the slider"),
    ("Home, End", "To its ends"),
    ("0", "Back to 0"),
)
"""What the sliders of the Cell dock hear while they have the focus."""
MOUSE = (
    ("Click", "Select a cell"),
    ("Shift, Alt + drag", "With a tool: add to the choice, take from it"),
    ("Double click", "A slider: back to 0"),
    ("Wheel", "Zoom; a slider with the focus: a step of 0.1 a notch"),
)
TITLE = "Keys of napari-spatia"


class KeyList(QDialog):
    """Every declared key, those of a slider, and what the mouse does, by where it is heard. Esc closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(TITLE)
        self.setAccessibleName(TITLE)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(3)
        for where, keys in groupby(ALL_KEYS, lambda key: key.where):
            self._add(grid, where, [(QKeySequence(key.key).toString(_NATIVE), key.does) for key in keys])
        self._add(grid, "On a slider of the Cell dock", list(SLIDER))
        self._add(grid, "Mouse", list(MOUSE))
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(grid)
        layout.addWidget(close)

    def _add(self, grid: QGridLayout, title: str, lines: list[tuple[str, str]]) -> None:
        row = grid.rowCount()
        grid.addWidget(heading(title), row, 0, 1, 2)
        for number, (key, does) in enumerate(_joined(lines), start=row + 1):
            name = QLabel(key)
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(name, number, 0)
            grid.addWidget(QLabel(does), number, 1)


_NATIVE = QKeySequence.SequenceFormat.NativeText


def _joined(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The nine class keys as one line."""
    classes = [key for key, does in lines if does.startswith("Class ")]
    others = [line for line in lines if not line[1].startswith("Class ")]
    first = [(f"{classes[0]} … {classes[-1]}", "The class with this key: clicks on cells assign it")] if classes else []
    return first + others


def show_keys(parent: QWidget) -> KeyList:
    """Open the list over a window."""
    shown = KeyList(parent)
    shown.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    shown.show()
    return shown
