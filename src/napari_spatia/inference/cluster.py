"""Clusters of cells: Leiden communities of a graph of shared nearest neighbours in the cell embedding."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import igraph
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, triu
from sklearn.decomposition import PCA

from napari_spatia.inference.neighbours import nearest_cells
from napari_spatia.progress import Progress, part, silent

NUM_NEIGHBOURS = 15
MAX_COMPONENTS = 32
MAX_ROUNDS = 10

_igraph_lock = Lock()


def cluster_cells(
    embedding: NDArray, seed: int = 0, resolution: float = 1.0, progress: Progress = silent
) -> NDArray[np.str_]:
    """Cluster of each cell, `(N,)` str: "1" is the largest, "2" the next, and so on.

    ``embedding`` is `(N, D)`. A larger ``resolution`` gives more clusters. The same input and seed give the same
    clusters. igraph's Leiden is used because it takes seconds where leidenalg takes half a minute (100,000 cells).
    """
    if len(embedding) < 3:
        return np.full(len(embedding), "1")
    points = principal_components(embedding)
    neighbours = nearest_cells(points, min(NUM_NEIGHBOURS, len(points) - 1), seed, part(progress, 0.0, 0.7))
    graph = shared_neighbour_graph(neighbours)
    return named_by_size(_leiden(graph, seed, resolution, part(progress, 0.7, 1.0)))


def principal_components(embedding: NDArray, num_components: int = MAX_COMPONENTS) -> NDArray[np.float32]:
    """`(N, D)` → `(N, min(D, num_components))` float32, always the same for the same input."""
    num_components = min(num_components, *embedding.shape)
    components = PCA(num_components, svd_solver="full" if len(embedding) < embedding.shape[1] else "covariance_eigh")
    with np.errstate(invalid="ignore"):  # equal points have no variance to explain
        return components.fit_transform(np.asarray(embedding, np.float32)).astype(np.float32)


def shared_neighbour_graph(neighbours: NDArray[np.int64]) -> igraph.Graph:
    """Cells joined where one is among the other's `(N, K)` neighbours, weighted by the share of neighbours in common.

    That share (Jaccard) keeps dense regions from outweighing sparse ones.
    """
    num_cells, num_neighbours = neighbours.shape
    rows = np.concatenate([np.arange(num_cells)[:, None], neighbours], axis=1)  # a cell is its own neighbour
    degree = num_neighbours + 1
    indptr = np.arange(0, num_cells * degree + 1, degree)
    near = csr_matrix((np.ones(rows.size, np.float32), rows.ravel(), indptr), shape=(num_cells, num_cells))
    shared = triu((near @ near.T).multiply(near.maximum(near.T)), k=1).tocoo()
    graph = igraph.Graph(n=num_cells, edges=np.column_stack([shared.row, shared.col]))
    graph.es["weight"] = (shared.data / (2 * degree - shared.data)).astype(np.float64)
    return graph


def named_by_size(membership: NDArray[np.int64]) -> NDArray[np.str_]:
    """`(N,)` integers ≥ 0 → names "1", "2", … from the largest group to the smallest; ties by first appearance."""
    _, first, code, size = np.unique(membership, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), np.int64)
    rank[np.lexsort((first, -size))] = np.arange(1, len(size) + 1)
    return rank[code.ravel()].astype(str)


def _leiden(graph: igraph.Graph, seed: int, resolution: float, progress: Progress) -> NDArray[np.int64]:
    """Rounds of Leiden until nothing moves; between two rounds the job can be cancelled."""
    membership: list[int] | None = None
    with _seeded_igraph(seed):
        for done in range(MAX_ROUNDS):
            found = graph.community_leiden(
                "modularity",
                weights="weight",
                resolution=resolution,
                n_iterations=1,
                initial_membership=membership,
            ).membership
            progress((done + 1) / MAX_ROUNDS, "clustering cells")
            if found == membership:
                break
            membership = found
    return np.array(membership, np.int64)


@contextmanager
def _seeded_igraph(seed: int) -> Iterator[None]:
    """Lets igraph, which has one generator per process, draw from ours; from Python's `random` again afterwards."""
    with _igraph_lock:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)
