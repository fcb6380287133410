"""The list of names below a line of text, in the colours of the window."""

from qtpy.QtCore import QAbstractItemModel, QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractItemView, QCompleter, QWidget


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
