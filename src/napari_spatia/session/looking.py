"""Verbs of looking closely: the cell under the mouse."""

from napari_spatia.session.colouring import ColourVerbs
from napari_spatia.session.editing import EditVerbs
from napari_spatia.session.opened import read_card
from napari_spatia.session.pointing import value_at
from napari_spatia.session.state import HoverCard


class LookVerbs(EditVerbs, ColourVerbs):
    """What the mouse rests on. Places are (y, x) in the slide's frame, µm."""

    def hover(self, y_um: float, x_um: float) -> HoverCard | None:
        """What is known of the cell at a point, for a card at the mouse; None between the cells. Changes nothing."""
        cell_id = self.cell_at(y_um, x_um)
        if cell_id is None:
            return None
        state, key = self.state, self.state.colour
        card = read_card(self.opened, cell_id, state.prediction, state.annotations)
        value = None if key is None else value_at(self._values(), key, card.cell_idx)
        title = state.lookup.title if state.lookup is not None and state.lookup.key == key else key
        return HoverCard(card, title, None if value == card.known_type else value)

    def point_at(self, y_um: float, x_um: float) -> None:
        """Show the card of the cell at a point. Labels that must come from disk are read in the background."""
        opened = self._opened
        if opened is None or not self.state.hover_shown:
            return
        if opened.pixels.in_memory(y_um, x_um):
            self.state.hovered = self.hover(y_um, x_um)
            return

        def accept(label: int) -> None:
            if self._opened is opened and self.state.hover_shown:
                self.state.hovered = self.hover(y_um, x_um)

        self.jobs.submit("hover", lambda progress: opened.pixels.read(y_um, x_um), accept)

    def point_away(self) -> None:
        """Take the card away: the mouse has left the cell."""
        self.jobs.cancel("hover")
        self.state.hovered = None

    def still_on(self, y_um: float, x_um: float) -> bool:
        """Whether the cell whose card is shown lies at a point, as far as is known without reading from disk."""
        hovered, opened = self.state.hovered, self._opened
        if hovered is None or opened is None or not opened.pixels.in_memory(y_um, x_um):
            return False
        return self.cell_at(y_um, x_um) == hovered.card.cell_id

    def show_hover(self, shown: bool) -> None:
        """Let a card follow the mouse, or not."""
        self.state.hover_shown = shown
        if not shown:
            self.point_away()
