"""Finding cells by a part of their id, among millions, while a person types."""

import threading
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

FEWEST_LETTERS = 3
MOST_FOUND = 20
AT_ONCE = 50_000
"""Ids that are written in one go: some milliseconds, for which no other thread runs."""


class CellIds:
    """The ids as one long text, made at the first question: a search in it costs milliseconds and no object a cell.

    Parameters
    ----------
    cell_id
        `(N,)` str, unique, without line breaks.
    """

    def __init__(self, cell_id: NDArray[np.str_]) -> None:
        self._cell_id = cell_id
        self._text, self._breaks = "", np.zeros(0, np.intp)
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the text, so that the first search does not wait for it."""
        with self._lock:
            if not self._text:
                runs = (self._cell_id[start : start + AT_ONCE] for start in range(0, len(self._cell_id), AT_ONCE))
                text = "\n".join(["", *("\n".join(run.tolist()).lower() for run in runs), ""])
                letters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
                self._breaks, self._text = np.flatnonzero(letters == ord("\n")), text

    def find(self, typed: str) -> tuple[str, ...]:
        """At most `MOST_FOUND` ids that contain ``typed`` in any case: first those that begin with it, in table order.

        None for fewer than `FEWEST_LETTERS` letters.
        """
        wanted = typed.strip().lower()
        if len(wanted) < FEWEST_LETTERS or "\n" in wanted:
            return ()
        self.prepare()
        rows = list(islice(self._rows("\n" + wanted), MOST_FOUND))
        if len(rows) < MOST_FOUND:
            within = (row for row in self._rows(wanted) if row not in rows)
            rows += list(islice(within, MOST_FOUND - len(rows)))
        return tuple(str(self._cell_id[row]) for row in rows)

    def _rows(self, part: str) -> Iterator[int]:
        """Rows whose text contains ``part``, each once."""
        place = self._text.find(part)
        while place >= 0:
            row = int(np.searchsorted(self._breaks, place, side="right")) - 1
            yield row
            place = self._text.find(part, int(self._breaks[row + 1]))
