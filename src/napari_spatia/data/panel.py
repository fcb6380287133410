"""Gene panels: an ordered list of gene ids, and how two of them line up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import PanelError, did_you_mean


@dataclass(frozen=True)
class Panel:
    """Ordered, unique gene ids, as in ``table.var_names``."""

    genes: tuple[str, ...]
    _position: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        position = {gene: idx for idx, gene in enumerate(self.genes)}
        if len(position) != len(self.genes):
            twice = sorted({gene for gene in self.genes if self.genes.count(gene) > 1})
            raise PanelError(f"A panel needs unique gene ids; found twice: {', '.join(twice[:5])}.")
        object.__setattr__(self, "_position", position)

    def __len__(self) -> int:
        return len(self.genes)

    def __contains__(self, gene: object) -> bool:
        return gene in self._position

    def index(self, gene: str) -> int:
        """Position of one gene. Raises `PanelError`, with the nearest names, when it is not in the panel."""
        if gene not in self._position:
            hint = did_you_mean(gene.upper(), self.genes)
            raise PanelError(f"Gene '{gene}' is not in the panel of {len(self)} genes.{hint}")
        return self._position[gene]

    def indices(self, genes: Sequence[str]) -> NDArray[np.intp]:
        """`(len(genes),)` positions; raises `PanelError` for the first gene that is not in the panel."""
        return np.array([self.index(gene) for gene in genes], dtype=np.intp)

    def align(self, other: "Panel") -> NDArray[np.intp]:
        """`(len(self),)` positions of this panel's genes in ``other``, -1 where ``other`` has not measured one."""
        return np.array([other._position.get(gene, -1) for gene in self.genes], dtype=np.intp)
