"""Verbs that mark neighbours of the selected cell on the slide, to remove them or to have them express another type."""

from napari_spatia.data.cell_names import cell_name
from napari_spatia.errors import CellError, SpatiaError
from napari_spatia.inference.edits import NicheChange, NicheEdit
from napari_spatia.session.editing import EditVerbs
from napari_spatia.session.selecting import NEIGHBOURS, SelectVerbs


class NeighbourVerbs(SelectVerbs, EditVerbs):
    """While ``state.tool`` is `NEIGHBOURS`, clicks on the slide mark neighbours: ``state.marked``."""

    def select_cell(self, cell_id: str | None) -> None:
        """As `EditVerbs.select_cell`; marks belong to the cell that was selected before."""
        if self.state.tool == NEIGHBOURS:
            self.use_tool("")
        super().select_cell(cell_id)

    def use_tool(self, tool: str) -> None:
        """As `SelectVerbs.use_tool`; the tool for neighbours begins with those of the edit marked, and ends with none.

        Raises `SpatiaError` while no cell can be edited, or where it has no neighbours.
        """
        begins = tool == NEIGHBOURS and self.state.tool != NEIGHBOURS
        neighbours = self._readable_neighbours() if begins else ()
        super().use_tool(tool)
        niche = self.state.edit.present.niche
        before = niche.cells if begins and niche is not None else ()
        self.state.marked = tuple(cell_id for cell_id in before if cell_id in neighbours)
        self.state.neighbours = neighbours

    def mark_neighbour(self, cell_id: str) -> None:
        """Mark a neighbour, or take its mark off. Raises `CellError` for a cell that is not read as a neighbour."""
        state = self.state
        if cell_id not in state.neighbours:
            raise CellError(
                f"{cell_id} is not one of the {len(state.neighbours)} neighbours that the model reads around "
                f"{cell_name(str(state.selected))}. Click one of the outlined cells."
            )
        if cell_id in state.marked:
            state.marked = tuple(marked for marked in state.marked if marked != cell_id)
        else:
            state.marked = (*state.marked, cell_id)

    def remove_marked(self) -> None:
        """Take the marked neighbours away."""
        self._change_marked(NicheEdit(NicheChange.REMOVE, cells=self._need_marked()))

    def replace_marked(self, cell_type: str) -> None:
        """Let the marked neighbours express what cells of a type do."""
        self._change_marked(NicheEdit(NicheChange.REPLACE, cell_type, self._need_marked()))

    def _change_marked(self, niche: NicheEdit) -> None:
        self.set_niche(niche)
        self.use_tool("")

    def _need_marked(self) -> tuple[str, ...]:
        if not self.state.marked:
            raise SpatiaError("No neighbour is marked. Click the outlined cells around the selected cell first.")
        return self.state.marked

    def _readable_neighbours(self) -> tuple[str, ...]:
        card, resolver = self.state.card, self._resolver
        if card is None or resolver is None:
            raise SpatiaError("No cell can be edited yet. Load a checkpoint and click a cell first.")
        rows = resolver.neighbours(card.cell_idx)
        if not len(rows):
            raise SpatiaError(f"The model reads no neighbours around {cell_name(card.cell_id)}.")
        return tuple(str(cell_id) for cell_id in self.slide.cell_id[rows])
