"""The verb that keeps a picture of the view."""

from pathlib import Path

from napari_spatia.data.picture import Picture, save_png
from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase
from napari_spatia.session.legend_picture import with_legend


class PictureVerbs(SessionBase):
    """Pictures of what is on screen. Who has a window takes them; here they get their legend and become files."""

    def save_picture(self, picture: Picture, path: str | Path, legend: bool = True) -> None:
        """Write ``picture`` `(H, W, 3)` uint8 RGB as a PNG, with the legend of the cells' colours at its right."""
        path, slide, state = Path(path), self.slide, self.state
        lookup, filtered = state.lookup if legend else None, state.filtered
        note = "" if filtered is None else f"{filtered.num_passing:,} of {slide.num_cells:,} cells pass"

        def work(progress: Progress) -> Path:
            progress(0.0, "writing the picture")
            whole = picture if lookup is None else with_legend(picture, lookup, note)
            notes = {"slide": slide.name, "cells coloured by": "" if lookup is None else lookup.title}
            try:
                return save_png(whole, path, notes)
            except OSError as error:
                raise SpatiaError(
                    f"Cannot write '{path}': {error.strerror or error}. Name a folder that can be written."
                ) from error

        def accept(written: Path) -> None:
            state.exported = (written,)
            self._say(f"Picture written to {written}.")

        self.jobs.submit("picture", work, accept)
