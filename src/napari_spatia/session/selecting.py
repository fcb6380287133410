"""Verbs that choose many cells at once, by where they lie on the slide or in the plot."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_spatia.data.inside import rows_inside
from napari_spatia.errors import SpatiaError
from napari_spatia.session.base import SessionBase

REPLACE, ADD, REMOVE = MODES = ("replace", "add", "remove")
"""What a new choice does to the one before."""
LASSO, BOX, NEIGHBOURS = "lasso", "box", "neighbours"
TOOLS = ("", LASSO, BOX, NEIGHBOURS)
"""What the mouse does on the slide: a drag draws a lasso or a box, a click marks a neighbour; the empty one moves the
view and selects.
"""


class SelectVerbs(SessionBase):
    """The chosen cells: ``state.chosen``."""

    def choose_rows(self, rows: ArrayLike, mode: str = REPLACE) -> None:
        """Choose cells by their rows, as the choice, or added to it, or removed from it."""
        if mode not in MODES:
            raise SpatiaError(f"Unknown way to choose '{mode}'. Expected one of {', '.join(MODES)}.")
        named, num_cells = np.asarray(rows, dtype=np.int64).ravel(), self.slide.num_cells
        if len(named) and not (named.min() >= 0 and named.max() < num_cells):
            raise SpatiaError(
                f"Rows {named.min()} … {named.max()} are not all on slide '{self.slide.name}'. "
                f"Expected 0 … {num_cells - 1}."
            )
        chosen = np.zeros(num_cells, dtype=bool)
        if mode != REPLACE and self.state.chosen is not None:
            chosen[self.state.chosen] = True
        chosen[named] = mode != REMOVE
        self._choose(chosen)

    def choose_inside(self, polygon_um: ArrayLike, mode: str = REPLACE) -> None:
        """Choose the cells whose centres lie within ``polygon_um`` `(K, 2)` (y, x) on the slide and are not hidden."""
        self._choose_shown(rows_inside(self.slide.centers_um, np.asarray(polygon_um)), mode)

    def choose_in_plot(self, polygon: ArrayLike, mode: str = REPLACE) -> None:
        """Choose the cells that lie within ``polygon`` `(K, 2)` (x, y) of the plot and are not hidden."""
        plot = self.state.plot
        if plot is None:
            raise SpatiaError("No map of the cells is shown. Choose an embedding first.")
        self._choose_shown(rows_inside(plot.points, np.asarray(polygon)), mode)

    def _choose_shown(self, rows: NDArray[np.int64], mode: str) -> None:
        lookup = self.state.lookup
        self.choose_rows(rows if lookup is None else rows[lookup.rgba[rows, 3] > 0], mode)

    def choose_none(self) -> None:
        """Choose no cell."""
        self.state.chosen = None

    def invert_choice(self) -> None:
        """Choose the cells that are not chosen."""
        others = np.ones(self.slide.num_cells, dtype=bool)
        if self.state.chosen is not None:
            others[self.state.chosen] = False
        self._choose(others)

    def use_tool(self, tool: str) -> None:
        """Let the mouse do what one of `TOOLS` does; the empty tool, or the one in use, ends that."""
        if tool not in TOOLS:
            raise SpatiaError(f"Unknown tool '{tool}'. Expected {', '.join(filter(None, TOOLS))} or an empty text.")
        if tool and self.state.slide is None:
            raise SpatiaError("No slide is open to draw on. Open a SpatialData .zarr folder first.")
        self.state.tool = "" if tool == self.state.tool else tool

    def _choose(self, is_chosen: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(is_chosen)
        rows.flags.writeable = False
        self.state.chosen = rows if len(rows) else None
