"""From cell to cell of a list: which list, and the buttons and keys of the next and the one before."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QWidget

from napari_spatia.viewer import keys
from napari_spatia.widgets.parts import Dock, row, small_button

LIST_PX = 140


class Walk:
    """``list`` chooses among the session's lists, ``buttons`` go back and on; N and Shift+N do the same."""

    def __init__(self, dock: Dock) -> None:
        self._dock = dock
        self._keys: list[str] = []
        self.list = QComboBox()
        self.list.setToolTip("The cells that N and Shift+N go through: the chosen ones, or those of a class")
        self.list.setAccessibleName("List of cells to go through")
        self.list.setFixedWidth(LIST_PX)
        self.list.activated.connect(self._take)
        self.before = small_button("◀", keys.CELL_BEFORE.tip("The cell before"), lambda: self._go(-1))
        self.next = small_button("▶", keys.NEXT_CELL.tip("The next cell"), lambda: self._go(1))
        self.buttons: QWidget = row(self.before, self.next)
        dock.bind_key(keys.NEXT_CELL, lambda: self._go(1))
        dock.bind_key(keys.CELL_BEFORE, lambda: self._go(-1))
        dock.watch_late(self._show, "slide", "chosen", "lookup", "walk")

    def _show(self) -> None:
        walks = self._dock.session.walks()
        self._keys = [key for key, _, _ in walks]
        self.list.clear()
        for place, (_, name, count) in enumerate(walks):
            self.list.addItem(name)
            self.list.setItemData(place, f"{name}: {count:,} cells", Qt.ItemDataRole.ToolTipRole)
        walk = self._dock.state.walk
        self.list.setCurrentIndex(self._keys.index(walk) if walk in self._keys else 0)
        for widget in (self.list, self.before, self.next):
            widget.setEnabled(bool(walks))

    def _take(self, place: int) -> None:
        self._dock.attempt(self._dock.session.walk_through, self._keys[place])

    def _go(self, step: int) -> None:
        if self._dock.state.slide is not None:
            self._dock.attempt(self._dock.session.next_cell, step)
