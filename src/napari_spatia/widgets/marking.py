"""While neighbours are marked on the slide: how many are, and what can be done with them."""

from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.viewer import keys
from napari_spatia.widgets.edit_menus import NO_TYPES, MenuButton
from napari_spatia.widgets.parts import Dock, button, hint, row


class MarkStrip(QWidget):
    """Takes no room while no neighbours are being marked."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock, self._session = dock, dock.session
        self.told = hint("")
        self.remove = button(
            "Remove", "Take the marked neighbours away", lambda: dock.attempt(self._session.remove_marked)
        )
        self.become = MenuButton(
            "Become", "Let the marked neighbours express what cells of another type do", self._list_types
        )
        self.cancel = button("Cancel", "Leave the neighbours as they are (Esc)", self._cancel)
        escape = QShortcut(QKeySequence(keys.LEAVE.key), self)  # a key of the window, while this can be seen
        escape.activated.connect(self._cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.told)
        layout.addWidget(row(self.remove, self.become, self.cancel))
        dock.watch(self._show, "tool", "neighbours", "marked")

    def _show(self) -> None:
        state = self._session.state
        self.setVisible(state.tool == NEIGHBOURS)
        count = f"{len(state.marked)} of {len(state.neighbours)} neighbours are marked."
        self.told.setText(f"Click the outlined cells on the slide to mark them. {count}")
        for made in (self.remove, self.become):
            made.setEnabled(bool(state.marked))

    def _list_types(self) -> None:
        self.become.choices.clear()
        for name in self._session.state.types:
            action = self.become.choices.addAction(name)
            action.triggered.connect(lambda _checked=False, name=name: self._replace(name))
        if not self._session.state.types:
            self.become.choices.addAction(NO_TYPES).setEnabled(False)

    def _replace(self, cell_type: str) -> None:
        self._dock.attempt(self._session.replace_marked, cell_type)

    def _cancel(self) -> None:
        self._dock.attempt(self._session.use_tool, "")
