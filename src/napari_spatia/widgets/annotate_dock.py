"""The Annotate dock: classes with colours and number keys; a click on a cell assigns the class that is on."""

from functools import partial

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import QLineEdit, QListWidget, QListWidgetItem

from napari_spatia.session.session import Session
from napari_spatia.session.values import is_blend
from napari_spatia.viewer import keys
from napari_spatia.widgets.arrange import dock_around, is_in_front
from napari_spatia.widgets.legend_parts import SWATCH_PX, ask_colour, swatch
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, named, row

CLASS_KEYS, NO_CLASS_KEY = tuple(key.key for key in keys.CLASSES), keys.NO_CLASS.key
NO_SLIDE = "Open a slide first, then add classes and click its cells into them."
NO_CLASS = "Add a class to begin: type its name and press Enter."
CHOOSE = "Press a class or its number key; then each click on a cell assigns it. Esc ends."
ARMED = "Clicks assign “{name}”. Esc or the same class again ends."


class AnnotateDock(Dock):
    """Classes and their cells. Its keys act, and a class stays on, only while it is in front of the tabs beside it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.hint = hint(NO_CLASS)
        self.name = QLineEdit()
        self.name.setPlaceholderText("New class…")
        named(self.name, "Name of a new class", "Type the name of a new class and press Enter")
        self.name.returnPressed.connect(self._add)
        self.add = button("Add", "Add this class", self._add)
        self.types = button("From types", "A class for each predicted or known cell type", self._add_types)
        self.classes = QListWidget()
        self.classes.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        named(self.classes, "Classes", "Click: assign this class. Double click: change its colour.")
        self.classes.itemClicked.connect(lambda item: self._arm(item.data(Qt.ItemDataRole.UserRole)))
        self.classes.itemDoubleClicked.connect(lambda item: self._recolour(item.data(Qt.ItemDataRole.UserRole)))
        self.clear = button("Unassign cell", "Take the selected cell out of its class", self._unassign)
        self.undo = button("Undo", "Take the last assignment back", self.session.undo_annotation)
        self.redo = button("Redo", "Assign it again", self.session.redo_annotation)
        self.save = button("Save into slide", "Write the annotation as a column of the slide's table",
                           lambda: self.attempt(self.session.save_annotations))  # fmt: skip
        self.status = hint("")
        for widget in (
            heading("Annotate cells"),
            self.hint,
            row(self.name, self.add, self.types),
            self.classes,
            row(self.undo, self.redo, self.clear),
            self.save,
            self.status,
            Busy(self, "annotations"),
        ):
            self.body.addWidget(widget)
        self.body.setStretchFactor(self.classes, 1)
        self._shortcuts = [self._shortcut(key, partial(self._arm_key, key)) for key in CLASS_KEYS]
        self._shortcuts.append(self._shortcut(NO_CLASS_KEY, partial(self.session.arm_class, None)))
        self.watch(self._show_classes, "slide", "annotations", "armed_class")
        self.watch(self._show_status, "slide", "annotations", "unsaved_annotations", "selected")

    def _shortcut(self, key: str, action: partial[None]) -> QShortcut:
        made = QShortcut(QKeySequence(key), self)
        made.setContext(Qt.ShortcutContext.WindowShortcut)
        made.activated.connect(action)
        return made

    def listen(self, on: bool) -> None:
        """As `Dock.listen`."""
        super().listen(on)
        self._look()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Hear from now on when the dock around this goes behind another tab or comes back."""
        super().showEvent(event)
        around = dock_around(self)
        if around is not None:
            around.installEventFilter(self)
        self._look()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self._look()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Qt moves a dock out of the window when another tab comes to the front."""
        if event is not None and event.type() in (QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide):
            self._look()
        return super().eventFilter(watched, event)

    def _look(self) -> None:
        """Nobody sees which class is on once the dock is left: then none is."""
        if self.listening and self.state.armed_class is not None and not is_in_front(self):
            self.session.arm_class(None)
        self._show_keys()

    # -- state → dock ---------------------------------------------------------------------------------------------

    def _show_classes(self) -> None:
        state = self.state
        annotations, armed = state.annotations, state.armed_class
        counts = annotations.counts()
        self.classes.clear()
        for entry in annotations.classes:
            key = f"{entry.key}   " if entry.key else "     "
            item = QListWidgetItem(swatch(entry.colour), f"{key}{entry.name}   ({counts[entry.name]:,})")
            item.setData(Qt.ItemDataRole.UserRole, entry.name)
            self.classes.addItem(item)
            if entry.name == armed:
                self.classes.setCurrentItem(item)
        words = CHOOSE if annotations.classes else NO_CLASS
        words = ARMED.format(name=armed) if armed is not None else words
        self.hint.setText(NO_SLIDE if state.slide is None else words)
        self._show_keys()

    def _show_keys(self) -> None:
        armed, listens = self.state.armed_class, self.listening and is_in_front(self)
        for shortcut, key in zip(self._shortcuts, (*CLASS_KEYS, NO_CLASS_KEY), strict=True):
            acts = armed is not None if key == NO_CLASS_KEY else self._class_of(key) is not None
            shortcut.setEnabled(acts and listens)

    def _show_status(self) -> None:
        state = self.state
        open_slide = state.slide is not None
        for widget in (self.name, self.add, self.types, self.classes):
            widget.setEnabled(open_slide)
        self.undo.setEnabled(self.session.can_undo_annotation)
        self.redo.setEnabled(self.session.can_redo_annotation)
        self.clear.setEnabled(state.selected in state.annotations.assigned)
        self.save.setEnabled(state.unsaved_annotations > 0)
        total = len(state.annotations.assigned)
        kept = "each click is already safe on disk" if state.unsaved_annotations else "all in the slide's table"
        cells = "cell" if total == 1 else "cells"
        self.status.setText(f"{total:,} {cells} annotated; {kept}." if total or state.unsaved_annotations else "")

    # -- dock → session -------------------------------------------------------------------------------------------

    def _add(self) -> None:
        name = self.name.text().strip()
        if name:
            self.attempt(self.session.add_class, name)
            self.name.clear()

    def _add_types(self) -> None:
        lookup = self.state.lookup
        if lookup is None or not lookup.legend or is_blend(lookup.key):
            self.session.tell_error("Colour the cells by a type or a cluster first; its categories become classes.")
            return
        for entry in lookup.legend:
            self.attempt(self.session.add_class, entry.name, entry.colour)

    def _arm(self, name: str) -> None:
        self.attempt(self.session.arm_class, None if name == self.state.armed_class else name)

    def _class_of(self, key: str) -> str | None:
        return next((entry.name for entry in self.state.annotations.classes if entry.key == key), None)

    def _arm_key(self, key: str) -> None:
        name = self._class_of(key)
        if name is not None:
            self._arm(name)

    def _recolour(self, name: str) -> None:
        colour = ask_colour(self, name, self.state.annotations.find(name).colour)
        if colour is not None:
            self.attempt(self.session.add_class, name, colour)

    def _unassign(self) -> None:
        if self.state.selected is not None:
            self.attempt(self.session.annotate, self.state.selected, None)
