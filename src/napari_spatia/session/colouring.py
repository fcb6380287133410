"""Verbs that choose what the cells are coloured by."""

from pathlib import Path
from typing import Any

import pandas as pd

from napari_spatia.data.colors import Rgb
from napari_spatia.data.keys import colors_of
from napari_spatia.data.store import write_obs_columns
from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase
from napari_spatia.session.blend import lookup_blend
from napari_spatia.session.colour import CELL_STYLES, COLORMAPS, PERCENT, LegendRow, Lookup, Painting, paint, to_hex
from napari_spatia.session.values import ANNOTATION, ColourChoice, Values, ValueSource, is_blend, starred_first


class ColourVerbs(SessionBase):
    """Colour by a key, its range and colour map, and which categories are painted in which colours."""

    def colour_choices(self) -> tuple[ColourChoice, ...]:
        """All that the cells of the open slide can be coloured by, favourite genes first."""
        return starred_first(self._values().choices(), self.state.favourites) if self._opened else ()

    def gene_forms(self) -> tuple[ColourChoice, ...]:
        """The forms of the gene that the cells are coloured by (counts, normalised, imputed); none without a gene."""
        return self._values().forms(self.state.colour) if self._opened else ()

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
        if is_blend(self.state.colour or ""):
            raise SpatiaError("Genes that are blended have ends of their own. Choose percentiles, or show one gene.")
        self.state.shown_range = (min(low, high), max(low, high))
        self._repaint()

    def show_percentiles(self, low: float = PERCENT[0], high: float = PERCENT[1]) -> None:
        """Put the ends of the colours at two percentiles of the values, now and of what is coloured by next."""
        if not 0 <= low < high <= 100:
            raise SpatiaError(f"Percentiles {low:g} and {high:g} are no range; expected 0 ≤ low < high ≤ 100.")
        self.state.shown_range, self.state.percent = None, (low, high)
        self._repaint()

    def set_colormap(self, name: str) -> None:
        """Colour numbers with another of `COLORMAPS`."""
        if name not in COLORMAPS:
            raise SpatiaError(f"Unknown colour map '{name}'. Expected one of {', '.join(COLORMAPS)}.")
        self.state.colormap = name
        self._repaint()

    def set_cell_style(self, name: str) -> None:
        """Paint cells in one of `CELL_STYLES`."""
        if name not in CELL_STYLES:
            raise SpatiaError(f"Cells cannot be painted as '{name}'. Expected one of {', '.join(CELL_STYLES)}.")
        self.state.cell_style = name

    def show_category(self, name: str, shown: bool) -> None:
        """Paint the cells of one category, or leave them out."""
        self._hide(self.state.hidden - {name} if shown else self.state.hidden | {name})

    def solo_category(self, name: str) -> None:
        """Paint the cells of this category alone; when it is alone already, all of them."""
        others = {row.name for row in self._legend()} - {name}
        self._hide(frozenset() if self.state.hidden == others else frozenset(others))

    def show_all_categories(self) -> None:
        """Paint the cells of every category."""
        self._hide(frozenset())

    def recolour_category(self, name: str, colour: Rgb) -> None:
        """Give a category on screen another colour for as long as the slide is open."""
        if name not in {row.name for row in self._legend()}:
            raise SpatiaError(f"There is no category '{name}' on screen to give a colour to.")
        self._palette[name] = colour
        self._repaint()

    def save_colours(self) -> None:
        """Write the colours of the column on screen into the slide's table, where scanpy and others look for them."""
        source, _, column = (self.state.colour or "").partition(":")
        values = self.slide.obs[column] if source == "obs" else None
        if values is None or not isinstance(values.dtype, pd.CategoricalDtype):
            raise SpatiaError(
                "Colours are saved for categorical columns of the slide's table, and what is on screen is none. "
                "Save the prediction or the annotation first, or choose a column."
            )
        colours = {row.name: to_hex(row.colour) for row in self._legend()}
        entry: dict[str, Any] = {colors_of(column): [colours[str(name)] for name in values.cat.categories]}
        slide = self.slide

        def work(progress: Progress) -> Path:
            write_obs_columns(slide.path, slide.table_name, {}, entry)
            return slide.path

        self.jobs.submit("save", work, lambda path: self._say(f"Colours of '{column}' written into {path}."))

    def _hide(self, names: frozenset[str]) -> None:
        self.state.hidden = names
        self._repaint()

    def _legend(self) -> tuple[LegendRow, ...]:
        return () if self.state.lookup is None else self.state.lookup.legend

    def _repaint(self) -> None:
        """Paint what is on screen in another way; its values are read again only while newer ones are on their way."""
        lookup, up_to_date = self.state.lookup, self._reads_done == self._reads_asked
        self._paint(self._values(), lookup.values if lookup is not None and up_to_date else None)

    def _paint(self, source: ValueSource, read: tuple[Values, ...] | None = None) -> None:
        """Paint the cells by ``state.colour``; its values have been ``read``, or are read now."""
        state, key = self.state, self.state.colour
        if key is None:
            return
        self._reads_asked += read is None
        number = self._reads_asked
        passing = None if state.filtered is None else state.filtered.passing
        how = Painting(state.hidden, state.shown_range, state.percent, state.colormap, passing)
        palette = {entry.name: entry.colour for entry in state.annotations.classes}
        palette = palette if key == ANNOTATION else dict(self._palette)

        def work(progress: Progress) -> Lookup:
            if is_blend(key):
                return lookup_blend(key, read or source.read_blend(key), palette, how)
            return paint(read[0] if read else source.read(key), palette, how)

        def accept(lookup: Lookup) -> None:
            if self.state.colour == key and self._opened is not None and self._opened.slide is source.slide:
                if key != ANNOTATION:
                    self._palette.update({row.name: row.colour for row in lookup.legend})
                self._reads_done = number
                self.state.lookup = lookup

        self.jobs.submit("colour", work, accept, drop_stale=False)

    def class_colours(self) -> dict[str, Rgb]:
        """Colour of each category and class that has been on screen."""
        return {**self._palette, **{entry.name: entry.colour for entry in self.state.annotations.classes}}

    def _values(self) -> ValueSource:
        opened, annotations = self.opened, self.state.annotations
        return ValueSource(
            opened.slide, opened.genes, opened.totals, opened.rows, opened.columns, self.state.prediction,
            annotations.assigned, annotations.names, opened.colours, opened.obsm,
        )  # fmt: skip
