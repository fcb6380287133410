"""Verbs that choose what the cells are coloured by."""

from napari_spatia.data.colors import Rgb
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase
from napari_spatia.session.colour import Lookup, paint
from napari_spatia.session.values import ANNOTATION, ColourChoice, ValueSource


class ColourVerbs(SessionBase):
    """Colour by a key, its range, and which categories are painted."""

    def colour_choices(self) -> tuple[ColourChoice, ...]:
        """All that the cells of the open slide can be coloured by."""
        return self._values().choices() if self._opened else ()

    def colour_by(self, key: str | None) -> None:
        """Colour the cells by ``key`` (see `values`); None takes the colours off."""
        if key != self.state.colour:
            self.state.hidden, self.state.shown_range = frozenset(), None
        if key is None:
            self.jobs.cancel("colour")
            self.state.colour = self.state.lookup = None
            return
        source = self._values()
        source.check(key)
        self.state.colour = key
        self._paint(source)

    def show_range(self, low: float, high: float) -> None:
        """Put the ends of the colours at two values."""
        self.state.shown_range = (min(low, high), max(low, high))
        self._paint(self._values())

    def show_category(self, name: str, shown: bool) -> None:
        """Paint the cells of one category, or leave them out."""
        self.state.hidden = self.state.hidden - {name} if shown else self.state.hidden | {name}
        self._paint(self._values())

    def _paint(self, source: ValueSource) -> None:
        key, shown_range, hidden = self.state.colour, self.state.shown_range, self.state.hidden
        if key is None:
            return
        palette = {entry.name: entry.colour for entry in self.state.annotations.classes}
        palette = palette if key == ANNOTATION else dict(self._palette)

        def work(progress: Progress) -> Lookup:
            values = source.read(key)
            return paint(values, palette, shown_range, hidden)

        def accept(lookup: Lookup) -> None:
            if self.state.colour == key and self._opened is not None and self._opened.slide is source.slide:
                if key != ANNOTATION:
                    self._palette.update({row.name: row.colour for row in lookup.legend})
                self.state.lookup = lookup

        self.jobs.submit("colour", work, accept, drop_stale=False)

    def class_colours(self) -> dict[str, Rgb]:
        """Colour of each category and class that has been on screen."""
        return {**self._palette, **{entry.name: entry.colour for entry in self.state.annotations.classes}}

    def _values(self) -> ValueSource:
        opened, annotations = self.opened, self.state.annotations
        return ValueSource(
            opened.slide, opened.genes, opened.position, self.state.prediction, annotations.assigned, annotations.names
        )
