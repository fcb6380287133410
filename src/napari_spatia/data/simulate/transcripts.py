"""Single transcripts of a drawn slide: each count of a cell at a random place inside the cell's label."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_spatia.data.panel import Panel

GENE_COLUMN = "feature_name"
_STREAM = 7
"""Keeps the places apart from everything else that is drawn with the slide's seed."""


def place_transcripts(
    labels: NDArray[np.int32], counts: NDArray[np.float32], panel: Panel, um_per_px: float, seed: int
) -> pd.DataFrame:
    """One row a count: ``x``, ``y`` in µm and the gene. The same arguments give the same places.

    ``labels`` `(Y, X)` with cell i as i + 1, every cell with a pixel at least; ``counts`` `(N, G)`.
    """
    rng = np.random.default_rng((seed, _STREAM))
    flat = np.flatnonzero(labels)
    by_cell = flat[np.argsort(labels.ravel()[flat], kind="stable")]
    size = np.bincount(labels.ravel(), minlength=len(counts) + 1)[1:]
    first = np.cumsum(size) - size
    cell, gene = np.nonzero(counts)
    num = counts[cell, gene].astype(np.int64)
    cell, gene = np.repeat(cell, num), np.repeat(gene, num)
    pixel = by_cell[first[cell] + rng.integers(0, size[cell])]
    y, x = (np.stack(np.divmod(pixel, labels.shape[1])) + rng.random((2, len(pixel)))) * um_per_px
    return pd.DataFrame({"x": x, "y": y, GENE_COLUMN: pd.Categorical.from_codes(gene, list(panel.genes))})
