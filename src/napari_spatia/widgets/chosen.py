"""How many cells are chosen, of which categories, and what can be done with them."""

from functools import partial
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_spatia.session.colour import LegendRow, count_chosen, to_hex
from napari_spatia.session.selecting import BOX, LASSO
from napari_spatia.widgets.parts import Dock, button, hint, row

TOP_CATEGORIES = 5
TOOLS = {
    LASSO: ("Lasso", "Draw around cells on the slide (L). Shift adds to the choice, Alt removes from it, Esc ends."),
    BOX: ("Box", "Draw a box around cells on the slide (B). Shift adds to the choice, Alt removes from it, Esc ends."),
}


class Chosen(QWidget):
    """The chosen cells of the session; takes no room without a slide.

    ``how`` says how cells are chosen in this dock; ``tools`` are those of the slide that have a button in it, and
    ``by_category`` whether the categories of the chosen cells are counted there.
    """

    def __init__(self, dock: Dock, how: str, tools: tuple[str, ...] = (), by_category: bool = True) -> None:
        super().__init__()
        self._dock, self._session, self._by_category = dock, dock.session, by_category
        self.tools = {tool: self._tool_button(tool) for tool in tools}
        self.none = button("None", "Choose no cell", self._session.choose_none)
        self.invert = button("Invert", "Choose the cells that are not chosen", self._invert)
        self.annotate = QPushButton("Annotate as…")
        self.annotate.setToolTip("Put the chosen cells into a class of the annotation, in one step")
        self.classes = QMenu(self.annotate)
        self.annotate.setMenu(self.classes)
        self.classes.aboutToShow.connect(self.list_classes)
        self.total = QLabel()
        self.total.setWordWrap(True)
        self.categories = QLabel()
        self.categories.setTextFormat(Qt.TextFormat.RichText)
        self.categories.setWordWrap(True)
        self.how = hint(how)
        actions = row(self.none, self.invert, self.annotate)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (*([row(*self.tools.values())] if tools else []), self.how, self.total, self.categories, actions):
            layout.addWidget(widget)
        dock.watch(self._show_tool, "tool")
        dock.watch_late(self._show_chosen, "slide", "chosen", "lookup")

    def _tool_button(self, tool: str) -> QPushButton:
        text, tooltip = TOOLS[tool]
        made = button(text, tooltip, lambda: self._dock.attempt(self._session.use_tool, tool))
        made.setCheckable(True)
        return made

    def _show_tool(self) -> None:
        for tool, made in self.tools.items():
            made.setChecked(self._session.state.tool == tool)

    def _show_chosen(self) -> None:
        state = self._session.state
        self.setVisible(state.slide is not None)
        is_some = state.chosen is not None
        self.how.setVisible(not is_some)
        self.total.setVisible(is_some)
        for made in (self.none, self.annotate):
            made.setEnabled(is_some)
        rows = count_chosen(state.lookup, state.chosen) if self._by_category else ()
        self.categories.setVisible(bool(rows))
        self.categories.setText(_in_words(rows))
        if state.slide is not None and state.chosen is not None:
            self.total.setText(f"<b>{len(state.chosen):,}</b> of {state.slide.num_cells:,} cells chosen")

    def _invert(self) -> None:
        self._dock.attempt(self._session.invert_choice)

    def list_classes(self) -> None:
        """Fill the menu with the classes as they are now."""
        self.classes.clear()
        for entry in self._session.state.annotations.classes:
            self.classes.addAction(entry.name, partial(self._annotate, entry.name))
        self.classes.addAction("New class…", self._ask_class)
        self.classes.addSeparator()
        self.classes.addAction("No class", partial(self._annotate, None))

    def _annotate(self, name: str | None) -> None:
        self._dock.attempt(self._session.annotate_chosen, name)

    def _ask_class(self) -> None:
        name, is_given = QInputDialog.getText(self, "New class", "Name of the class")
        if is_given and name.strip():
            self._dock.attempt(self._session.add_class, name.strip())
            self._annotate(name.strip())


def _in_words(rows: tuple[LegendRow, ...]) -> str:
    """The most frequent categories of the choice, each behind its colour, and how many there are beside them."""
    named = [
        f'<span style="color:{to_hex(entry.colour)}">■</span>&nbsp;{_unbroken(entry)}'
        for entry in rows[:TOP_CATEGORIES]
    ]
    rest = sum(entry.count for entry in rows[TOP_CATEGORIES:])
    return " &nbsp; ".join([*named, f"others&nbsp;{rest:,}"] if rest else named)


def _unbroken(entry: LegendRow) -> str:
    return escape(f"{entry.name} {entry.count:,}").replace(" ", "&nbsp;")
