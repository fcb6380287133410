"""Verbs of looking closely: the cell under the mouse, the way to a cell, the genes of the part in view."""

from napari_spatia.errors import CellError
from napari_spatia.progress import Progress, silent
from napari_spatia.session.colouring import ColourVerbs
from napari_spatia.session.editing import EditVerbs
from napari_spatia.session.opened import OpenedSlide, read_card
from napari_spatia.session.pointing import value_at
from napari_spatia.session.state import Goal, HoverCard, Window

NUM_VIEW_GENES = 12


class LookVerbs(EditVerbs, ColourVerbs):
    """What the mouse rests on. Places are (y, x) in the slide's frame, µm."""

    def hover(self, y_um: float, x_um: float) -> HoverCard | None:
        """What is known of the cell at a point, for a card at the mouse; None between the cells. Changes nothing."""
        cell_id = self.cell_at(y_um, x_um)
        if cell_id is None:
            return None
        state = self.state
        card = read_card(self.opened, cell_id, state.prediction, state.annotations)
        value = None if state.lookup is None else value_at(state.lookup, card.cell_idx)
        title = None if state.lookup is None else state.lookup.title
        return HoverCard(card, title, None if value == card.known_type else value)

    def point_at(self, y_um: float, x_um: float) -> None:
        """Show the card of the cell at a point. Labels that must come from disk are read in the background."""
        opened = self._opened
        if opened is None or not self.state.hover_shown:
            return
        if opened.label_at.in_memory(y_um, x_um):
            self.state.hovered = self.hover(y_um, x_um)
            return

        def accept(label: int) -> None:
            if self._opened is opened and self.state.hover_shown:
                self.state.hovered = self.hover(y_um, x_um)

        self.jobs.submit("hover", lambda progress: opened.label_at.read(y_um, x_um), accept)

    def point_away(self) -> None:
        """Take the card away: the mouse has left the cell."""
        self.jobs.cancel("hover")
        self.state.hovered = None

    def still_on(self, y_um: float, x_um: float) -> bool:
        """Whether the cell whose card is shown lies at a point, as far as is known without reading from disk."""
        hovered, opened = self.state.hovered, self._opened
        if hovered is None or opened is None or not opened.label_at.in_memory(y_um, x_um):
            return False
        return self.cell_at(y_um, x_um) == hovered.card.cell_id

    def show_hover(self, shown: bool) -> None:
        """Let a card follow the mouse, or not."""
        self.state.hover_shown = shown
        if not shown:
            self.point_away()

    def find_cells(self, typed: str) -> tuple[str, ...]:
        """At most 20 ids of cells that contain three letters or more, in any case."""
        return () if self._opened is None else self._opened.ids.find(typed)

    def go_to_cell(self, cell_id: str) -> None:
        """Select a cell and bring it into the middle of the view. A part of an id will do where one cell alone has it.

        Raises `CellError` where no cell, or more than one, is meant.
        """
        cell_id = self._meant(cell_id)
        self.select_cell(cell_id)
        self.look_at_cell(cell_id)

    def look_at_cell(self, cell_id: str) -> None:
        """Bring a cell into the middle of the view; what is selected stays so."""
        card = read_card(self.opened, cell_id, self.state.prediction, self.state.annotations)
        serial = self.state.goal.serial + 1 if self.state.goal else 1
        self.state.goal = Goal(card.center_um, serial)

    def see(self, window_um: Window) -> None:
        """The view shows this part of the slide now."""
        self.state.view_um = window_um

    def genes_of_view(self, window_um: Window, progress: Progress = silent) -> tuple[str, ...]:
        """The 12 genes that tell the cells in a window (y0, x0, y1, x1) of the slide from all others. Changes nothing.

        Fewer, or none, where the window holds no cell, or all of them.
        """
        return _telling(self.opened, window_um, progress)

    def show_view_genes(self) -> None:
        """Find the genes of what is in view, in the background; the newest view wins."""
        opened, window = self._opened, self.state.view_um
        if opened is None or window is None:
            return

        def accept(genes: tuple[str, ...]) -> None:
            if self._opened is opened:
                self.state.view_genes = genes

        self.jobs.submit("view genes", lambda progress: _telling(opened, window, progress), accept)

    def _meant(self, typed: str) -> str:
        if typed in self.opened.rows:
            return typed
        found = self.find_cells(typed)
        exact = [cell_id for cell_id in found if cell_id.lower() == typed.lower()]
        if len(exact) == 1 or len(found) == 1:
            return (exact or list(found))[0]
        if not found:
            self.slide.cell_idx(typed)  # says what an id looks like here
        raise CellError(
            f"'{typed}' is a part of more than one cell id: {', '.join(found[:4])}, …. Type the whole id of one cell."
        )


def _telling(opened: OpenedSlide, window_um: Window, progress: Progress) -> tuple[str, ...]:
    """Names of the genes that tell the cells in a window."""
    (y0, x0, y1, x1), (y, x) = window_um, opened.slide.centers_um.T
    inside = (y >= y0) & (y <= y1) & (x >= x0) & (x <= x1)
    telling = opened.contrast.telling(inside, NUM_VIEW_GENES, progress)
    return tuple(str(opened.slide.panel.genes[idx]) for idx in telling)
