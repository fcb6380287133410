"""A line in which a name is typed, and the list of names below it."""

from qtpy.QtCore import QAbstractItemModel, QEvent, QObject, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QAbstractItemView, QCompleter, QLineEdit, QWidget


class NameLine(QLineEdit):
    """Shows what is chosen; a click selects that, so that typing takes its place, and a second one sets the cursor."""

    _was_selected = False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The press takes a selection off: remember it."""
        self._was_selected = self.hasSelectedText()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select all, unless the click was a second one, a drag, or in the midst of typing."""
        super().mouseReleaseEvent(event)
        if not (self._was_selected or self.hasSelectedText() or self.isModified()):
            self.selectAll()


class NameCompleter(QCompleter):
    """Lists the names that hold what is typed, in whatever case.

    Qt shows the list as a window of its own, which napari's style does not reach: it takes that of its line's window.
    """

    def __init__(self, names: QAbstractItemModel, parent: QWidget) -> None:
        super().__init__(names, parent)
        self.setFilterMode(Qt.MatchFlag.MatchContains)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Dress the list when it is shown."""
        if event.type() == QEvent.Type.Show and isinstance(watched, QAbstractItemView):
            style = self.widget().window().styleSheet()
            if watched.styleSheet() != style:
                watched.setStyleSheet(style)
        return super().eventFilter(watched, event)
