"""The line in which a person types the id of a cell to go to it."""

from qtpy.QtCore import QStringListModel, QTimer, Signal
from qtpy.QtWidgets import QLineEdit, QSizePolicy

from napari_spatia.session.cell_ids import FEWEST_LETTERS
from napari_spatia.session.session import Session
from napari_spatia.widgets.completing import NameCompleter


class CellSearch(QLineEdit):
    """Type a part of a cell's id, choose one of those that contain it, or press Enter."""

    chosen = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setPlaceholderText("Go to cell… (G)")
        self.setToolTip(f"Type {FEWEST_LETTERS} letters or more of a cell's id and press Enter. Key G comes here")
        self.setAccessibleName("Go to a cell by its id")
        self.setClearButtonEnabled(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._found = QStringListModel(self)
        completer = NameCompleter(self._found, self)
        completer.activated.connect(self._choose)
        self.textEdited.connect(self._search)
        self.returnPressed.connect(self._enter)
        self.setCompleter(completer)

    def _search(self, typed: str) -> None:
        """The list holds only what is found now, before the completer looks into it."""
        self._found.setStringList(list(self._session.find_cells(typed)))

    def _enter(self) -> None:
        """What is marked in the list is told by the list itself, after this key."""
        completer = self.completer()
        listed = None if completer is None else completer.popup()
        if listed is None or not (listed.isVisible() and listed.currentIndex().isValid()):
            self._choose(self.text())

    def _choose(self, typed: str) -> None:
        if typed.strip():
            QTimer.singleShot(0, self.clear)  # the completer writes what was chosen into the line after it has told
            self.chosen.emit(typed.strip())
