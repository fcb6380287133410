"""Menus of the Cell dock: programmes and cell types to edit towards, changes of the niche, and saved edits."""

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMenu, QPushButton, QSizePolicy

from napari_spatia.inference.edits import PROGRAMME, TOWARDS, NicheChange, NicheEdit
from napari_spatia.inference.programmes import make_user_file
from napari_spatia.session.session import Session

NO_TYPES = "No cell types yet: predict first"
NO_DOMAINS = "No niche domains yet: predict first"
NO_RECENT = "None yet: save an edit first"
EDIT_FILES = "Edits (*.json)"


class MenuButton(QPushButton):
    """A button whose menu ``fill`` makes anew each time it opens, so that it shows what is there now."""

    def __init__(self, text: str, tooltip: str, fill: Callable[[], None]) -> None:
        super().__init__(text)
        self.setToolTip(tooltip)
        self.choices = QMenu(self)
        self.choices.setToolTipsVisible(True)
        self.choices.aboutToShow.connect(fill)
        self.setMenu(self.choices)

    def submenu(self, title: str, names: Sequence[str], empty: str, chosen: Callable[[str], None]) -> QMenu:
        """A submenu of names; one that is empty says why."""
        menu = QMenu(title, self.choices)
        menu.setToolTipsVisible(True)
        self.choices.addMenu(menu)
        for name in names:
            menu.addAction(name).triggered.connect(lambda _checked=False, name=name: chosen(name))
        if not names:
            menu.addAction(empty).setEnabled(False)
        return menu


class TermButton(MenuButton):
    """Adds the slider of a programme or of a cell type; `chosen` says its key."""

    chosen = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__("More", "Edit a programme of genes, or go towards a cell type", self._fill)
        self._session = session

    def _fill(self) -> None:
        self._session.read_programmes()
        self.choices.clear()
        state = self._session.state
        panel = None if state.checkpoint is None else state.checkpoint.panel
        menu = self.submenu(
            "Programme", tuple(state.programmes), "", lambda name: self.chosen.emit(f"{PROGRAMME}{name}")
        )
        for action, programme in zip(menu.actions(), state.programmes.values(), strict=True):
            measured = () if panel is None else programme.measured(panel)
            action.setText(f"{programme.name} ({len(measured)} of {len(programme.genes)} genes)")
            action.setToolTip(f"{programme.description}\nRead by the model: {', '.join(measured) or 'none'}")
            action.setEnabled(bool(measured))
        menu.addSeparator()
        menu.addAction("My programmes…").triggered.connect(self._open_file)
        self.submenu("Towards cell type", state.types, NO_TYPES, lambda name: self.chosen.emit(f"{TOWARDS}{name}"))

    def _open_file(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(make_user_file())))


class NicheButton(MenuButton):
    """Chooses what lies around the cell; `chosen` says a `NicheEdit`, or None for the niche as it is, `picked` that
    neighbours are to be marked on the slide.
    """

    chosen = Signal(object)
    picked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__("", "", self._fill)
        self._session = session
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long type makes no dock wider
        self.show_niche(None)

    def show_niche(self, niche: NicheEdit | None) -> None:
        text = "Niche as it is" if niche is None else niche_text(niche)
        self.setText(text)
        self.setToolTip(f"{text}. What lies around the cell: take neighbours away, replace them, or move the cell")

    def _fill(self) -> None:
        self.choices.clear()
        state = self._session.state
        self.choices.addAction("As it is").triggered.connect(lambda _checked=False: self.chosen.emit(None))
        self.choices.addAction("No neighbours").triggered.connect(lambda _checked=False: self._choose("remove", ""))
        self.submenu("Without neighbours of type", state.types, NO_TYPES, lambda name: self._choose("remove", name))
        self.submenu("All neighbours become", state.types, NO_TYPES, lambda name: self._choose("replace", name))
        self.submenu("Move into niche domain", state.domains, NO_DOMAINS, lambda name: self._choose("domain", name))
        self.choices.addAction("Move to the place of cell…").triggered.connect(self._ask_cell)
        self.choices.addSeparator()
        pick = self.choices.addAction("Pick neighbours on the slide…")
        pick.setToolTip("Mark single neighbours with the mouse; then remove them or have them become another type")
        pick.triggered.connect(lambda _checked=False: self.picked.emit())

    def _choose(self, change: str, name: str) -> None:
        self.chosen.emit(NicheEdit(NicheChange(change), name))

    def _ask_cell(self) -> None:
        cell_id, accepted = QInputDialog.getText(self, "Niche of another cell", "Id of the cell:")
        if accepted and cell_id.strip():
            self._choose("cell", cell_id.strip())


class PresetButton(MenuButton):
    """Saves the edit into a file, or takes one from a file: `saved` and `loaded` say which."""

    saved = Signal(object)
    loaded = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__("Presets", "Save this edit as a small file to share or to use again, or load one", self._fill)
        self._session = session

    def _fill(self) -> None:
        self.choices.clear()
        self.choices.addAction("Save edit as…").triggered.connect(self._ask_to_save)
        self.choices.addAction("Load edit…").triggered.connect(self._ask_to_load)
        recent = self._session.recent_edits()
        menu = self.submenu("Recent", [str(path) for path in recent], NO_RECENT, self._load)
        for action, path in zip(menu.actions(), recent, strict=False):
            action.setText(path.stem)
            action.setToolTip(str(path))

    def _load(self, path: str) -> None:
        self.loaded.emit(Path(path))

    def _ask_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save edit", "edit.json", EDIT_FILES)
        if path:
            self.saved.emit(Path(path).with_suffix(Path(path).suffix or ".json"))

    def _ask_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load edit", "", EDIT_FILES)
        if path:
            self.loaded.emit(Path(path))


def niche_text(niche: NicheEdit) -> str:
    """A niche edit in few words."""
    if niche.cells:
        num = "1 neighbour" if len(niche.cells) == 1 else f"{len(niche.cells)} neighbours"
        return f"Without {num}" if niche.change == NicheChange.REMOVE else f"{num}: {niche.name}"
    if niche.change == NicheChange.REMOVE:
        return f"Without {niche.name}" if niche.name else "No neighbours"
    said = {
        NicheChange.REPLACE: "Neighbours:",
        NicheChange.CELL: "Niche of",
        NicheChange.DOMAIN: "Niche domain",
    }
    return f"{said[niche.change]} {niche.name}"
