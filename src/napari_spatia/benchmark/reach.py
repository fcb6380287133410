"""Is the reach percentile calibrated, does it see what is unreal, and how fast are the nearest real cells found?

    python -m napari_spatia.benchmark.reach SLIDE --checkpoint pancreas-small
    python -m napari_spatia.benchmark.reach SLIDE --checkpoint pancreas-small --latency 1000000

Cells of the checkpoint's training part are what has been seen. Percentiles of cells that nobody edited should be
uniform: ``left_out`` are further cells of that part, ``validation`` those of the validation part, which is other
tissue. Edits add log2_fc to one random gene of each left-out cell. ``unreal`` cells have each gene of another left-out
cell; the score is the area under the ROC curve that tells them from real ones by their distance, in the gene encoder's
space and in principal components of the counts.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import kstest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from napari_spatia.batching.tensors import embed_cells
from napari_spatia.benchmark.condition_use import recorded_split
from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.data.io import open_slide
from napari_spatia.inference.neighbours import NearestCells
from napari_spatia.inference.predictor import BoundSlide, Predictor
from napari_spatia.inference.reach import MOST_CELLS_EMBEDDED, Reach
from napari_spatia.progress import Progress, part, silent

LOG2_FC = (0.0, 0.5, 1.0, 2.0, 4.0)
COMPONENTS = 32
NEIGHBOURS, QUERIES = 10, 300
JITTER = 0.15
Embed = Callable[[csr_matrix], NDArray[np.float32]]


def calibration(bound: BoundSlide, num_cells: int, seed: int, progress: Progress = silent) -> dict[str, Any]:
    """Scores of `Reach` on held-out cells; see the top of this file."""
    random = np.random.default_rng(seed)
    split, centers = recorded_split(bound.slide, bound.predictor.info), bound.slide.centers_um
    training = random.permutation(np.flatnonzero(split.inside_training(centers)))
    left_out, seen = training[:num_cells], np.sort(training[num_cells:][:MOST_CELLS_EMBEDDED])
    validation = random.permutation(np.flatnonzero(split.inside_validation(centers)))[:num_cells]
    values = bound.values
    edits = {log2_fc: _edited(values[left_out], log2_fc, seed) for log2_fc in LOG2_FC}
    queries = {
        "left_out": values[left_out],
        "validation": values[validation],
        "unreal": _unreal(values[left_out], seed),
    }
    components = PCA(COMPONENTS, random_state=seed).fit(values[seen].toarray())
    spaces: dict[str, Embed] = {
        "gene_encoder": lambda rows: embed_cells(bound.model, rows).cpu().numpy(),
        "principal_components": lambda rows: components.transform(rows.toarray()).astype(np.float32),
    }
    scores: dict[str, Any] = {}
    for number, (space, embed) in enumerate(spaces.items()):
        span = part(progress, number / len(spaces), (number + 1) / len(spaces))
        reach = Reach(embed(values[seen]), seen, seed, span)
        found = {name: _percentiles(reach, embed(rows)) for name, rows in queries.items()}
        real, unreal = found["left_out"], found["unreal"]
        scores[space] = {
            "ks_left_out": plain(kstest(real / 100, "uniform").statistic),
            "ks_validation": plain(kstest(found["validation"] / 100, "uniform").statistic),
            "unreal_auc": plain(roc_auc_score(np.repeat([0, 1], len(real)), np.concatenate([real, unreal]))),
            "mean_percentile_of_edits": {
                f"{log2_fc:g}": plain(_percentiles(reach, embed(rows)).mean()) for log2_fc, rows in edits.items()
            },
        }
    return {"seen_cells": len(seen), "left_out_cells": len(left_out), "validation_cells": len(validation)} | scores


def latency(embedding: NDArray[np.float32], num_points: int, seed: int, progress: Progress = silent) -> dict[str, Any]:
    """Times of single queries among ``num_points`` points, drawn around real ``embedding`` `(n, D)`, and their recall
    against comparing all, in the same run on the same points.
    """
    random = np.random.default_rng(seed)

    def draw(num: int) -> NDArray[np.float32]:
        noise = random.standard_normal((num, embedding.shape[1]), np.float32) * embedding.std(axis=0)
        return embedding[random.integers(len(embedding), size=num)] + np.float32(JITTER) * noise

    points, queries = draw(num_points), draw(QUERIES)
    began = time.perf_counter()
    index = NearestCells(points, seed, progress)
    build_s = time.perf_counter() - began
    squared = np.einsum("nd,nd->n", points, points)

    def compare_all(query: NDArray[np.float32]) -> NDArray[np.intp]:
        return np.argpartition(squared - 2 * (points @ query), NEIGHBOURS)[:NEIGHBOURS]

    found, index_times = _timed(lambda query: index.query(query, NEIGHBOURS)[1], queries)
    nearest, all_times = _timed(compare_all, queries)
    shared = [np.isin(*pair).mean() for pair in zip(found, nearest, strict=True)]
    return {
        "points": num_points,
        "dimensions": embedding.shape[1],
        "build_s": plain(build_s),
        "index_mb": plain(points.nbytes / 1e6),
        "recall_at_10": plain(float(np.mean(shared))),
        "index": index_times,
        "all": all_times,
    }


def _timed(
    search: Callable[[NDArray[np.float32]], NDArray[np.intp]], queries: NDArray[np.float32]
) -> tuple[list[NDArray[np.intp]], dict[str, float | None]]:
    """What each query found, and the ms that one took: on the clock, and of this thread's own work, which does not
    count what other programs took of the machine meanwhile.
    """
    found, clock, work = [], [], []
    for query in queries:
        began = time.perf_counter(), time.thread_time()
        found.append(search(query))
        clock.append(1e3 * (time.perf_counter() - began[0]))
        work.append(1e3 * (time.thread_time() - began[1]))
    kinds = {"": clock, "own_work_": work}
    return found, {f"{k}p{p}_ms": plain(np.percentile(ms, p)) for k, ms in kinds.items() for p in (50, 95)}


def _edited(values: csr_matrix, log2_fc: float, seed: int) -> csr_matrix:
    edited = values.toarray()
    rows, genes = np.arange(len(edited)), np.random.default_rng(seed).integers(edited.shape[1], size=len(edited))
    edited[rows, genes] = np.maximum(0, edited[rows, genes] + log2_fc)
    return csr_matrix(edited)


def _unreal(values: csr_matrix, seed: int) -> csr_matrix:
    return csr_matrix(np.random.default_rng(seed).permuted(values.toarray(), axis=0))


def _percentiles(reach: Reach, embedding: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array([reach.percentile(row) for row in embedding])


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--cells", type=int, default=2000, help="left-out and validation cells to score")
    parser.add_argument("--latency", type=int, metavar="N", help="time queries among N points instead")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with report_errors():
        bound = Predictor.load(options.checkpoint).bind(open_slide(options.slide), inputs=("genes",))
        progress = printed_progress()
        if options.latency:
            sample = np.random.default_rng(options.seed).permutation(bound.slide.num_cells)[: options.cells]
            embedding = embed_cells(bound.model, bound.values[sample], progress).cpu().numpy()
            result = latency(embedding, options.latency, options.seed, progress)
        else:
            result = calibration(bound, options.cells, options.seed, progress)
    print(json.dumps({"checkpoint": bound.predictor.info.name, "seed": options.seed} | result))


if __name__ == "__main__":
    main()
