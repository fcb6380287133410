"""Verbs of the polygons of cells and nuclei: where few cells are in view, their outlines as the store has them."""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.boundaries import Boundaries, open_boundaries
from napari_spatia.progress import Progress
from napari_spatia.session.looking import LookVerbs
from napari_spatia.session.state import Polygons, Window

MOST_OUTLINED = 2_000
"""Cells in view up to which polygons are drawn: 25 points each are drawn in some 50 ms without a graphics card."""
NO_POLYGONS = (
    "Slide '{slide}' has no polygons of its cells. Expected a shapes element whose index names them, such as "
    "cell_boundaries. The style Outline beside Opacity draws the edges of the labels."
)
MARGIN_UM = 15.0
"""How far outside of the view a cell's centre may lie while a part of its outline is in it."""


class BoundaryVerbs(LookVerbs):
    """The polygons on screen: ``state.polygons``. They follow the view; a slide's are prepared on first use."""

    def show_polygons(self, shown: bool) -> None:
        """Draw the outlines of cells and nuclei as polygons wherever few cells are in view, or never."""
        self.state.polygons_shown = shown
        self._draw_polygons()
        if shown and self._opened is not None and len(self._cells_in_view()) > MOST_OUTLINED:
            self._say(f"Polygons are drawn where at most {MOST_OUTLINED:,} cells are in view. Zoom in to see them.")

    def see(self, window_um: Window) -> None:
        """As `LookVerbs.see`; the polygons follow."""
        super().see(window_um)
        if self.state.polygons_shown:
            self._draw_polygons()

    def _cells_in_view(self) -> NDArray[np.intp]:
        y0, x0, y1, x1 = self.state.view_um or self.slide.image.extent_um
        y, x = self.slide.centers_um.T
        inside = (y >= y0 - MARGIN_UM) & (y <= y1 + MARGIN_UM) & (x >= x0 - MARGIN_UM) & (x <= x1 + MARGIN_UM)
        return np.flatnonzero(inside)

    def _draw_polygons(self) -> None:
        opened, boundaries = self._opened, self._boundaries
        cells = np.zeros(0, np.intp)
        if opened is not None and self.state.polygons_shown:
            cells = self._cells_in_view()
        if opened is None or not 0 < len(cells) <= MOST_OUTLINED:
            self.jobs.cancel("polygons")
            self.state.polygons = None
            return
        if not boundaries:
            self._open_boundaries()
            return

        def work(progress: Progress) -> Polygons:
            read = [entry.read(cells) for entry in boundaries]
            places, rows = ([part[axis] for part in read] for axis in (0, 1))
            return Polygons(np.concatenate(places), np.concatenate(rows))

        def accept(polygons: Polygons) -> None:
            if self._opened is opened and self.state.polygons_shown:
                self.state.polygons = polygons

        self.jobs.submit("polygons", work, accept)

    def _open_boundaries(self) -> None:
        """Prepare or open the outlines of the slide, then draw what is in view by then."""
        opened, status = self.opened, self.state.jobs.get("outlines")
        if status is not None and status.running:
            return

        def accept(boundaries: tuple[Boundaries, ...]) -> None:
            if self._opened is not opened:
                return
            self._boundaries = boundaries
            if boundaries:
                self._draw_polygons()
            else:
                self.state.polygons_shown = False
                self.tell_error(NO_POLYGONS.format(slide=opened.slide.name))

        self.jobs.submit("outlines", lambda progress: open_boundaries(opened.slide, progress), accept)

    def _forget_polygons(self) -> None:
        for kind in ("outlines", "polygons"):
            self.jobs.cancel(kind)
        self._boundaries, self.state.polygons = (), None
