"""Do co-expressed genes follow an edited gene as they do in tissue that was not learned from?

    python -m napari_spatia.benchmark.coexpression_check SLIDE --holdout SPLIT.json

Followers are learned from the training part of a split, type by type. In the validation part, cells of a type that
express a gene are compared with cells of that type that do not and are equally deeply read in the other genes. One
score is a pair of a type and a gene: the correlation, over the followers, of the expected change with the observed
difference, the share with the right sign, and, as null row, the correlation with the differences of other genes.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.benchmark.report import report_errors
from napari_spatia.data.counts import log2_counts
from napari_spatia.data.io import open_slide
from napari_spatia.data.slide import Slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.coexpression import LEAST_CELLS, Coexpression

LEAST_HELD_OUT = 300
"""Held-out cells that a type must have to be scored."""
LEAST_COMPARED = 60
"""Held-out cells of a type that must express a gene, and that must not, for the gene to be scored."""
LEAST_FOLLOWERS = 3


def observed_difference(values: NDArray[np.float32], gene: int) -> NDArray[np.float64]:
    """`(G,)` mean difference of `(n, G)` cells that express ``gene`` to those that do not and are read as deeply."""
    with_gene, without = np.flatnonzero(values[:, gene] > 0), np.flatnonzero(values[:, gene] == 0)
    depth = (np.exp2(np.delete(values, gene, axis=1)) - 1).sum(axis=1)
    without = without[np.argsort(depth[without], kind="stable")]
    place = np.minimum(np.searchsorted(depth[without], depth[with_gene]), len(without) - 1)
    return np.asarray(values[with_gene].mean(axis=0) - values[without[place]].mean(axis=0), np.float64)


def scores(slide: Slide, split: Split, seed: int) -> Iterator[tuple[float, float, float]]:
    """(correlation, share of right signs, correlation of the null row) of each pair of a type and a gene."""
    values, types, rng = log2_counts(slide.counts), slide.known_types(), np.random.default_rng(seed)
    training, held_out = split.inside_training(slide.centers_um), split.inside_validation(slide.centers_um)
    for name in np.unique(types[types != ""]):
        own, other = training & (types == name), held_out & (types == name)
        if own.sum() < LEAST_CELLS or other.sum() < LEAST_HELD_OUT:
            continue
        learned, unseen = Coexpression(values[own]), values[other].toarray()
        expressing = (unseen > 0).sum(axis=0)
        for gene in np.flatnonzero((expressing >= LEAST_COMPARED) & (expressing <= len(unseen) - LEAST_COMPARED)):
            observed = observed_difference(unseen, int(gene))
            expected = learned.follow({int(gene): float(observed[gene])})
            others = np.flatnonzero(np.arange(len(observed)) != gene)
            followers = others[expected[others] != 0]
            if len(followers) < LEAST_FOLLOWERS:
                continue
            told, null = expected[followers], observed[rng.permutation(others)[: len(followers)]]
            right = np.sign(told) == np.sign(observed[followers])
            yield _correlation(told, observed[followers]), float(right.mean()), _correlation(told, null)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if first.std() and second.std() else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.coexpression_check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("slide", metavar="SLIDE", type=Path, help="a slide with known cell types")
    parser.add_argument("--holdout", required=True, metavar="SPLIT.json", type=Path, help="a written split")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        found = np.array(list(scores(slide, Split.read(options.holdout), options.seed)))
        if not len(found):
            raise SpatiaError(
                f"Nothing can be scored on slide '{slide.name}': no known type has {LEAST_CELLS} training and "
                f"{LEAST_HELD_OUT} validation cells. Take a larger slide, or a split with a larger validation part."
            )
        correlation, right, null = found.T
        told: dict[str, Any] = {"benchmark": "coexpression_check", "slide": slide.name, "seed": options.seed}
        told |= {"pairs": len(found), "median_correlation": round(float(np.median(correlation)), 3)}
        told |= {"quartiles": np.round(np.quantile(correlation, (0.25, 0.75)), 3).tolist()}
        told |= {"sign_accuracy": round(float(right.mean()), 3), "null_median": round(float(np.median(null)), 3)}
        print(json.dumps(told))


if __name__ == "__main__":
    main()
