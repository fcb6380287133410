"""Draws a cell under many edits, and many cells under each gene of the panel; `inference.screen` says what it gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spatia.data.cell_names import cell_name
from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit
from napari_spatia.inference.evidence import drawn_features, features_in
from napari_spatia.inference.findings import BEFORE, NULL, Finding, Findings
from napari_spatia.inference.predictor import PREVIEW_NFE
from napari_spatia.inference.programmes import Programme
from napari_spatia.inference.screen import (
    TYPE,
    ComparedCell,
    Drawn,
    Grid,
    Screen,
    ScreenPlan,
    SideBySide,
    Strip,
    readable_features,
)
from napari_spatia.model.device import one_thread
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import CellEditor, Counterfactual, SelectedCell
    from napari_spatia.inference.resolve import EditResolver

WRITTEN_AT_ONCE = 64
"""Pictures of a screen between two writes: what a kill can lose."""
SEEN_PERCENT = 99.5
"""A dose is seen where the gene is not expressed more than in so many per cent of the slide's cells."""


class Screener:
    """Draws many edits with one editor. ``resolver`` and ``programmes`` say what an edit does to a cell."""

    def __init__(
        self, editor: "CellEditor", resolver: "EditResolver", programmes: Mapping[str, Programme] | None = None
    ) -> None:
        self.editor, self._resolver, self._programmes = editor, resolver, programmes or {}
        self._types = editor.bound.predictor.info.cell_types
        self.features = readable_features(editor.bound.predictor.info.channels, self._types)

    def sweep(
        self, cell: "SelectedCell", edit: Edit, key: str, doses: Sequence[float], progress: Progress = silent
    ) -> Strip:
        """The cell at ``doses`` of one term, put in the place of that term of ``edit``."""
        asked = [edit.with_term(key, dose) for dose in doses]
        before, *drawn = self._draw(cell, [Edit(), *asked], progress)
        return Strip(cell, edit, key, tuple(doses), before, tuple(drawn), self.features, self._seen(cell, key))

    def grid(
        self,
        cell: "SelectedCell",
        edit: Edit,
        keys: tuple[str, str],
        doses_a: Sequence[float],
        doses_b: Sequence[float],
        progress: Progress = silent,
    ) -> Grid:
        """The cell at each pair of doses of two terms."""
        asked = [edit.with_term(keys[0], a).with_term(keys[1], b) for a in doses_a for b in doses_b]
        before, *drawn = self._draw(cell, [Edit(), *asked], progress)
        width = len(doses_b)
        rows = tuple(tuple(drawn[start : start + width]) for start in range(0, len(drawn), width))
        return Grid(cell, edit, *keys, tuple(doses_a), tuple(doses_b), before, rows, self.features)

    def set_beside(self, cell: "SelectedCell", other_id: str, edit: Edit, progress: Progress = silent) -> SideBySide:
        """The cell and another one under the same edit, in as many passes."""
        other = self.editor.select(other_id, cell.nfe, part(progress, 0.0, 0.4))
        pairs = []
        for number, one in enumerate((cell, other)):
            before, after = self._draw(one, [Edit(), edit], part(progress, 0.4 + 0.3 * number, 0.7 + 0.3 * number))
            pairs.append(ComparedCell(one, before, after))
        return SideBySide(edit, (pairs[0], pairs[1]), self.features)

    def screen(self, plan: ScreenPlan, folder: Path | None = None, progress: Progress = silent) -> Screen:
        """Every gene of ``plan`` in every cell; what a file in ``folder`` already holds is not drawn again.

        Each batch is on disk before the next is drawn, so that what was stopped goes on where it was.
        """
        done = Findings.read(folder, self._about(plan))
        for number, cell_id in enumerate(plan.cells):
            share = part(progress, number / len(plan.cells), (number + 1) / len(plan.cells))
            missing = [gene for gene in plan.genes if (cell_id, gene) not in done.rows]
            if missing or (cell_id, BEFORE) not in done.rows:
                self._screen_cell(plan, cell_id, missing, done, share)
        progress(1.0, "screened")
        return done.screen(plan, self.features)

    def _about(self, plan: ScreenPlan) -> dict[str, Any]:
        """All that the numbers of a screen depend on."""
        bound = self.editor.bound
        return {
            "checkpoint": bound.predictor.info.sha256,
            "precision": bound.predictor.precision,
            "slide": [bound.slide.image_name, bound.slide.labels_name, bound.slide.table_name],
            "counts": float(bound.slide.counts.sum()),
            "channels": bound.channel_map,
            "log2_fc": plan.log2_fc,
            "seeds": plan.num_seeds,
            "nfe": PREVIEW_NFE,
            "features": [feature.key for feature in self.features],
        }

    def _screen_cell(
        self, plan: ScreenPlan, cell_id: str, genes: Sequence[str], done: Findings, progress: Progress
    ) -> None:
        progress(0.0, f"reading {cell_name(cell_id)}")
        cell = self.editor.select(cell_id, PREVIEW_NFE, part(progress, 0.0, 0.02))
        if (cell_id, BEFORE) not in done.rows:
            (before,) = self._draw(cell, [Edit()])
            null_sd = self._null_sd(cell, plan.num_seeds, part(progress, 0.02, 0.06))
            unedited = Finding(cell_id, BEFORE, before.features, before.reach_percentile)
            done.add([unedited, Finding(cell_id, NULL, null_sd)])
        for start in range(0, len(genes), WRITTEN_AT_ONCE):
            some = genes[start : start + WRITTEN_AT_ONCE]
            share = part(progress, *(0.06 + 0.94 * at / len(genes) for at in (start, start + len(some))))

            def told(
                fraction: float, doing: str, start: int = start, num: int = len(some), share: Progress = share
            ) -> None:
                share(fraction, f"drawing {start + round(fraction * num):,} of {len(genes):,} genes")

            drawn = self._draw(cell, [Edit(((gene, plan.log2_fc),)) for gene in some], told)
            found = zip(some, drawn, strict=True)
            done.add([Finding(cell_id, gene, each.features, each.reach_percentile) for gene, each in found])

    def _draw(self, cell: "SelectedCell", edits: Sequence[Edit], progress: Progress = silent) -> list[Drawn]:
        if self.editor.reach is None:
            self.editor.prepare(part(progress, 0.0, 0.3))
            progress = part(progress, 0.3, 1.0)
        resolved = [self._resolver.resolve(cell.cell_idx, edit, self._programmes) for edit in edits]
        made = self.editor.render_many(cell, resolved, progress=progress)
        return [
            Drawn(edit, each.image, each.mask, self._features(cell, each), each.reach_percentile)
            for edit, each in zip(edits, made, strict=True)
        ]

    def _features(self, cell: "SelectedCell", made: "Counterfactual") -> dict[str, float]:
        types = {f"{TYPE}{name}": float(p) for name, p in zip(self._types, made.type_probability, strict=True)}
        return features_in(made.image, made.mask, cell) | types

    @one_thread()
    def _null_sd(self, cell: "SelectedCell", num_seeds: int, progress: Progress) -> dict[str, float]:
        """Standard deviation of each feature over noise seeds, nothing edited."""
        bound, row = self.editor.bound, np.array([cell.cell_idx])
        condition = bound.condition(row, bound.genes_of(row))
        found = drawn_features(bound, cell, condition, cell.nfe, num_seeds, progress)
        sd = {}
        for name in found[0]:
            values = np.array([features[name] for features in found])
            known = values[np.isfinite(values)]
            sd[name] = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
        return sd | {f"{TYPE}{name}": 0.0 for name in self._types}  # read from expression, not from the picture

    def _seen(self, cell: "SelectedCell", key: str) -> tuple[float, float] | None:
        if key.startswith((PROGRAMME, TOWARDS)):
            return None
        bound = self.editor.bound
        column = bound.values[:, bound.predictor.info.panel.index(key)].toarray().ravel()
        own = float(column[cell.cell_idx])
        return -own, float(np.percentile(column, SEEN_PERCENT)) - own
