"""Verbs that choose which cells are looked at. Cells that do not pass are not painted and not counted in the legend."""

from collections.abc import Collection, Mapping
from math import inf

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.cell_filter import CategoryTerm, CellFilter, FilteredCells, RangeTerm, filter_cells
from napari_spatia.session.colouring import ColourVerbs
from napari_spatia.session.values import Values


class FilterVerbs(ColourVerbs):
    """Filters by anything that cells can be coloured by: numbers by a range, categories by their names."""

    def add_filter(self, key: str) -> None:
        """A filter by ``key`` that lets every cell pass until its range or its names are chosen; not a second one."""
        if key in self.state.cell_filter.keys:
            return
        if self._is_number(key):
            self.filter_by(key)
        else:
            self.filter_categories(key)

    def filter_by(self, key: str, low: float | None = None, high: float | None = None) -> None:
        """Look at cells whose number lies between two values, both included; None leaves an end open."""
        if not self._is_number(key):
            raise SpatiaError(f"'{key}' is no number; choose some of its categories with filter_categories.")
        low, high = -inf if low is None else low, inf if high is None else high
        self._filter(self.state.cell_filter.with_term(RangeTerm(key, min(low, high), max(low, high))))

    def filter_categories(self, key: str, names: Collection[str] | None = None) -> None:
        """Look at cells that ``key`` puts into one of ``names``; None takes all of them."""
        if self._is_number(key):
            raise SpatiaError(f"'{key}' is a number; choose a range of it with filter_by.")
        if names is not None:
            values = self._filter_values.get(key) or self._values().read(key)
            unknown = sorted(set(names) - set(values.categories or ()))
            if unknown:
                listed = ", ".join((values.categories or ())[:8])
                raise SpatiaError(f"'{key}' has no category '{unknown[0]}'. It has {listed}.")
        self._filter(self.state.cell_filter.with_term(CategoryTerm(key, None if names is None else frozenset(names))))

    def remove_filter(self, key: str) -> None:
        """Filter by this key no longer."""
        if key not in self.state.cell_filter.keys:
            raise SpatiaError(
                f"There is no filter by '{key}'. Filters: {', '.join(self.state.cell_filter.keys) or 'none'}."
            )
        self._filter(self.state.cell_filter.of_keys(set(self.state.cell_filter.keys) - {key}))

    def clear_filters(self) -> None:
        """Look at all cells."""
        self._filter(CellFilter())

    def _is_number(self, key: str) -> bool:
        """As `ValueSource.is_number`, at once for a key that is filtered by already: a slider asks at each move."""
        for term in self.state.cell_filter.terms:
            if term.key == key:
                return isinstance(term, RangeTerm)
        return self._values().is_number(key)

    def _refilter(self, *changed: str) -> None:
        """Filter again after the values of some keys, or of all where none is named, have changed."""
        keys = self.state.cell_filter.keys
        if not keys or (changed and not set(changed) & set(keys)):
            return
        self.jobs.cancel("filter")  # it would bring the old values back
        self._filter_values = {
            key: self._filter_values[key] for key in self._filter_values if changed and key not in changed
        }
        source = self._values()
        self._filter(self.state.cell_filter.of_keys(key for key in keys if source.has(key)))

    def _filter(self, wanted: CellFilter) -> None:
        state = self.state
        state.cell_filter = wanted
        if not wanted.terms:
            self.jobs.cancel("filter")
            state.filtered, self._filter_values = None, {}
            self._paint(self._values())
            return
        source, known = self._values(), dict(self._filter_values)

        def work(progress: Progress) -> tuple[Mapping[str, Values], FilteredCells]:
            values = {key: known.get(key) or source.read(key) for key in wanted.keys}
            return values, filter_cells(wanted, values)

        def accept(result: tuple[Mapping[str, Values], FilteredCells]) -> None:
            if self._opened is not None and self._opened.slide is source.slide:
                self._filter_values, state.filtered = dict(result[0]), result[1]
                self._paint(self._values())

        self.jobs.submit("filter", work, accept, drop_stale=False)
