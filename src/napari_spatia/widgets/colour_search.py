"""A list of everything that cells can be coloured by, which is searched by typing."""

from collections.abc import Sequence

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_spatia.session.values import ColourChoice
from napari_spatia.widgets.completing import NameCompleter, NameLine
from napari_spatia.widgets.legend_parts import star_icon


class ColourSearch(QComboBox):
    """``picked`` tells the key that was chosen, ``unknown`` a text that names nothing."""

    picked = Signal(str)
    unknown = Signal(str)

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self.setLineEdit(NameLine())
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMaxVisibleItems(24)
        self.lineEdit().setPlaceholderText(placeholder)
        self.setAccessibleName(placeholder.rstrip("…"))
        self.setToolTip("Type to search: predicted types, clusters, columns of the table, genes")
        self._names = QStringListModel(self)
        completer = NameCompleter(self._names, self)
        completer.activated.connect(self._pick_name)
        self.setCompleter(completer)
        self.activated.connect(lambda idx: self.picked.emit(self.itemData(idx)))
        self.lineEdit().returnPressed.connect(lambda: self._pick_name(self.currentText()))

    def list_choices(self, choices: Sequence[ColourChoice]) -> None:
        """List these; none is chosen."""
        self.blockSignals(True)
        self.clear()
        for entry in choices:
            self.addItem(entry.label, entry.key)
            about = f"Favourite · {entry.group}" if entry.starred else entry.group
            self.setItemData(self.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
            if entry.starred:
                self.setItemIcon(self.count() - 1, star_icon())
        self.setCurrentIndex(-1)
        self.blockSignals(False)
        self._names.setStringList([entry.label for entry in choices])

    def show_key(self, key: str | None) -> None:
        """Show one entry without choosing it; none for a key that is not listed."""
        self.blockSignals(True)
        self.setCurrentIndex(-1 if key is None else self.findData(key))
        self.blockSignals(False)

    def key_of(self, name: str) -> str | None:
        """The key of the entry of this name, in whatever case."""
        idx = self.findText(name, Qt.MatchFlag.MatchFixedString)
        return None if idx < 0 else str(self.itemData(idx))

    def _pick_name(self, name: str) -> None:
        key = self.key_of(name)
        if not name:  # Qt tells Enter twice, the second time after the line was cleared
            return
        if key is None:
            self.unknown.emit(name)
        else:
            self.picked.emit(key)
