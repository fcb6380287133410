"""Which cells are looked at: by ranges of numbers and by classes. Pure functions from terms and values to a mask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from napari_spatia.session.colour import number_limits
from napari_spatia.session.values import Values


@dataclass(frozen=True, slots=True)
class RangeTerm:
    """Cells whose number of ``key`` lies between two values, both included; all cells where both ends are open."""

    key: str
    low: float = -inf
    high: float = inf

    def passing(self, values: Values) -> NDArray[np.bool_]:
        """`(N,)` whether each cell passes; one without a number does not pass a range."""
        if self.low == -inf and self.high == inf:
            return np.ones(len(values.data), dtype=bool)
        return np.asarray((values.data >= self.low) & (values.data <= self.high))


@dataclass(frozen=True, slots=True)
class CategoryTerm:
    """Cells that ``key`` puts into one of ``names``; all cells where that is None."""

    key: str
    names: frozenset[str] | None = None

    def passing(self, values: Values) -> NDArray[np.bool_]:
        """`(N,)` whether each cell passes; one in no category does not pass a choice of them."""
        if self.names is None:
            return np.ones(len(values.data), dtype=bool)
        chosen = np.array([name in self.names for name in values.categories or ()] + [False])  # the last is -1, missing
        return np.asarray(chosen[values.data.astype(np.intp)])


Term = RangeTerm | CategoryTerm


@dataclass(frozen=True, slots=True)
class CellFilter:
    """A cell passes that passes each term; a key has one term."""

    terms: tuple[Term, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(term.key for term in self.terms)

    def with_term(self, term: Term) -> "CellFilter":
        """With this term, in the place of another of its key."""
        if term.key not in self.keys:
            return replace(self, terms=(*self.terms, term))
        return replace(self, terms=tuple(term if old.key == term.key else old for old in self.terms))

    def of_keys(self, keys: Iterable[str]) -> "CellFilter":
        """The terms of these keys alone."""
        kept = set(keys)
        return replace(self, terms=tuple(term for term in self.terms if term.key in kept))


@dataclass(frozen=True, slots=True)
class TermSpan:
    """What a term can choose from: the ``limits`` of all cells' numbers, or categories with their numbers of cells."""

    title: str
    limits: tuple[float, float] | None = None
    categories: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FilteredCells:
    """What a filter lets pass: ``passing`` `(N,)` bool, and the span of each term by its key."""

    passing: NDArray[np.bool_] = field(repr=False)
    num_passing: int
    spans: Mapping[str, TermSpan]


def filter_cells(wanted: CellFilter, values: Mapping[str, Values]) -> FilteredCells:
    """The cells that pass; ``values`` are those of the filter's keys."""
    passing = np.logical_and.reduce([term.passing(values[term.key]) for term in wanted.terms])
    spans = {key: _span(values[key]) for key in wanted.keys}
    return FilteredCells(passing, int(passing.sum()), spans)


def _span(values: Values) -> TermSpan:
    if values.categories is None:
        return TermSpan(values.title, number_limits(values.data[np.isfinite(values.data)]))
    codes = values.data.astype(np.intp)
    counts = np.bincount(codes[codes >= 0], minlength=len(values.categories))
    rows = sorted(zip(values.categories, counts.tolist(), strict=True), key=lambda row: -row[1])
    return TermSpan(values.title, categories=tuple(rows))
