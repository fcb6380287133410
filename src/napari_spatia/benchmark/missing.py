"""What is left of a checkpoint's predictions where a slide lacks channels, genes, or one of image and genes?

    python -m napari_spatia.benchmark.missing SLIDE --checkpoint pancreas-small --panel docs/benchmark/breast_panel.txt

Cells of the checkpoint's validation part, read in several ways. `HIDDEN_GENES` random genes are kept from the model in
every row, and the score of each is Pearson's correlation of imputed with measured normalised expression. ``--panel``
names the genes that another slide has measured: in rows ``panel`` only those are read.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from napari_spatia.benchmark.condition_use import recorded_split
from napari_spatia.benchmark.metrics import correlation, plain
from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.data.counts import align_counts, normalised
from napari_spatia.data.io import open_slide
from napari_spatia.data.keys import OBS_KNOWN_CELL_TYPE
from napari_spatia.data.morphology import nuclear_channel
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import BoundSlide, Predictor
from napari_spatia.inference.tasks import INPUTS
from napari_spatia.progress import Progress, part

HIDDEN_GENES = 40
ALL_CHANNELS, NUCLEI = "all", "nuclei"


def missing(
    predictor: Predictor, slide: Slide, panel: Sequence[str], cells: NDArray[np.intp], seed: int, progress: Progress
) -> dict[str, Any]:
    """One row for each way of reading the slide; see the top of this file."""
    info = predictor.info
    hidden = tuple(np.random.default_rng(seed).permutation(info.panel.genes)[:HIDDEN_GENES].tolist())
    beyond = tuple(gene for gene in slide.panel.genes if gene not in panel and gene not in hidden)
    ways = {
        "everything": (INPUTS, (), ALL_CHANNELS),
        "nuclear stain alone": (INPUTS, (), NUCLEI),
        "panel": (INPUTS, beyond, ALL_CHANNELS),
        "panel, nuclear stain alone": (INPUTS, beyond, NUCLEI),
        "genes": (("genes", "niche", "tissue"), (), ALL_CHANNELS),
        "genes of the cell alone": (("genes",), (), ALL_CHANNELS),
        "panel, genes": (("genes", "niche", "tissue"), beyond, ALL_CHANNELS),
        "image": (("image", "niche", "tissue"), (), ALL_CHANNELS),
        "image of the cell alone": (("image",), (), ALL_CHANNELS),
        "nuclear stain of the cell alone": (("image",), (), NUCLEI),
    }
    if slide.known_type_column is None:
        raise SpatiaError(f"Slide '{slide.name}' has no column of known types ({', '.join(OBS_KNOWN_CELL_TYPE)}).")
    known = slide.known_types()[cells]
    truth = normalised(align_counts(slide.counts[cells], slide.panel, info.panel))
    gene_idx = info.panel.indices(hidden)
    rows = {}
    for number, (name, (inputs, unread, channels)) in enumerate(ways.items()):
        seen = slide if channels == ALL_CHANNELS else _with_one_channel(slide)
        bound = predictor.bind(seen, inputs=inputs, hide_genes=(*hidden, *unread))
        found = bound.embed(cells, progress=part(progress, number / len(ways), (number + 1) / len(ways)))
        types = np.array(info.cell_types)[found.type_probability.argmax(axis=1)]
        pearson = [correlation(truth[:, [g]].toarray().ravel(), found.expression[:, g]) for g in gene_idx]
        typed = np.isin(known, info.cell_types)
        rows[name] = {
            "balanced_accuracy": plain(balanced_accuracy_score(known[typed], types[typed])),
            "hidden_genes_pearson": plain(float(np.nanmean(pearson))),
            "genes_read": _num_read(bound) if "genes" in inputs else 0,
        }
    return {"cells": len(cells), "hidden_genes": list(hidden), "rows": rows}


def _num_read(bound: BoundSlide) -> int:
    measured = bound.predictor.info.panel.align(bound.slide.panel) >= 0
    return int(measured.sum()) - len(set(bound.hidden) & set(bound.predictor.info.panel.genes))


def _with_one_channel(slide: Slide) -> Slide:
    """The slide as if its nuclear stain were all that had been imaged."""
    nuclear = nuclear_channel(slide.channels)
    if nuclear is None:
        raise SpatiaError(f"Slide '{slide.name}' has no nuclear stain among {', '.join(slide.channels)}.")
    at = slide.channels.index(nuclear)
    levels = tuple(level[at : at + 1] for level in slide.image.levels)
    return replace(slide, channels=(nuclear,), image=replace(slide.image, levels=levels, stored=()))


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--panel", type=Path, required=True, help="genes of another slide's panel, one a line")
    parser.add_argument("--cells", type=int, help="at most so many cells of the validation part")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with report_errors():
        predictor, slide = Predictor.load(options.checkpoint), open_slide(options.slide)
        inside = recorded_split(slide, predictor.info).inside_validation(slide.centers_um)
        cells = np.random.default_rng(options.seed).permutation(np.flatnonzero(inside))[: options.cells]
        panel = options.panel.read_text().split()
        result = missing(predictor, slide, panel, np.sort(cells), options.seed, printed_progress())
    facts = {"checkpoint": predictor.info.name, "sha256": predictor.info.sha256, "seed": options.seed}
    print(json.dumps(facts | result, indent=1))


if __name__ == "__main__":
    main()
