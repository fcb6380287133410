"""Niche domains: areas of tissue whose niches look alike.

A niche embedding changes from cell to cell; a domain is an area. So each cell's embedding is averaged with those of the
cells around it and the averages are grouped by k-means. K-means rather than a neighbour graph: once smoothed, a cell's
nearest points in the embedding are its neighbours in the tissue, and a graph of them falls into patches of tissue.
On a simulated tissue of 8 niches, from principal components of expression, k-means finds 7 domains (adjusted Rand index
with the niches 0.53) and Leiden 14 (0.25).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from napari_spatia.inference.cluster import named_by_size, principal_components
from napari_spatia.progress import Progress, part, silent

SMOOTHING_CELLS = 30
SMOOTHING_UM = 60.0
NUM_COMPONENTS = 10
MAX_DOMAINS = 12
SCORED_CELLS = 3000
FITTED_CELLS = 30_000


def find_domains(
    embedding: NDArray,
    centers_um: NDArray,
    num_domains: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> NDArray[np.str_]:
    """Domain of each cell, `(N,)` str: "1" is the largest.

    ``embedding`` `(N, D)` describes the niche of each cell, ``centers_um`` `(N, 2)` is (y, x). Without
    ``num_domains`` the number from 2 to `MAX_DOMAINS` with the best mean silhouette is taken.
    """
    num_cells = len(embedding)
    if num_cells < 2 * MAX_DOMAINS:
        return np.full(num_cells, "1")
    points = principal_components(smooth(embedding, centers_um), NUM_COMPONENTS)
    progress(0.2, "smoothing niches")
    random = np.random.default_rng(seed)
    fitted = points[np.sort(random.permutation(num_cells)[:FITTED_CELLS])]
    groups = range(2, MAX_DOMAINS + 1) if num_domains is None else [num_domains]
    means = _best_kmeans(fitted, groups, seed, part(progress, 0.2, 0.9))
    return named_by_size(_majority(means.predict(points), centers_um))


def smooth(embedding: NDArray, centers_um: NDArray) -> NDArray[np.float32]:
    """`(N, D)` mean over each cell and its nearest `SMOOTHING_CELLS` within `SMOOTHING_UM`."""
    around = _around(centers_um)
    return (around @ np.asarray(embedding, np.float32)) / np.asarray(around.sum(axis=1)).reshape(-1, 1)


def _around(centers_um: NDArray) -> csr_matrix:
    """`(N, N)` 1 where the column's cell is the row's own or near it."""
    num_cells = len(centers_um)
    near = min(SMOOTHING_CELLS + 1, num_cells)
    distance, column = cKDTree(centers_um).query(centers_um, k=near, distance_upper_bound=SMOOTHING_UM)
    found = np.isfinite(distance)
    row = np.repeat(np.arange(num_cells), near)[found.ravel()]
    return csr_matrix((np.ones(len(row), np.float32), (row, column[found])), shape=(num_cells, num_cells))


def _best_kmeans(points: NDArray[np.float32], groups: "range | list[int]", seed: int, progress: Progress) -> KMeans:
    """The fit whose groups are best apart (mean silhouette on up to `SCORED_CELLS` points)."""
    best, best_score = None, -np.inf
    for done, num_groups in enumerate(groups):
        means = KMeans(num_groups, n_init=4, random_state=seed).fit(points)
        score = 0.0
        if len(groups) > 1 and len(np.unique(means.labels_)) > 1:
            score = silhouette_score(
                points, means.labels_, sample_size=min(SCORED_CELLS, len(points)), random_state=seed
            )
        if best is None or score > best_score:
            best, best_score = means, score
        progress((done + 1) / len(groups), "finding niche domains")
    assert best is not None
    return best


def _majority(domain: NDArray[np.int32], centers_um: NDArray) -> NDArray[np.int64]:
    """The commonest domain around each cell: single cells inside another domain join it."""
    member = csr_matrix((np.ones(len(domain), np.float32), (np.arange(len(domain)), domain)))
    return np.asarray((_around(centers_um) @ member).todense()).argmax(axis=1)
