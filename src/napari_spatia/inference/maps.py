"""A map of the cells: their embedding laid out in two dimensions, cells that are alike near each other.

Letters: N cells, D dimensions, M cells that t-SNE itself places.

t-SNE runs in a process of its own (``python -m napari_spatia.inference.maps``): scikit-learn's cannot be stopped from
outside, and a process can. It says how far it is by the lines that scikit-learn prints every 50 iterations.
"""

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress, part, silent

MOST_PLACED = 10_000
"""Cells that t-SNE places; the others go where the cells like them are."""
NEAREST = 5
ITERATIONS = 500
PERPLEXITY = 30.0
LEAST_CELLS = 4
PCA_WIDTH = 50
CELLS_AT_ONCE = 4096
ASK_EVERY_S = 0.1
_ITERATION = re.compile(rb"Iteration (\d+)")


def first_components(embedding: NDArray[np.float32], num: int = 2) -> NDArray[np.float32]:
    """`(N, num)` principal components of an embedding `(N, D)`; the columns that D or N does not give are 0."""
    centred = np.asarray(embedding, np.float64) - embedding.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    found = centred @ vectors[:, ::-1][:, :num]
    return np.pad(found, ((0, 0), (0, num - found.shape[1]))).astype(np.float32)


def map_cells(
    embedding: NDArray[np.float32], seed: int = 0, progress: Progress = silent, most_placed: int = MOST_PLACED
) -> NDArray[np.float32]:
    """`(N, 2)` t-SNE of an embedding `(N, D)`, of ``most_placed`` cells drawn at random.

    Each other cell lies at the mean place of the `NEAREST` placed cells next to it in the embedding, weighted by the
    inverse of their distances. Raises `SpatiaError` for fewer than `LEAST_CELLS` cells.
    """
    if len(embedding) < LEAST_CELLS:
        raise SpatiaError(f"A map needs {LEAST_CELLS} cells or more; this embedding has {len(embedding)}.")
    narrow = first_components(embedding, min(PCA_WIDTH, embedding.shape[1]))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(embedding))[:most_placed])
    places = _run_tsne(narrow[chosen], seed, part(progress, 0.0, 0.9))
    result = np.empty((len(embedding), 2), np.float32)
    result[chosen] = places
    others = np.setdiff1d(np.arange(len(embedding)), chosen, assume_unique=True)
    for done, rows, found in _beside(narrow, chosen, places, others):
        result[rows] = found
        progress(0.9 + 0.1 * done, "placing the other cells")
    return result


def _beside(
    narrow: NDArray[np.float32], chosen: NDArray[np.int64], places: NDArray[np.float32], others: NDArray[np.int64]
) -> Iterator[tuple[float, NDArray[np.int64], NDArray[np.float32]]]:
    """For parts of the other cells: the share done, their rows and their places `(n, 2)`."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(NEAREST, len(chosen)), algorithm="brute").fit(narrow[chosen])
    for start in range(0, len(others), CELLS_AT_ONCE):
        rows = others[start : start + CELLS_AT_ONCE]
        distance, near = search.kneighbors(narrow[rows])
        weight = 1.0 / np.maximum(distance, 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        yield (start + len(rows)) / len(others), rows, np.einsum("nk,nkd->nd", weight, places[near])


def _run_tsne(points: NDArray[np.float32], seed: int, progress: Progress) -> NDArray[np.float32]:
    """`(M, 2)` t-SNE of ``points`` `(M, D)` in a process of its own, which ends when ``progress`` raises."""
    with tempfile.TemporaryDirectory(prefix="spatia-map-") as folder:
        source, target, errors = (Path(folder) / name for name in ("points.npy", "places.npy", "errors.txt"))
        np.save(source, points)
        command = [sys.executable, "-u", "-m", "napari_spatia.inference.maps", str(source), str(target), str(seed)]
        with errors.open("wb") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process:
            _watch(process, progress)
        if process.returncode:
            reason = (errors.read_text(errors="replace").strip().splitlines() or ["no further word"])[-1]
            raise SpatiaError(f"The map could not be computed: {reason}. Take the PCA of the embedding instead.")
        return np.load(target)


def _watch(process: "subprocess.Popen[bytes]", progress: Progress) -> None:
    """Tell how far the process is until it ends; end it when that raises."""
    iteration = 0

    def listen() -> None:
        nonlocal iteration
        for said in process.stdout or ():
            found = _ITERATION.search(said)
            iteration = int(found[1]) if found else iteration

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        while process.poll() is None:
            progress(min(1.0, iteration / ITERATIONS), "laying out the map")
            time.sleep(ASK_EVERY_S)
    finally:
        process.kill()
        listener.join()


def main(source: str, target: str, seed: str) -> None:
    """t-SNE of the points in one .npy file, written into another."""
    from sklearn.manifold import TSNE

    points = np.load(source)
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    start = points[:, :2] / max(float(points[:, 0].std()), 1e-12) * 1e-4
    layout = TSNE(perplexity=perplexity, init=start, max_iter=ITERATIONS, random_state=int(seed), verbose=2)
    np.save(target, layout.fit_transform(points).astype(np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
