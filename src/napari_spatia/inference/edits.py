"""What is asked of a cell: an edit as plain data, with all its kinds. `EditResolver` makes changes of genes of it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from napari_spatia.errors import SpatiaError

PROGRAMME, TOWARDS = "programme:", "towards:"
"""What the keys of terms begin with that are not a single gene."""


class NicheChange(StrEnum):
    """What can be done to a cell's surroundings."""

    REMOVE = "remove"
    """Take the neighbours away: all, or those of the named type."""
    REPLACE = "replace"
    """Give each neighbour the expression of a real cell of the named type."""
    CELL = "cell"
    """Put the cell into the surroundings of the named cell."""
    DOMAIN = "domain"
    """Put the cell into the surroundings of the most typical cell of the named niche domain."""


@dataclass(frozen=True, slots=True)
class NicheEdit:
    """A change of a cell's surroundings; ``name`` is a type, a cell id or a domain, empty for all neighbours.

    ``cells`` are the ids of the neighbours that are removed or replaced where not all are meant.
    """

    change: NicheChange
    name: str = ""
    cells: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """``remove``, ``remove=TYPE``, ``replace=TYPE``, ``cell=ID`` or ``domain=NAME``; else `SpatiaError`.

        ``remove`` and ``replace=TYPE`` may end in ``@ID,ID…``, the neighbours that are meant.
        """
        change, _, name = text.partition("=")
        cells: tuple[str, ...] = ()
        if change.partition("@")[0] in (NicheChange.REMOVE, NicheChange.REPLACE) and "@" in text:
            start, _, ids = text.rpartition("@")
            change, _, name = start.partition("=")
            cells = tuple(filter(None, ids.split(",")))
            if not cells or (change == NicheChange.REMOVE and name):
                change = ""
        if change not in list(NicheChange) or (change != NicheChange.REMOVE and not name):
            raise SpatiaError(
                f"'{text}' is no niche edit. Expected remove, remove=TYPE, replace=TYPE, cell=ID or domain=NAME, or "
                "remove@ID,ID… or replace=TYPE@ID,ID… for some neighbours."
            )
        return cls(NicheChange(change), name, cells)

    def __str__(self) -> str:
        text = f"{self.change}={self.name}" if self.name else str(self.change)
        return f"{text}@{','.join(self.cells)}" if self.cells else text


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked of a cell; nothing by default.

    ``terms`` are (key, strength) in the order in which they were made. A key is a gene, with a strength in log2 fold
    change; `PROGRAMME` and a programme's name, with the log2 fold change of each of its genes; or `TOWARDS` and a cell
    type, with the part in [0, 1] of the way from the mean of the cell's own type to that of the other.
    ``coexpressed`` lets the other genes follow the edited genes and programmes as they do on the slide.
    """

    terms: tuple[tuple[str, float], ...] = ()
    coexpressed: bool = False
    niche: NicheEdit | None = None

    def with_term(self, key: str, strength: float) -> Self:
        """The edit with one term more, or with another strength of it."""
        return replace(self, terms=tuple({**dict(self.terms), key: strength}.items()))

    def without_term(self, key: str) -> Self:
        return replace(self, terms=tuple(term for term in self.terms if term[0] != key))

    def at_zero(self) -> Self:
        """The same terms at strength 0 and the niche as it is: an edit of nothing."""
        return replace(self, terms=tuple((key, 0.0) for key, _ in self.terms), niche=None)

    def active(self) -> Self:
        """The edit without what changes nothing: two edits that draw the same picture have the same active part."""
        terms = tuple(term for term in self.terms if term[1])
        return replace(self, terms=terms, coexpressed=self.coexpressed and bool(terms))

    def genes(self) -> dict[str, float]:
        """log2_fc of the single genes."""
        return {key: value for key, value in self.terms if not key.startswith((PROGRAMME, TOWARDS))}

    def named(self, kind: str) -> dict[str, float]:
        """Strength of each programme (`PROGRAMME`) or cell type (`TOWARDS`), by name."""
        return {key.removeprefix(kind): value for key, value in self.terms if key.startswith(kind)}
