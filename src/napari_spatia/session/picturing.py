"""Verbs on what is seen: how the stains look, and a picture of the view."""

from pathlib import Path

import numpy as np

from napari_spatia.data.picture import COUNTERFACTUAL, Picture, save_picture
from napari_spatia.errors import SpatiaError, did_you_mean
from napari_spatia.progress import Progress
from napari_spatia.session.legend_picture import with_legend
from napari_spatia.session.patching import PatchVerbs


class PictureVerbs(PatchVerbs):
    """Stains, and pictures of what is on screen. Who has a window takes these; here they get their legend and become
    files.
    """

    def show_stain(self, stain: str | None) -> None:
        """Let the pictures of the cell show one stain, or (None) all together. Raises `SpatiaError` for another."""
        stains = self.stains()
        if stain is not None and stain not in stains:
            raise SpatiaError(
                f"There is no stain '{stain}'.{did_you_mean(stain, stains)} Expected {', '.join(stains)}."
            )
        self.state.stain = stain

    def stains(self) -> tuple[str, ...]:
        """The stains that pictures of a cell can show: those of the model, or of the slide while there is none."""
        state = self.state
        if state.checkpoint is not None:
            return state.checkpoint.channels
        return () if state.slide is None else state.slide.channels

    def set_stain_look(self, stain: str, limits: tuple[float, float], colour: tuple[float, float, float]) -> None:
        """A stain of the slide is shown from black at one intensity to full ``colour``, RGB in [0, 1], at another: the
        pictures of cells follow.
        """
        state, row = self.state, self.slide.channels.index(stain)
        if state.limits is None or state.stain_colours is None:
            return
        of_slide, colours = state.limits.copy(), state.stain_colours.copy()
        of_slide[row], colours[row] = limits, colour
        if not np.array_equal(of_slide, state.limits):
            state.limits = of_slide
        if not np.array_equal(colours, state.stain_colours):
            state.stain_colours = colours

    def save_picture(self, picture: Picture, path: str | Path, legend: bool = True) -> None:
        """Write ``picture`` `(H, W, 3)` uint8 RGB as a PNG, with the legend of the cells' colours at its right."""
        path, slide, state = Path(path), self.slide, self.state
        lookup, filtered = state.lookup if legend else None, state.filtered
        patched = state.patches_shown and (self.patch is not None or state.applied is not None)
        note = "" if filtered is None else f"{filtered.num_passing:,} of {slide.num_cells:,} cells pass"

        def work(progress: Progress) -> Path:
            progress(0.0, "writing the picture")
            whole = picture if lookup is None else with_legend(picture, lookup, note)
            notes = {"slide": slide.name, "cells coloured by": "" if lookup is None else lookup.title}
            if patched:
                notes |= {"Title": COUNTERFACTUAL, "counterfactual": "cells on the slide are shown under an edit"}
            try:
                return save_picture(whole, path, notes)
            except OSError as error:
                raise SpatiaError(
                    f"Cannot write '{path}': {error.strerror or error}. Name a folder that can be written."
                ) from error

        def accept(written: Path) -> None:
            state.exported = (written,)
            self._say(f"Saved {written.name} in {written.parent}.")

        self.jobs.submit("picture", work, accept)
