"""Verbs that keep the edited cell as files: its pictures, its intensities, a film, its features, its recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from napari_spatia.data.cell_names import cell_name
from napari_spatia.data.picture import Limits, colours_by_channel, display_limits, limits_by_channel, save_picture
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edit_pictures import (
    PICTURES,
    EditPictures,
    save_features,
    save_gif,
    save_tiff,
)
from napari_spatia.inference.edits import PROGRAMME, TOWARDS
from napari_spatia.inference.recipe import recipe_of, write_recipe
from napari_spatia.progress import Progress
from napari_spatia.session.editing import EditVerbs, strength_range

SIDES_PX = (256, 512, 1024, 2048)
SWEEP_STEPS = 17
"""Pictures of a film, from one end of a slider to the other."""


class KeepVerbs(EditVerbs):
    """The counterfactual as it is now. Files appear whole or not at all."""

    def keep_picture(self, path: str | Path, pictures: Sequence[str] = PICTURES, side_px: int = 512) -> None:
        """Write some of `PICTURES` beside each other as a PNG or TIFF, each ``side_px`` wide and high."""
        unknown = [name for name in pictures if name not in PICTURES]
        if unknown or not pictures:
            raise SpatiaError(f"Pictures {unknown or 'none'} cannot be kept. Expected some of {', '.join(PICTURES)}.")
        made = self._made()
        self._keep(Path(path), lambda place, progress: save_picture(made.panel(pictures, side_px), place, made.notes))

    def keep_intensities(self, path: str | Path) -> None:
        """Write the cell, its zero edit and its counterfactual as an OME-TIFF of float32 in the slide's units."""
        made = self._made()
        self._keep(Path(path), lambda place, progress: save_tiff(made, place))

    def keep_features(self, path: str | Path) -> None:
        """Write what is measured on the cell before and after as a CSV, with the spread over seeds if that is known."""
        made, evidence = self._made(), self.state.evidence
        self._keep(Path(path), lambda place, progress: save_features(made, place, evidence))

    def keep_recipe(self, path: str | Path) -> None:
        """Write what `napari-spatia perturb --recipe` needs to draw the same pixels again."""
        made = self._made()
        self._keep(Path(path), lambda place, progress: write_recipe(made.recipe, place))

    def keep_sweep(self, path: str | Path, key: str, side_px: int = 512) -> None:
        """Write a GIF of the edit with one term, a gene or what `set_strength` takes, from end to end of its slider."""
        self.check_term(key, 0.0)
        made, editor, resolver, programmes = self._made(), self._editor, self._resolver, self.state.programmes
        assert editor is not None and resolver is not None, "a counterfactual is there"
        edit, opened, is_gene = self.state.edit.present.active(), self.opened, not key.startswith((PROGRAMME, TOWARDS))

        def work(place: Path, progress: Progress) -> Path:
            cell_idx = made.selected.cell_idx
            ends = self._range_of(opened, key, cell_idx).log2_fc_limits if is_gene else strength_range(key)
            doses = np.linspace(*ends, SWEEP_STEPS).tolist()
            asked = [resolver.resolve(made.selected.cell_idx, edit.with_term(key, dose), programmes) for dose in doses]
            drawn = editor.render_many(made.selected, asked, progress=progress)
            said = f"{cell_name(made.selected.cell_id)}, {key} from {doses[0]:+.2f} to {doses[-1]:+.2f}"
            return save_gif(made.sweep(key, doses, drawn, side_px), place, f"{said}; {made.notes['Comment']}")

        self._keep(Path(path), work)

    def _made(self) -> EditPictures:
        state, bound = self.state, self._bound
        edited, resolved = state.counterfactual, state.resolved
        if edited is None or resolved is None or bound is None:
            raise SpatiaError("No cell is drawn yet. Load a model, select a cell, and wait for its picture.")
        channels, cell = self.slide.channels, edited.cell
        colours = None
        if state.stain_colours is not None:
            colours = colours_by_channel(cell.channels, channels, state.stain_colours, bound.channel_map)
        recipe = recipe_of(bound, edited, resolved, state.programmes)
        return EditPictures(cell, resolved, edited, self._limits_of_model(), colours, recipe)

    def _limits_of_model(self) -> Limits:
        state, bound = self.state, self._bound
        assert state.counterfactual is not None and bound is not None, "asked before"
        cell = state.counterfactual.cell
        if state.limits is None:
            return display_limits(cell.zero_edit)
        return limits_by_channel(cell.channels, cell.zero_edit, self.slide.channels, state.limits, bound.channel_map)

    def _keep(self, path: Path, work: Callable[[Path, Progress], Path]) -> None:
        """Run ``work``; a place that cannot be written is one clear message."""

        def write(progress: Progress) -> Path:
            progress(0.0, f"writing {path.name}")
            try:
                return work(path, progress)
            except OSError as error:
                raise SpatiaError(
                    f"Cannot write '{path}': {error.strerror or error}. Name a folder that can be written."
                ) from error

        def accept(written: Path) -> None:
            self.state.saved = written
            self._say(f"Saved {written.name} in {written.parent}.")

        self.jobs.submit("keep", write, accept)
