"""Cells of one type that are alike but for one gene, and by how much their features differ.

The partner of a cell is found by `find_pairs`; what matching leaves is taken off as Abadie & Imbens 2011 have it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from napari_spatia.benchmark.metrics import means_of_known
from napari_spatia.inference.predictor import BoundSlide

RICH_BY = 1.5
"""A rich cell's least log2(1 + counts) of the gene; a poor cell has none of it."""
LEAST_PAIRS = 40
LEAST_RICH, LEAST_POOR = 10, 60
"""Cells of a type that a gene needs there; the correction is fitted on the poor ones."""
PENALTY = 1.0
COMPONENTS, NICHE_COMPONENTS = 20, 10
CELLS_AROUND = 50
"""Cells whose mean features tell how a place looks: a stain's strength drifts over a slide."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """p matched cells of one gene (rows of the slide): ``poor`` and ``rich`` `(p,)`.

    ``left`` `(p,)` is by how much the rich one's log2(1 + all other counts) is higher, ``change`` `(p, F)` the
    difference of features, rich less poor, corrected for all that matching left.
    """

    gene: int
    poor: NDArray[np.intp]
    rich: NDArray[np.intp]
    left: NDArray[np.float64]
    change: NDArray[np.float64]

    def shift(self, use: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """`(F,)` the mean change of some pairs."""
        return np.nanmean(self.change[use], axis=0)


def find_pairs(
    bound: BoundSlide,
    cells: NDArray[np.intp],
    types: NDArray[np.str_],
    features: NDArray[np.float64],
    most_genes: int,
) -> list[Pairs]:
    """Matched cells for the genes with the most pairs, at least `LEAST_PAIRS` each; a rich cell is in one pair a gene.

    ``types`` and ``features`` are those of ``cells``, `(n,)` and `(n, F)`. The partner is the nearest in principal
    components of log2(1 + counts) of all other genes, of the niche's mean, of the mean features of the cells around,
    and in the other genes' total, the four weighing alike.
    """
    around = _means_around(bound.slide.centers_um[cells], features / spread_within_types(features, types))
    found: dict[int, list[Pairs]] = {}
    for cell_type in np.unique(types):
        members = types == cell_type
        values, own = bound.values[cells[members]].toarray(), features[members]
        enough = ((values >= RICH_BY).sum(0) >= LEAST_RICH) & ((values == 0).sum(0) >= LEAST_POOR)
        if not enough.any():
            continue
        niche = np.concatenate(
            [
                _reduced(_niche_means(bound, cells[members]), NICHE_COMPONENTS),
                _reduced(around[members], NICHE_COMPONENTS),
            ],
            axis=1,
        )
        for gene in np.flatnonzero(enough):
            others = values.copy()
            others[:, gene] = 0
            total = np.log2(1 + (np.exp2(others) - 1).sum(axis=1))
            place = np.concatenate([_reduced(others, COMPONENTS), niche, _reduced(total[:, None], 1)], axis=1)
            poor, rich = np.flatnonzero(values[:, gene] == 0), np.flatnonzero(values[:, gene] >= RICH_BY)
            nearest = NearestNeighbors(n_neighbors=1).fit(place[poor]).kneighbors(place[rich], return_distance=False)
            partner = poor[nearest[:, 0]]
            explained = (place[rich] - place[partner]) @ _slopes(place[poor], own[poor])
            change = own[rich] - own[partner] - explained
            rows = cells[members]
            pairs = Pairs(int(gene), rows[partner], rows[rich], total[rich] - total[partner], change)
            found.setdefault(int(gene), []).append(pairs)
    joined = [
        Pairs(gene, *(np.concatenate([getattr(p, name) for p in parts]) for name in ("poor", "rich", "left", "change")))
        for gene, parts in found.items()
    ]
    many = [pairs for pairs in joined if len(pairs.rich) >= LEAST_PAIRS]
    return sorted(many, key=lambda pairs: (-len(pairs.rich), pairs.gene))[:most_genes]


def _niche_means(bound: BoundSlide, cells: NDArray[np.intp]) -> NDArray[np.float32]:
    """`(n, G)` mean log2(1 + counts) of each cell's neighbours; 0 where it has none."""
    neighbour = bound.surroundings.neighbour[cells]
    there = neighbour >= 0
    row = np.repeat(np.arange(len(cells)), there.sum(1))
    weight = 1 / np.maximum(there.sum(1), 1)[row]
    mean = csr_matrix((weight, (row, neighbour[there])), shape=(len(cells), bound.values.shape[0]))
    return (mean @ bound.values).toarray().astype(np.float32)


def _means_around(centers_um: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n, F)` mean features of the cells nearest to each `(n, 2)`, itself left out; 0 where none of them is known."""
    num = min(CELLS_AROUND, len(centers_um) - 1)
    nearest = NearestNeighbors(n_neighbors=num + 1).fit(centers_um).kneighbors(centers_um, return_distance=False)
    return means_of_known(features[nearest[:, 1:]], 1)


def _reduced(values: NDArray, components: int) -> NDArray[np.float64]:
    """`(n, components)` principal components with a total variance of 1."""
    components = min(components, *values.shape)
    reduced = PCA(components, random_state=0).fit_transform(values)
    return reduced / max(np.sqrt(reduced.var(axis=0).sum()), 1e-9)


def _slopes(place: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(K, F)` ridge regression of features `(n, F)` on ``place`` `(n, K)`; what is unknown counts as the mean."""
    apart = np.nan_to_num(features - means_of_known(features, 0))
    centred = place - place.mean(axis=0)
    return np.linalg.solve(centred.T @ centred + PENALTY * np.eye(place.shape[1]), centred.T @ apart)


def spread_within_types(features: NDArray[np.float64], types: NDArray) -> NDArray[np.float64]:
    """`(F,)` deviation of real cells from the mean of their type."""
    apart = features.copy()
    for cell_type in np.unique(types):
        members = types == cell_type
        apart[members] -= np.nanmean(apart[members], axis=0)
    spread = np.nanstd(apart, axis=0)
    return np.where(spread > 0, spread, 1.0)
