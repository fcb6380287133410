"""Nearest cells in an embedding, exact for small slides and approximate for large ones, without compiling anything.

Letters: N points, D dimensions, q queries, k neighbours. Beyond `EXACT_CELLS` the points are sorted into about sqrt(N)
lists by k-means (an inverted file, Jégou et al. 2011) and compared list by list. Among 1,000,000 points of 160
dimensions half of the queries take at most 2 ms (`python -m napari_spatia.benchmark.reach --latency 1000000`), which
leaves no need for a compiled library; pynndescent compiles itself for a minute in each new process.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from napari_spatia.progress import Progress, part, silent

EXACT_CELLS = 10_000
"""Up to this many cells every pair is compared (about a second on one core)."""
PROBED_LISTS = 8
QUERY_PROBED_LISTS = 32
"""Lists that one query reads: it has no list of its own, and a few milliseconds to spare."""
SAMPLE_PER_LIST = 50
POINTS_AT_ONCE = 8192


class NearestCells:
    """Finds the nearest of N points to any point."""

    def __init__(self, points: NDArray[np.float32], seed: int = 0, progress: Progress = silent):
        lists = _InvertedFile(points, seed, progress) if len(points) > EXACT_CELLS else None
        self._centres = None if lists is None else lists.centres
        order = np.arange(len(points)) if lists is None else np.concatenate(lists.members)
        self._ends = np.array([len(points)]) if lists is None else np.cumsum([len(rows) for rows in lists.members])
        self._rows, self._points = order, np.ascontiguousarray(points[order], np.float32)
        self._squared = np.einsum("nd,nd->n", self._points, self._points)

    def query(self, point: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Distances `(k,)`, ascending, and rows `(k,)` of the points nearest to ``point`` `(D,)`."""
        spans = self._spans(point, k)
        squared = np.concatenate([self._squared[a:b] - 2 * (self._points[a:b] @ point) for a, b in spans])
        place = np.concatenate([np.arange(a, b) for a, b in spans])
        best = np.argpartition(squared, min(k, len(squared)) - 1)[:k]
        best = place[best[np.argsort(squared[best], kind="stable")]]
        # From the difference itself: for a near point the expanded square above is lost to rounding.
        return np.linalg.norm(self._points[best] - point, axis=1), self._rows[best]

    def _spans(self, point: NDArray[np.float32], k: int) -> list[tuple[int, int]]:
        if self._centres is None:
            return [(0, int(self._ends[-1]))]
        nearest = np.argsort(_squared_distances(point[None], self._centres)[0])
        sizes = np.diff(self._ends, prepend=0)[nearest]
        num = max(QUERY_PROBED_LISTS, int((np.cumsum(sizes) < k).sum()) + 1)
        return [(int(self._ends[i - 1]) if i else 0, int(self._ends[i])) for i in nearest[:num]]


def nearest_cells(
    points: NDArray[np.float32], num_neighbours: int, seed: int = 0, progress: Progress = silent
) -> NDArray[np.int64]:
    """`(N, num_neighbours)` rows of the nearest other points of `(N, D)` points.

    Beyond `EXACT_CELLS` a point is compared with the `PROBED_LISTS` lists nearest to its own.
    """
    if len(points) > EXACT_CELLS:
        lists = _InvertedFile(points, seed, part(progress, 0.0, 0.3)).with_candidates(num_neighbours + 1)
    else:
        lists = iter([(np.arange(len(points)), np.arange(len(points)))])
    found = np.empty((len(points), num_neighbours), np.int64)
    done = 0
    for members, candidates in lists:
        search = NearestNeighbors(n_neighbors=num_neighbours + 1, algorithm="brute")
        near = candidates[search.fit(points[candidates]).kneighbors(points[members], return_distance=False)]
        found[members] = _without_self(near, members, num_neighbours)
        done += len(members)
        progress(0.3 + 0.7 * done / len(points), "finding similar cells")
    return found


def _without_self(near: NDArray, members: NDArray, num_neighbours: int) -> NDArray[np.int64]:
    """Drops each row's own cell, or the last of the row where equal points have pushed the own cell out."""
    is_self = near == members[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return near[~is_self].reshape(len(members), -1)[:, :num_neighbours]


class _InvertedFile:
    """``members``: rows of the points of each list, none empty; ``centres`` `(lists, D)`."""

    def __init__(self, points: NDArray[np.float32], seed: int, progress: Progress):
        num_lists = int(len(points) ** 0.5)
        sample = np.random.default_rng(seed).permutation(len(points))[: SAMPLE_PER_LIST * num_lists]
        progress(0.0, "grouping similar cells")
        means = MiniBatchKMeans(
            num_lists, init="random", n_init=1, max_iter=5, batch_size=8192, reassignment_ratio=0, random_state=seed
        ).fit(points[sample])
        of_point = np.empty(len(points), np.intp)
        for start in range(0, len(points), POINTS_AT_ONCE):
            chunk = slice(start, start + POINTS_AT_ONCE)
            of_point[chunk] = _squared_distances(points[chunk], means.cluster_centers_).argmin(axis=1)
            progress(min(1.0, chunk.stop / len(points)), "grouping similar cells")
        size = np.bincount(of_point, minlength=num_lists)
        members = np.split(np.argsort(of_point, kind="stable"), np.cumsum(size)[:-1])
        self.members = [rows for rows in members if len(rows)]
        self.centres = means.cluster_centers_[size > 0].astype(np.float32)

    def with_candidates(self, least: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """(members, at least ``least`` candidates) of each list."""
        near = np.argsort(pairwise_distances(self.centres), axis=1)
        size = np.array([len(rows) for rows in self.members])
        lists_needed = np.maximum(PROBED_LISTS, (np.cumsum(size[near], axis=1) < least).sum(axis=1) + 1)
        for members, row, num in zip(self.members, near, lists_needed, strict=True):
            yield members, np.concatenate([self.members[i] for i in row[:num]])


def _squared_distances(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(q, lists)`, less each point's own square, which ranks the lists all the same."""
    return np.einsum("ld,ld->l", centres, centres) - 2 * (points @ centres.T)
