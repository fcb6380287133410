"""How far an expression lies from anything seen: a percentile among real cells, and the real cells nearest to it.

The space is the gene encoder's own. It tells cells whose genes do not belong together from real ones far better than
principal components of the counts do (`python -m napari_spatia.benchmark.reach`, row ``unreal``).
"""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.inference.cache import GeneEmbeddings
from napari_spatia.inference.neighbours import NearestCells
from napari_spatia.progress import Progress, part, silent

MOST_CELLS_EMBEDDED = 20_000
"""Cells that are embedded for this purpose alone; where all cells have been, after a prediction, all are compared."""
NEARLY_ALL = 0.9
"""A prediction embeds every cell that is another's neighbour; the few others cost little."""
SPACING_CELLS = 2000
ROUNDING = 1e-4
"""Of a distance. An unedited cell's is itself a spacing: drawn alone or among others, it is to lie on one side."""
EMBEDDED_AT_ONCE = 256


class Reach:
    """n real cells, ``cell_idx`` `(n,)` their rows on the slide, ascending; ``spacing`` holds, sorted, the distances of
    up to `SPACING_CELLS` of them to their nearest other: what is usual.
    """

    def __init__(
        self, embedding: NDArray[np.float32], cell_idx: NDArray[np.intp], seed: int = 0, progress: Progress = silent
    ):
        self.cell_idx = cell_idx
        self._index = NearestCells(embedding, seed, part(progress, 0.0, 0.7))
        sample = np.linspace(0, len(cell_idx) - 1, min(SPACING_CELLS, len(cell_idx))).astype(np.intp)
        spacing = np.empty(len(sample), np.float32)
        for done, row in enumerate(sample):
            spacing[done] = self.nearest(embedding[row], 1, apart_from=int(cell_idx[row]))[0][0]
            progress(0.7 + 0.3 * (done + 1) / len(sample), "measuring how far cells lie apart")
        self.spacing = np.sort(spacing)

    @classmethod
    def of_slide(cls, embeddings: GeneEmbeddings, progress: Progress = silent) -> "Reach":
        """All cells where nearly all have an embedding, else `MOST_CELLS_EMBEDDED` spread evenly."""
        num = len(embeddings.has_cell)
        most = num if _nearly_all(embeddings) else min(num, MOST_CELLS_EMBEDDED)
        cells = np.linspace(0, num - 1, most).astype(np.intp)
        for start in range(0, len(cells), EMBEDDED_AT_ONCE):
            embeddings.of_cells(cells[start : start + EMBEDDED_AT_ONCE])
            progress(0.8 * start / len(cells), "reading cells to compare with")
        return cls(embeddings.cells[cells].cpu().numpy(), cells, progress=part(progress, 0.8, 1.0))

    def can_grow(self, embeddings: GeneEmbeddings) -> bool:
        """Whether a prediction has embedded the cells that were passed over."""
        return len(self.cell_idx) < len(embeddings.has_cell) and _nearly_all(embeddings)

    def percentile(self, embedding: NDArray[np.float32], apart_from: int | None = None) -> float:
        """In [0, 100]: the share of real cells that lie nearer to their nearest other than this `(D,)` lies to any.

        The cell in row ``apart_from`` of the slide is left out: a cell is no evidence for its own edit.
        """
        distance = self.nearest(embedding, 1, apart_from)[0][0] * (1 - ROUNDING)
        return float(100 * np.searchsorted(self.spacing, distance) / len(self.spacing))

    def nearest(
        self, embedding: NDArray[np.float32], k: int, apart_from: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Distances `(k,)`, ascending, and slide rows `(k,)` of the nearest real cells; fewer where there are fewer."""
        distance, found = self._index.query(embedding, k + 1)
        cells = self.cell_idx[found]
        kept = np.flatnonzero(cells != apart_from)[:k]
        return distance[kept], cells[kept]


def _nearly_all(embeddings: GeneEmbeddings) -> bool:
    return bool(embeddings.has_cell.mean() >= NEARLY_ALL)
