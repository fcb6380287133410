"""Cells of a slide sorted into named groups: cell types, niche domains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.errors import SpatiaError, did_you_mean


@dataclass(frozen=True, slots=True)
class Groups:
    """N cells in groups: ``code`` `(N,)` is the position in ``names``, -1 for a cell in none.

    ``what`` names the groups in messages, and ``remedy`` says what to do where there are none.
    """

    what: str
    names: tuple[str, ...]
    code: NDArray[np.intp]
    remedy: str = ""

    @classmethod
    def of(cls, what: str, label: NDArray[np.str_], remedy: str = "") -> "Groups":
        """Groups by ``label`` `(N,)` str; an empty label is no group."""
        names, code = np.unique(label, return_inverse=True)
        shift = int(len(names) > 0 and names[0] == "")
        return cls(what, tuple(map(str, names[shift:])), code.ravel() - shift, remedy)

    def find(self, name: str) -> int:
        """The code of one group. Raises `SpatiaError`, with the nearest names, when there is none."""
        if name not in self.names:
            known = f"Expected one of {', '.join(self.names[:8])}." if self.names else self.remedy
            raise SpatiaError(f"The slide has no {self.what} '{name}'.{did_you_mean(name, self.names)} {known}")
        return self.names.index(name)

    def cells(self, name: str) -> NDArray[np.intp]:
        """Rows of the cells of one group."""
        return np.flatnonzero(self.code == self.find(name))

    def means(self, values: "csr_matrix | NDArray") -> NDArray[np.float64]:
        """`(len(names), D)` mean of `(N, D)` values over each group."""
        there = np.flatnonzero(self.code >= 0)
        member = csr_matrix((np.ones(len(there)), (self.code[there], there)), shape=(len(self.names), len(self.code)))
        total = member @ values
        total = total.toarray() if isinstance(total, csr_matrix) else np.asarray(total)
        return total / np.bincount(self.code[there], minlength=len(self.names))[:, None]
