"""Verbs that read an edit and try many: the table of an edit as a file, dose strips, grids, screens, two cells."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_spatia.errors import CellError, SpatiaError
from napari_spatia.inference.edits import TOWARDS
from napari_spatia.inference.screen import GRID_DOSES, SCREEN_LOG2_FC, SWEEP_DOSES, ScreenPlan
from napari_spatia.progress import Progress
from napari_spatia.session.editing import EditVerbs, strength_range
from napari_spatia.session.sidecar import sidecar_folder
from napari_spatia.session.state import LOG2_FC_LIMIT

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import SelectedCell
    from napari_spatia.inference.screen import Grid, Screen, SideBySide, Strip
    from napari_spatia.inference.screener import Screener

T = TypeVar("T")
PARTS_OF_WAY = (0.0, 0.25, 0.5, 0.75, 1.0)
"""In the place of doses, towards a cell type."""
MOST_PICTURES = 49
"""In a strip or a grid: all of them are kept and shown."""
KINDS = ("sweep", "grid", "set_beside", "screen")


class ScreenVerbs(EditVerbs):
    """What is drawn beside the edit of the Cell dock: ``state.strip``, ``grid``, ``side_by_side`` and ``screen``."""

    def sweep(self, key: str, values: Sequence[float] | None = None) -> None:
        """Draw the selected cell at doses of one gene (or programme, or way towards a type), the rest of its edit kept.

        The result is ``state.strip``.
        """
        doses = self._doses(key, values, SWEEP_DOSES)
        cell, screener, edit = self._need_cell(), self._screener(), self.state.edit.present

        def accept(strip: "Strip") -> None:
            self.state.strip = strip

        self._submit("sweep", lambda progress: screener.sweep(cell, edit, key, doses, progress), accept)

    def grid(
        self,
        key_a: str,
        key_b: str,
        values: Sequence[float] | None = None,
        values_b: Sequence[float] | None = None,
    ) -> None:
        """Draw the selected cell at each pair of doses of two genes; the result is ``state.grid``.

        Without ``values_b`` both have the same ``values``.
        """
        if key_a == key_b:
            raise SpatiaError(f"A grid needs two genes; '{key_a}' was named twice.")
        doses_a = self._doses(key_a, values, GRID_DOSES)
        doses_b = self._doses(key_b, values if values_b is None else values_b, GRID_DOSES)
        if len(doses_a) * len(doses_b) > MOST_PICTURES:
            raise SpatiaError(f"{len(doses_a)} x {len(doses_b)} pictures are too many; expected up to {MOST_PICTURES}.")
        cell, screener, edit = self._need_cell(), self._screener(), self.state.edit.present

        def accept(grid: "Grid") -> None:
            self.state.grid = grid

        self._submit(
            "grid", lambda progress: screener.grid(cell, edit, (key_a, key_b), doses_a, doses_b, progress), accept
        )

    def set_beside(self, cell_id: str) -> None:
        """Draw another cell under the edit of the selected one; the result is ``state.side_by_side``."""
        cell, screener, edit = self._need_cell(), self._screener(), self.state.edit.present.active()
        self._check_cells([cell_id])
        if cell_id == cell.cell_id:
            raise SpatiaError(f"Cell '{cell_id}' is the selected cell. Name another one to compare it with.")

        def accept(side_by_side: "SideBySide") -> None:
            self.state.side_by_side = side_by_side

        self._submit("set_beside", lambda progress: screener.set_beside(cell, cell_id, edit, progress), accept)

    def screen(
        self,
        cells: Sequence[str] | None = None,
        genes: Sequence[str] | None = None,
        feature: str | None = None,
        log2_fc: float = SCREEN_LOG2_FC,
    ) -> None:
        """Edit each of ``genes`` (all of the panel), alone, in each of ``cells`` (the selected one).

        The result is ``state.screen``, ranked by ``feature``. What is found is written into the slide's sidecar folder
        as it is found: a screen that was stopped goes on where it was.
        """
        screener = self._screener()
        panel = self._panel_genes()
        cells = [self._need_cell().cell_id] if cells is None else [str(cell) for cell in cells]
        self._check_cells(cells)
        genes = panel if genes is None else tuple(dict.fromkeys(genes))
        for gene in genes:
            self._check_key(gene)
        if not (cells and genes):
            raise SpatiaError("A screen needs at least one cell and one gene.")
        if not 0 < abs(log2_fc) <= LOG2_FC_LIMIT:
            raise SpatiaError(
                f"log2_fc of a screen is {log2_fc:g}; expected up to {LOG2_FC_LIMIT:g} up or down, not 0."
            )
        if feature is not None:
            self.show_feature(feature)
        plan = ScreenPlan(tuple(dict.fromkeys(cells)), tuple(genes), float(log2_fc))
        folder = (self._sidecar or sidecar_folder(self.slide.path)) / "screens"

        def accept(screen: "Screen") -> None:
            self.state.screen = screen

        self._submit("screen", lambda progress: screener.screen(plan, folder, progress), accept)

    def show_feature(self, key: str) -> None:
        """Choose the feature that curves show and the screen is ranked by."""
        known = [feature.key for feature in self._screener().features]
        if key not in known:
            raise SpatiaError(f"There is no feature '{key}'. Choose one of {', '.join(known)}.")
        self.state.feature = key

    def edit_as_screened(self, gene: str) -> None:
        """Put a gene of the screen on a slider, at the screen's dose; in the screened cell where that is one."""
        screen = self.state.screen
        if screen is None:
            raise SpatiaError("There is no screen yet.")
        if len(screen.plan.cells) == 1 and self.state.selected != screen.plan.cells[0]:
            self.select_cell(screen.plan.cells[0])
        self.set_strength(gene, screen.plan.log2_fc)

    def _doses(self, key: str, values: Sequence[float] | None, usual: tuple[float, ...]) -> tuple[float, ...]:
        """The doses of a term, ascending; those that are usual where none are named."""
        self._check_key(key)
        if values is None:
            return PARTS_OF_WAY if key.startswith(TOWARDS) else usual
        doses, (low, high) = tuple(sorted({float(value) for value in values})), strength_range(key)
        if not 2 <= len(doses) <= MOST_PICTURES or not all(low <= dose <= high for dose in doses):
            shown = ", ".join(f"{dose:g}" for dose in doses) or "none"
            raise SpatiaError(f"Doses of '{key}' are {shown}; expected 2 to {MOST_PICTURES} from {low:g} to {high:g}.")
        return doses

    def _screener(self) -> "Screener":
        if self._editor is None or self._resolver is None:
            raise SpatiaError("No checkpoint is fitted to a slide yet. Open a slide and load a checkpoint first.")
        return self._backend.screener(self._editor, self._resolver, self.state.programmes)

    def _need_cell(self) -> "SelectedCell":
        if self.state.cell is None:
            raise SpatiaError("No cell has been read. Select a cell first.")
        return self.state.cell

    def _panel_genes(self) -> tuple[str, ...]:
        assert self.state.checkpoint is not None, "fitted"
        return self.state.checkpoint.panel.genes

    def _check_cells(self, cells: Sequence[str]) -> None:
        missing = np.flatnonzero(self.opened.rows.rows(cells) < 0)
        if len(missing):
            raise CellError(
                f"Cell '{cells[missing[0]]}' is not on slide '{self.slide.name}' ({self.slide.num_cells} cells)."
            )

    def _submit(self, kind: str, work: Callable[[Progress], T], take: Callable[[T], None]) -> None:
        """Run a job whose result is taken while it is still about the same slide and checkpoint."""
        editor = self._editor

        def accept(result: T) -> None:
            if self._editor is editor:
                take(result)

        self.jobs.submit(kind, work, accept)

    def _forget_screens(self) -> None:
        """Before another slide or checkpoint: what was drawn of the old ones goes."""
        for kind in KINDS:
            self.jobs.cancel(kind)
        self.state.strip = self.state.grid = self.state.side_by_side = self.state.screen = None
