"""Nearest cells in an embedding, exact for small slides and approximate for large ones, without compiling anything."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from napari_spatia.progress import Progress, silent

EXACT_CELLS = 10_000
"""Up to this many cells every pair is compared (about a second on one core)."""
PROBED_LISTS = 8


def nearest_cells(
    points: NDArray[np.float32], num_neighbours: int, seed: int = 0, progress: Progress = silent
) -> NDArray[np.int64]:
    """`(N, num_neighbours)` rows of the nearest other points of `(N, D)` points.

    Beyond `EXACT_CELLS` the points are sorted into about sqrt(N) lists by k-means, and a point is compared with the
    `PROBED_LISTS` lists nearest to its own (an inverted file). pynndescent finds the same graph but compiles itself
    for a minute in each new process, which is longer than this takes for 100,000 cells.
    """
    if len(points) > EXACT_CELLS:
        lists = _inverted_file(points, num_neighbours + 1, seed)
    else:
        lists = [(np.arange(len(points)), np.arange(len(points)))]
    found = np.empty((len(points), num_neighbours), np.int64)
    done = 0
    for members, candidates in lists:
        search = NearestNeighbors(n_neighbors=num_neighbours + 1, algorithm="brute")
        near = candidates[search.fit(points[candidates]).kneighbors(points[members], return_distance=False)]
        found[members] = _without_self(near, members, num_neighbours)
        done += len(members)
        progress(done / len(points), "finding similar cells")
    return found


def _without_self(near: NDArray, members: NDArray, num_neighbours: int) -> NDArray[np.int64]:
    """Drops each row's own cell, or the last of the row where equal points have pushed the own cell out."""
    is_self = near == members[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return near[~is_self].reshape(len(members), -1)[:, :num_neighbours]


def _inverted_file(
    points: NDArray[np.float32], least: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(members, at least ``least`` candidates) of each list."""
    num_lists = int(len(points) ** 0.5)
    means = MiniBatchKMeans(
        num_lists, init="random", n_init=1, max_iter=5, batch_size=8192, reassignment_ratio=0, random_state=seed
    ).fit(points)
    size = np.bincount(means.labels_, minlength=num_lists)
    members = np.split(np.argsort(means.labels_, kind="stable"), np.cumsum(size)[:-1])
    centres = means.cluster_centers_
    near = np.argsort(pairwise_distances(centres), axis=1)
    lists_needed = np.maximum(PROBED_LISTS, (np.cumsum(size[near], axis=1) < least).sum(axis=1) + 1)
    return [
        (members[row], np.concatenate([members[i] for i in near[row, : lists_needed[row]]]))
        for row in range(num_lists)
        if size[row]
    ]
