"""Verbs of the pyramid: a large slide that its store has in one size only gets coarser levels in the background."""

from pathlib import Path

from napari_spatia.data.pyramid import Levels, make_pyramid, missing_pyramids
from napari_spatia.data.slide import Slide
from napari_spatia.progress import Progress, part
from napari_spatia.session.base import SessionBase
from napari_spatia.session.sidecar import folder_beside, pyramid_folder


class PyramidVerbs(SessionBase):
    """What the model reads stays the slide as it is stored; the coarser levels are for the eye."""

    def make_pyramid(self) -> None:
        """Make coarser levels of the image and the labels where they need them; what is shown takes them over.

        They are kept beside the slide, never in its store, and the next opening finds them.
        """
        opened = self.opened
        needing = missing_pyramids(opened.slide, opened.pixels.stains[0], opened.pixels.labels)
        if not needing:
            return
        folder = self._pyramid_folder(opened.slide)

        def work(progress: Progress) -> dict[str, Levels]:
            made = {}
            for number, (kind, (name, raster)) in enumerate(needing.items()):
                stage = part(progress, number / len(needing), (number + 1) / len(needing))
                made[kind] = make_pyramid(opened.slide.path, kind, name, raster.sources[0], folder, stage)
            return made

        def accept(made: dict[str, Levels]) -> None:
            if self._opened is not opened:
                return
            self.state.pixels = opened.pixels.with_coarser(made.get("images", ()), made.get("labels", ()))
            if self._sidecar is None and folder.parent != folder_beside(opened.slide.path.resolve()):
                self._say(
                    f"The folder of slide '{opened.slide.name}' is read-only: its coarser levels, which make it quick "
                    f"to look at, are kept in '{folder}'."
                )

        self.jobs.submit("pyramid", work, accept)

    def _pyramid_folder(self, slide: Slide) -> Path:
        return pyramid_folder(slide.path, self._sidecar)
