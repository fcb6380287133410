"""Do types that are told on a slide of another panel express the genes that mark them, which the model never read?

    python -m napari_spatia.benchmark.marker_check SLIDE --checkpoint pancreas-small \
        --markers docs/benchmark/breast_markers.json

For slides whose types are not known. The markers are named beforehand in a JSON file: for each group, the types of the
checkpoint that belong to it and genes that mark it. The score of a gene is the area under the ROC curve of its
normalised expression for the cells that are called so against all others: 0.5 says that it tells nothing, and genes
that the model never read say most. ``confidence`` is the mean probability of the types of those cells.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.report import benchmark_parser, printed_progress, report_errors
from napari_spatia.data.counts import normalised
from napari_spatia.data.io import open_slide
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.predictor import BoundSlide, Predictor
from napari_spatia.progress import Progress, silent

Markers = dict[str, dict[str, list[str]]]
"""Group → ``types`` of the checkpoint and ``genes`` of the slide."""


def marker_check(bound: BoundSlide, markers: Markers, progress: Progress = silent) -> dict[str, Any]:
    """Cells and scores of each group; see the top of this file. Raises `SpatiaError` for a type or gene not there."""
    info, panel = bound.predictor.info, bound.slide.panel
    for group in markers.values():
        if unknown := [name for name in group["types"] if name not in info.cell_types]:
            raise SpatiaError(f"Checkpoint '{info.name}' has no type '{unknown[0]}': {', '.join(info.cell_types)}.")
        panel.indices(group["genes"])  # raises, with the nearest names, for a gene that is not measured
    probability = bound.embed(progress=progress).type_probability
    called, sure = np.array(info.cell_types)[probability.argmax(axis=1)], probability.max(axis=1)
    expression = normalised(bound.slide.counts).tocsc()
    found = {}
    for name, group in markers.items():
        own = np.isin(called, group["types"])
        scores = {
            gene: plain(float(roc_auc_score(own, expression[:, [panel.index(gene)]].toarray().ravel())))
            for gene in group["genes"]
            if 0 < own.sum() < len(own)
        }
        read = {gene for gene in scores if gene in info.panel}
        found[name] = {
            "types": group["types"],
            "cells": int(own.sum()),
            "confidence": plain(float(sure[own].mean())) if own.any() else None,
            "never_read": {gene: auc for gene, auc in scores.items() if gene not in read},
            "read": {gene: scores[gene] for gene in scores if gene in read},
        }
    return {"cells": len(called), "notes": list(bound.notes), "groups": found}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("marker_check", __doc__)
    parser.add_argument("--markers", type=Path, required=True, metavar="FILE", help="types and genes of each group")
    parser.add_argument("--um-per-px", type=float, metavar="UM", help="pixel size, where the slide does not say it")
    options = parser.parse_args(arguments)
    with report_errors():
        markers = json.loads(options.markers.read_text())
        slide = open_slide(options.slide, um_per_px=options.um_per_px)
        bound = Predictor.load(options.checkpoint, options.device, options.precision).bind(slide)
        info = bound.predictor.info
        about = {"slide": bound.slide.name, "checkpoint": info.name, "sha256": info.sha256}
        print(json.dumps({"benchmark": "marker_check"} | about | marker_check(bound, markers, printed_progress())))


if __name__ == "__main__":
    main()
