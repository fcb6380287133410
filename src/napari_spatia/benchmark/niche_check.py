"""Do edits of a simulated cell's niche change its picture as the simulator draws it?

    python -m napari_spatia.benchmark.niche_check SLIDE --checkpoint sim-small

A slide that `napari-spatia simulate` wrote can be drawn again with other neighbours, so the true counterfactual exists.
All neighbours of each cell are removed, or replaced by those of one type, for each type in turn; the truth is the crop
with just these cells gone, or with the very cells in their places whose expression the model was given. ``around`` is
the mean of each stain outside the cell, log2, ``inside`` that within it: in the simulator a neighbour presses on a cell
and its light spreads, and nothing else of a niche tells what the cell looks like. Rows: ``model``, ``copy`` (nothing
changes), ``class_mean`` (what lies around the real cells that have the most neighbours of that type).
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.benchmark.edit_check import Changes, EditCheck, feature_scores, joint_scores
from napari_spatia.benchmark.metrics import image_statistics, plain
from napari_spatia.benchmark.report import benchmark_parser, printed_progress, report_errors
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.io import open_slide
from napari_spatia.data.simulate import load_simulation
from napari_spatia.inference.niche_edits import with_neighbours_of, without_neighbours
from napari_spatia.inference.perturb import SelectedCell
from napari_spatia.inference.predictor import DEFAULT_NFE, Predictor
from napari_spatia.model.inputs import Around
from napari_spatia.progress import Progress, silent

REMOVED = "removed"
CELLS_OF_A_NICHE = 50


class NicheCheck:
    """The cells, the truth and the editor of an `EditCheck`, and other neighbours."""

    def __init__(self, check: EditCheck):
        self.check, self.bound, self.simulation = check, check.bound, check.simulation
        self.edits = (REMOVED, *map(str, np.unique(check.types)))

    def run(self, cells: NDArray[np.intp], progress: Progress = silent) -> dict[str, Changes]:
        """Changes of the stains ``around`` the cells and ``inside`` them, of every cell under each of `edits`."""
        shape = len(cells), len(self.edits)
        changes = {where: Changes.unknown(self.check.info.channels, *shape) for where in ("around", "inside")}
        usual = {edit: self._usual(edit) for edit in self.edits if edit != REMOVED}
        for row, cell_idx in enumerate(cells):
            progress(row / len(cells), "editing niches")
            cell = self.check.editor.select(str(self.bound.slide.cell_id[cell_idx]))
            before = self._drawn(cell, None), self._truth(cell, {})
            for column, edit in enumerate(self.edits):
                around = self._edited(cell.cell_idx, edit)
                after = self._drawn(cell, around), self._truth(cell, self._taken(cell.cell_idx, around))
                for where, found in changes.items():
                    for name in self.check.info.channels:
                        for told, source in ((found.model, 0), (found.truth, 1)):
                            told[name][row, column] = after[source][where][name] - before[source][where][name]
                        if edit in usual:
                            there = usual[edit][where][name]
                            found.class_mean[name][row, column] = there - before[1][where][name]
        return changes

    def _edited(self, cell_idx: int, edit: str) -> Around:
        everybody = np.ones(self.bound.slide.num_cells, bool)
        if edit == REMOVED:
            return without_neighbours(self.bound, cell_idx, everybody)
        of_type = self.check.types == edit
        return with_neighbours_of(self.bound, cell_idx, np.flatnonzero(of_type), ~of_type)

    def _taken(self, cell_idx: int, around: Around) -> dict[int, int]:
        """Which row each neighbour became, as `Simulation.surrounded` reads it."""
        neighbours = self.bound.surroundings.neighbour[cell_idx]
        became = around.neighbour_idx[0].where(around.has_neighbour[0], -1).tolist()
        pairs = zip(neighbours.tolist(), became, strict=True)
        return {row: other for row, other in pairs if row >= 0 and other != row}

    def _drawn(self, cell: SelectedCell, around: Around | None) -> dict[str, dict[str, float]]:
        drawn = self.check.editor.render(cell, {}, around)
        return self._levels(drawn.image, drawn.mask >= 0.5)

    def _truth(self, cell: SelectedCell, taken: dict[int, int]) -> dict[str, dict[str, float]]:
        drawn = self.simulation.surrounded(taken).draw(cell.cell_id, {}, size_px=self.check.info.crop_px)
        return self._levels(drawn.image[self.check.channels].astype(np.float32), drawn.owner == cell.cell_idx)

    def _levels(self, image: NDArray[np.float32], own: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
        """Log2 mean of each stain around and inside a cell."""
        info = self.check.info
        found = {}
        for where, pixels in (("around", ~own), ("inside", own)):
            means = image_statistics(image, pixels, info.channels, info.um_per_px)["cell"]
            found[where] = {name: float(np.log2(np.maximum(means[name], 1))) for name in info.channels}
        return found

    def _usual(self, cell_type: str) -> dict[str, dict[str, float]]:
        """Mean levels of the real cells most of whose neighbours are of a type."""
        slide, neighbour = self.bound.slide, self.bound.surroundings.neighbour
        same = ((self.check.types[neighbour] == cell_type) & (neighbour >= 0)).sum(axis=1)
        most = np.argsort(-same, kind="stable")[:CELLS_OF_A_NICHE]
        window = (slide.centers_um[most], self.check.info.um_per_px, self.check.info.crop_px)
        images = read_crops(slide.image, *window)[:, self.check.channels]
        masks = read_masks(slide.labels, slide.instance_id[most], *window)
        found = [self._levels(image, mask) for image, mask in zip(images, masks, strict=True)]
        return {
            where: {name: float(np.mean([one[where][name] for one in found])) for name in self.check.info.channels}
            for where in ("around", "inside")
        }


def summary(edits: Sequence[str], changes: dict[str, Changes], seed: int = 0) -> dict[str, Any]:
    """Scores of what changed around the cells, and how much changed inside them, in truth and as drawn; where the
    neighbours are replaced, of whatever type, and where there are none left.
    """
    replaced = np.array([edit != REMOVED for edit in edits])
    found: dict[str, Any] = {"edits": list(edits)}
    for name, columns in (("replaced", replaced), ("removed", ~replaced)):
        around, inside = (changes[where].of_edits(columns) for where in ("around", "inside"))
        found[name] = {
            "around": {"features": feature_scores(around, seed), "together": joint_scores(around, seed)},
            "inside": {
                "mean_absolute_log2_change": {row: _size(getattr(inside, row)) for row in ("truth", "model")},
                "together": joint_scores(inside, seed),
            },
        }
    return found


def _size(changes: dict[str, NDArray[np.float64]]) -> float | None:
    return plain(float(np.nanmean([np.abs(values) for values in changes.values()])))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("niche_check", __doc__)
    parser.add_argument("--cells", type=int, default=100, metavar="N", help="cells to edit (default 100)")
    options = parser.parse_args(arguments)
    with report_errors():
        simulation, slide = load_simulation(options.slide), open_slide(options.slide)
        bound = Predictor.load(options.checkpoint, options.device, options.precision).bind(slide)
        check = NicheCheck(EditCheck(bound, simulation))
        cells = check.check.choose_cells(options.cells, options.seed)
        changes = check.run(cells, printed_progress())
        info = check.check.info
        found: dict[str, Any] = {"benchmark": "niche_check", "slide": slide.name, "checkpoint": info.name}
        found |= {"sha256": info.sha256, "nfe": DEFAULT_NFE, "seed": options.seed, "cells": len(cells)}
        print(json.dumps(found | summary(check.edits, changes, options.seed)))


if __name__ == "__main__":
    main()
