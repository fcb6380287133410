"""Which cells are looked at: a list of filters that folds away, each a range of numbers or a check list of names."""

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_spatia.session.cell_filter import CategoryTerm, RangeTerm, Term, TermSpan
from napari_spatia.session.values import ColourChoice, is_whole
from napari_spatia.widgets.colour_search import ColourSearch
from napari_spatia.widgets.parts import TICK_BOXES, Dock, column, row, small_button
from napari_spatia.widgets.range_slider import RangeSlider

NAMES_PX = 104
"""Height of a check list: four names and a half, so that one sees that there are more."""
TO_FILTER = "Add filter: counts, type, gene…"


class RangeRow(QWidget):
    """The range of one number."""

    ranged = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.slider = RangeSlider("Cells between these two values pass")
        self.slider.moved.connect(self._tell)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider)
        self.slider.inset()

    def show_term(self, term: RangeTerm, span: TermSpan) -> None:
        """Show the term between the limits of all cells."""
        low, high = span.limits or (0.0, 1.0)
        shown = (min(max(term.low, low), high), max(min(term.high, high), low))
        self.slider.show_range((low, high), shown, is_whole(term.key))

    def _tell(self, low: float, high: float) -> None:
        """An end that lies at its limit is open."""
        slider = self.slider
        self.ranged.emit(None if low <= slider.minimum() else low, None if high >= slider.maximum() else high)


class NamesRow(QListWidget):
    """The names of one category with their numbers of cells; those that are checked pass."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setStyleSheet(TICK_BOXES)
        self.setMaximumHeight(NAMES_PX)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Names that pass the filter")
        self.setToolTip("Space or the box: let this name pass or not · Double click: this name alone")
        self._listed: tuple[tuple[str, int], ...] = ()
        self.itemChanged.connect(self._tell)
        self.itemDoubleClicked.connect(lambda item: self.chosen.emit([item.data(Qt.ItemDataRole.UserRole)]))

    def show_term(self, term: CategoryTerm, span: TermSpan) -> None:
        """Check the names that pass."""
        self.blockSignals(True)
        if span.categories != self._listed:
            self.clear()
            for name, count in span.categories:
                item = QListWidgetItem(f"{name}   ({count:,})", self)
                item.setData(Qt.ItemDataRole.UserRole, name)
            self._listed = span.categories
        for number, (name, _) in enumerate(span.categories):
            passes = term.names is None or name in term.names
            self.item(number).setCheckState(Qt.CheckState.Checked if passes else Qt.CheckState.Unchecked)
        self.blockSignals(False)

    def _tell(self) -> None:
        items = [self.item(number) for number in range(self.count())]
        names = [item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked]
        self.chosen.emit(None if len(names) == len(items) else names)


class FilterRow(QWidget):
    """One filter: its title, its choice, and off with it."""

    def __init__(self, dock: Dock, term: Term) -> None:
        super().__init__()
        session = dock.session
        self.kind = type(term)
        self.title = QLabel()
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.remove = small_button("✕", "Remove this filter", partial(dock.attempt, session.remove_filter, term.key))
        self.names: NamesRow | None = None
        self.range: RangeRow | None = None
        if isinstance(term, RangeTerm):
            self.range = RangeRow()
            self.range.ranged.connect(partial(dock.attempt, session.filter_by, term.key))
        else:
            self.names = NamesRow()
            self.names.chosen.connect(partial(dock.attempt, session.filter_categories, term.key))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(row(self.title, self.remove))
        layout.addWidget(self.range or self.names)

    def show_term(self, term: Term, span: TermSpan) -> None:
        """Show what passes."""
        self.title.setText(span.title)
        self.title.setToolTip(span.title)
        if isinstance(term, RangeTerm) and self.range is not None:
            self.range.show_term(term, span)
        elif isinstance(term, CategoryTerm) and self.names is not None:
            self.names.show_term(term, span)


class Filters(QWidget):
    """All filters, and how many cells pass them."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock, self._session = dock, dock.session
        self.rows: dict[str, FilterRow] = {}
        self.fold = QToolButton()
        self.fold.setText("Filters")
        self.fold.setCheckable(True)
        self.fold.setToolTip("Look at some of the cells only")
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.toggled.connect(self._fold)
        self.passing = QLabel()
        self.passing.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.clear = small_button("✕", "Remove all filters", partial(dock.attempt, dock.session.clear_filters))
        self.search = ColourSearch(TO_FILTER)
        self.search.picked.connect(self._add)
        self.search.unknown.connect(self._tell_unknown)
        self._rows = column()
        self._content = column(self._rows, self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(row(self.fold, self.passing, self.clear))
        layout.addWidget(self._content)
        self._fold(False)
        dock.watch(self._show, "slide", "cell_filter", "filtered")

    def _fold(self, unfolded: bool) -> None:
        self.fold.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self._content.setVisible(unfolded)

    def list_choices(self, choices: Sequence[ColourChoice]) -> None:
        """List what cells can be filtered by."""
        self.search.list_choices(choices)
        self.setEnabled(bool(choices))

    def _show(self) -> None:
        state = self._session.state
        terms = {term.key: term for term in state.cell_filter.terms}
        spans = {} if state.filtered is None else state.filtered.spans
        kinds = {key: type(term) for key, term in terms.items()}
        for key in [key for key, shown in self.rows.items() if kinds.get(key) is not shown.kind]:
            gone = self.rows.pop(key)
            gone.hide()  # at once: it is deleted when the event loop comes to it
            self._rows.layout().removeWidget(gone)
            gone.deleteLater()
        for key, term in terms.items():
            if key not in self.rows and key in spans:
                self.rows[key] = FilterRow(self._dock, term)
                self._rows.layout().addWidget(self.rows[key])
            if key in self.rows and key in spans:
                self.rows[key].show_term(term, spans[key])
        self.clear.setVisible(bool(terms))
        if state.filtered is not None and state.slide is not None:
            self.passing.setText(f"{state.filtered.num_passing:,} of {state.slide.num_cells:,} cells pass")
        else:
            self.passing.setText("")

    def _add(self, key: str) -> None:
        self._dock.attempt(self._session.add_filter, key)
        self.search.show_key(None)

    def _tell_unknown(self, name: str) -> None:
        self._session.tell_error(f"Nothing that cells can be filtered by is called '{name}'.")
        self.search.show_key(None)
