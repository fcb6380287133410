"""The Elements dock: everything that the slide's store holds, to be shown beside the slide or to make it of."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QMessageBox, QSizePolicy, QTreeWidget, QTreeWidgetItem

from napari_spatia.data.element_list import KINDS, StoredElement
from napari_spatia.session.elements import SHOWING
from napari_spatia.session.session import Session
from napari_spatia.widgets.parts import TICK_BOXES, Busy, Dock, button, heading, hint

NO_SLIDE = "Open a slide first."
NO_STORE = "This slide is not kept in a store; there are no other elements to show."
CHOOSE = "Tick an element to see it over the slide. Bold ones are what the slide is made of."
TITLES = {"images": "Images", "labels": "Labels", "shapes": "Shapes", "points": "Points", "tables": "Tables"}
NAME, SIZE, SYSTEM = range(3)
UNSAVED = "The prediction of this slide is not saved and will be lost. Open the slide again all the same?"


class ElementsDock(Dock):
    """A tree of the store's elements, kind by kind. The slide's own are bold."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.hint = hint(NO_SLIDE)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Element", "Size", "System"])
        self.tree.setAccessibleName("Elements of the slide's store")
        self.tree.setStyleSheet(TICK_BOXES)
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(8)
        self.tree.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (SIZE, SYSTEM):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.rows: dict[str, QTreeWidgetItem] = {}
        self.tree.itemChanged.connect(self._take_tick)
        self.tree.currentItemChanged.connect(lambda *_: self._show_use())
        self.use = button("Use for the slide", "", self._use)
        for widget in (heading("Elements"), self.hint, self.tree, self.use, Busy(self, "open")):
            self.body.addWidget(widget, 1 if widget is self.tree else 0)
        self.watch(self._show_elements, "slide", "elements")
        self.watch(self._show_ticks, "shown_elements", "jobs", "elements")

    # -- session → dock -------------------------------------------------------------------------------------------

    def _show_elements(self) -> None:
        elements = self.state.elements
        self.hint.setText(NO_SLIDE if self.state.slide is None else CHOOSE if elements else NO_STORE)
        self.tree.setVisible(bool(elements))
        self.tree.clear()
        systems = {entry.coordinate_systems for entry in elements if entry.kind != "tables"}
        self.tree.setColumnHidden(SYSTEM, len(systems) < 2)  # where all lie in one, the names need the room
        self.rows = {}
        for kind in KINDS:
            listed = [entry for entry in elements if entry.kind == kind]
            if listed:
                group = QTreeWidgetItem(self.tree, [f"{TITLES[kind]} ({len(listed)})"])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                group.setFirstColumnSpanned(True)
                group.setExpanded(True)
                for entry in listed:
                    self.rows[entry.path] = _row(group, entry)
        self._show_ticks()
        self._show_use()

    def _show_ticks(self) -> None:
        """Ticks and, of what is being read, how far that is."""
        state = self.state
        self.tree.blockSignals(True)
        for entry in state.elements:
            row, job = self.rows.get(entry.path), state.jobs.get(SHOWING + entry.path)
            if row is None or not row.flags() & Qt.ItemFlag.ItemIsUserCheckable:
                continue
            reading = job is not None and job.running
            shown = entry.path in state.shown_elements
            row.setCheckState(NAME, Qt.CheckState.Checked if reading or shown else Qt.CheckState.Unchecked)
            row.setText(SIZE, f"reading {job.fraction:.0%}" if job is not None and reading else entry.size)
        self.tree.blockSignals(False)

    def _show_use(self) -> None:
        entry = self._current()
        self.use.setEnabled(entry is not None and bool(entry.could_be) and not entry.use)
        self.use.setText("Use for the slide" if entry is None or not entry.could_be else f"Use as {entry.could_be}")
        self.use.setToolTip(
            "Choose an image, labels, shapes or table: the slide opens again with it"
            if entry is None or not entry.could_be
            else f"The slide is made of {entry.name}"
            if entry.use
            else f"Open the slide again with {entry.name} as its {entry.could_be}"
        )

    def _current(self) -> StoredElement | None:
        item = self.tree.currentItem()
        return next((entry for entry in self.state.elements if self.rows.get(entry.path) is item), None)

    # -- dock → session -------------------------------------------------------------------------------------------

    def _take_tick(self, item: QTreeWidgetItem, column: int) -> None:
        path = next((path for path, row in self.rows.items() if row is item), None)
        if path is not None and column == NAME:
            ticked = item.checkState(NAME) != Qt.CheckState.Unchecked
            self.attempt(self.session.show_element if ticked else self.session.hide_element, path)
            self._show_ticks()

    def _use(self) -> None:
        entry = self._current()
        if entry is None or (not self.state.prediction_saved and not self._loses_prediction()):
            return
        self.attempt(self.session.use_element, entry.path)

    def _loses_prediction(self) -> bool:
        """Whether the person gives up a prediction that is not saved."""
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self, "Use another element", UNSAVED) == yes


def _row(group: QTreeWidgetItem, entry: StoredElement) -> QTreeWidgetItem:
    systems = ", ".join(entry.coordinate_systems)
    row = QTreeWidgetItem(group, [entry.name, entry.size, systems])
    flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
    if entry.kind != "tables" and not entry.problem:
        row.setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable)
        row.setCheckState(NAME, Qt.CheckState.Unchecked)
    else:
        row.setFlags(flags if not entry.problem else Qt.ItemFlag.NoItemFlags)
    if entry.use:
        font = row.font(NAME)
        font.setBold(True)
        row.setFont(NAME, font)
    about = entry.problem or f"{entry.name}: {entry.size}" + (f" in {systems}" if systems else "")
    about += f". The slide's {entry.use}" if entry.use else ""
    for column in (NAME, SIZE, SYSTEM):
        row.setToolTip(column, about)
    return row
