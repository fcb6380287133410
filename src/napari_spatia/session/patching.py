"""Verbs that put counterfactuals back on the slide: that of the selected cell, and one edit of all chosen cells."""

from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.editing import EditVerbs
from napari_spatia.session.patches import EXTENTS, AppliedEdit, Patch, patch_of, patches_of

MOST_CELLS = 400
"""Cells that one edit is applied to, at most: with four stains their patches take 80 MB."""


class PatchVerbs(EditVerbs):
    """What lies over the slide: ``patch`` of the selected cell, ``state.applied`` of many."""

    @property
    def patch(self) -> Patch | None:
        """The selected cell's counterfactual where the cell lies; None while nothing is edited."""
        state, bound = self.state, self._bound
        cell, edited, resolved = state.cell, state.counterfactual, state.resolved
        if cell is None or edited is None or resolved is None or bound is None:
            return None
        if not (resolved.edit.terms or resolved.edit.niche):
            return None
        return patch_of(cell, edited, self.slide.centers_um[cell.cell_idx], bound.channel_map)

    def show_patches(self, shown: bool) -> None:
        """Lay counterfactuals over the slide, or take them off."""
        self.state.patches_shown = shown

    def show_before(self, before: bool) -> None:
        """Let patches show the cells before the edit (their zero edits), or after it."""
        self.state.patches_before = before

    def set_patch_extent(self, extent: str) -> None:
        """Let the selected cell's patch be the ``cell`` alone, faded out around it, or the whole ``crop``."""
        if extent not in EXTENTS:
            raise SpatiaError(f"Unknown extent '{extent}'. Expected one of {', '.join(EXTENTS)}.")
        self.state.patch_extent = extent

    def apply_to_chosen(self) -> None:
        """Draw all chosen cells under the edit as it is now and lay them over the slide: ``state.applied``.

        Raises `SpatiaError` where no cell is chosen or more than `MOST_CELLS` are, or where nothing is edited.
        """
        bound, resolver, rows = self._need_bound(), self._resolver, self.state.chosen
        edit, programmes = self.state.edit.present.active(), self.state.programmes
        if rows is None:
            raise SpatiaError("No cells are chosen. Choose some with the lasso or the box, or in the Cells map.")
        if len(rows) > MOST_CELLS:
            raise SpatiaError(
                f"{len(rows):,} cells are chosen; an edit is applied to {MOST_CELLS} at most. Choose fewer."
            )
        if not (edit.terms or edit.niche):
            raise SpatiaError("Nothing is edited. Select a cell and move a slider first; then apply it to all.")
        if resolver is None:
            raise SpatiaError("What edits need is still being read from the slide. Try again in a moment.")
        nfe = self.state.nfe

        def work(progress: Progress) -> AppliedEdit:
            progress(0.0, "drawing the chosen cells")
            drawn = self._backend.edit_cells(bound, resolver, rows, edit, programmes, nfe, progress)
            return AppliedEdit(edit, patches_of(drawn, bound.slide, bound.channel_map))

        def accept(applied: AppliedEdit) -> None:
            if self._bound is bound:
                self.state.applied = applied

        self.jobs.submit("apply", work, accept)

    def forget_applied(self) -> None:
        """Take the patches of many cells off the slide, and stop what still draws them."""
        self.jobs.cancel("apply")
        self.state.applied = None
