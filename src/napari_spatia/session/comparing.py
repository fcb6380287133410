"""Verbs that compare the genes of two groups of cells, A and B: by default the chosen cells with all others."""

from pathlib import Path

import numpy as np

from napari_spatia.data.differential import compare_genes, write_gene_test
from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase
from napari_spatia.session.cell_groups import (
    CHOSEN,
    FIRST_GROUPS,
    REST,
    SIDES,
    CellGroup,
    Comparison,
    group_rows,
)
from napari_spatia.session.values import is_blend


class CompareVerbs(SessionBase):
    """The groups ``state.groups`` and what came out of comparing them, ``state.comparison``."""

    def group_chosen(self, side: str) -> None:
        """Let group A or B be the cells that are chosen when it is compared."""
        self._set_group(side, CHOSEN)

    def group_rest(self, side: str) -> None:
        """Let group A or B be all cells that are not in the other one."""
        self._set_group(side, REST)

    def keep_chosen(self, side: str) -> None:
        """Let group A or B be the cells that are chosen now, whatever is chosen later."""
        chosen = self.state.chosen
        if chosen is None:
            raise SpatiaError("No cells are chosen to keep. Choose some with the lasso (L) or the box (B) first.")
        self._set_group(side, CellGroup(f"Kept ({len(chosen):,} cells)", chosen))

    def group_class(self, side: str, name: str) -> None:
        """Let group A or B be the cells of one class of what the cells are coloured by now."""
        names = self.classes_to_compare()
        lookup = self.state.lookup
        if lookup is None or lookup.category is None or name not in names:
            raise SpatiaError(
                f"There is no class '{name}' on screen. Classes: {', '.join(names[:8]) or 'none'}. Colour the cells "
                "by a type, a cluster or another column of classes first."
            )
        self._set_group(side, CellGroup(name, np.flatnonzero(lookup.category == names.index(name))))

    def classes_to_compare(self) -> tuple[str, ...]:
        """The classes that `group_class` takes, the most frequent first."""
        lookup = self.state.lookup
        if lookup is None or lookup.category is None or is_blend(lookup.key):
            return ()
        return tuple(row.name for row in lookup.legend)

    def _set_group(self, side: str, group: CellGroup) -> None:
        if side not in SIDES:
            raise SpatiaError(f"Unknown group '{side}'. Expected {' or '.join(SIDES)}.")
        first, second = self.state.groups
        self.state.groups = (group, second) if side == SIDES[0] else (first, group)

    def compare_groups(self, seed: int = 0) -> None:
        """Compare all genes of the slide between the groups, in the background; see `data.differential`.

        Cells that do not pass the filters, and those in both groups, are left out.
        """
        opened, groups = self.opened, self.state.groups
        passing = None if self.state.filtered is None else self.state.filtered.passing
        rows_a, rows_b, num_shared = group_rows(groups, self.state.chosen, passing, opened.slide.num_cells)

        def work(progress: Progress) -> Comparison:
            slide = opened.slide
            test = compare_genes(slide.counts, opened.totals, slide.panel.genes, rows_a, rows_b, progress, seed)
            return Comparison((groups[0].label, groups[1].label), num_shared, test)

        def accept(comparison: Comparison) -> None:
            if self._opened is opened:
                self.state.comparison = comparison

        self.jobs.submit("compare", work, accept)

    def comparison_text(self) -> str:
        """The table of the comparison, tab between columns, as spreadsheets paste it."""
        return self._need_comparison().test.to_text("\t")

    def save_comparison(self, path: Path) -> None:
        """Write the table of the comparison as CSV."""
        comparison = self._need_comparison()
        self.jobs.submit(
            "save genes",
            lambda progress: write_gene_test(path, comparison.test),
            lambda done: self._say(f"{len(comparison.test.genes)} genes written into {path}."),
        )

    def _need_comparison(self) -> Comparison:
        if self.state.comparison is None:
            raise SpatiaError("No groups have been compared yet. Compare two groups of cells first.")
        return self.state.comparison

    def _forget_comparison(self) -> None:
        self.jobs.cancel("compare")
        self.state.groups, self.state.comparison = FIRST_GROUPS, None
