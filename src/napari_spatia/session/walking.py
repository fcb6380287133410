"""Verbs that go from cell to cell of a list: the chosen cells, those of one category of the colours, or all."""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.session.looking import LookVerbs

CHOSEN_CELLS = "chosen"
CATEGORY = "category:"
"""What the key of a list begins with that holds the cells of one category of what the cells are coloured by."""


class WalkVerbs(LookVerbs):
    """The list is ``state.walk``: `CHOSEN_CELLS`, `CATEGORY` and a name, or empty for all cells."""

    def walk_through(self, key: str) -> None:
        """Take the cells of a list one after the other. Raises `SpatiaError` for a list that is not there."""
        self._walk_rows(key)
        self.state.walk = key

    def walks(self) -> tuple[tuple[str, str, int], ...]:
        """Key, name and number of cells of each list that there is now."""
        state = self.state
        if state.slide is None:
            return ()
        chosen = [] if state.chosen is None else [(CHOSEN_CELLS, "Chosen cells", len(state.chosen))]
        lookup = state.lookup
        rows = () if lookup is None or lookup.category is None else lookup.legend
        return (
            ("", "All cells", state.slide.num_cells),
            *chosen,
            *((f"{CATEGORY}{r.name}", r.name, r.count) for r in rows),
        )

    def next_cell(self, step: int = 1) -> None:
        """Go to the next cell of the list, or with ``step`` -1 to the one before; after the last comes the first."""
        rows = self._walk_rows(self.state.walk)
        card = self.state.card
        at = -1 if card is None else card.cell_idx
        place = int(np.searchsorted(rows, at, side="right")) if step > 0 else int(np.searchsorted(rows, at)) - 1
        self.go_to_cell(str(self.slide.cell_id[rows[place % len(rows)]]))

    def _walk_rows(self, key: str) -> NDArray[np.int64]:
        """`(n,)` rows of the cells of a list, ascending; n is at least 1."""
        lookup, rows = self.state.lookup, np.arange(self.slide.num_cells)
        if key == CHOSEN_CELLS:
            rows = rows[:0] if self.state.chosen is None else self.state.chosen
        elif key:
            names = [] if lookup is None or lookup.category is None else [row.name for row in lookup.legend]
            name = key.removeprefix(CATEGORY)
            rows = np.flatnonzero(lookup.category == names.index(name)) if lookup and name in names else rows[:0]
        if not len(rows):
            raise SpatiaError("No cell is in this list any more. Choose cells, or take another list.")
        return rows
