"""A page of the Screens dock: two cells side by side under the same edit."""

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_spatia.data.cell_names import cell_name
from napari_spatia.inference.screen import ComparedCell, SideBySide
from napari_spatia.widgets.cell_search import CellSearch
from napari_spatia.widgets.drawn_pictures import Captioned, PictureFlow, stained
from napari_spatia.widgets.measure_table import CopyTable, feature_text, number_text
from napari_spatia.widgets.parts import Busy, Dock, button, hint, row
from napari_spatia.widgets.screens_parts import captioned, chosen_feature, edit_text, limits_of, zero_edit

HOW = "Draws another cell under the edit of the selected one: type its id, or take the real cell nearest to the edit."


class SideBySidePage(QWidget):
    """Real, zero edit and counterfactual of each cell, and their features beside each other."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self.other = CellSearch(dock.session)
        self.other.setPlaceholderText("Compare with cell…")
        self.other.setToolTip("Type three letters or more of a cell's id and press Enter")
        self.other.setAccessibleName("Cell to compare with")
        self.other.chosen.connect(self._compare)
        self.nearest = button("Nearest real", "Compare with the real cell nearest to the edit", self._compare_nearest)
        self.how, self.title = hint(HOW), QLabel()
        self.title.setWordWrap(True)
        self.pictures = PictureFlow("Two cells under the same edit", columns=3)
        self.table = CopyTable("Features of both cells before and after the edit")
        self.copy = button("Copy table", "Copy the table, with tabs between its columns", self.table.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        controls = row(self.other, self.nearest)
        for widget in (controls, Busy(dock, "set_beside"), self.how, self.title, self.pictures, self.table, self.copy):
            layout.addWidget(widget)
        dock.watch(self._show, "side_by_side", "limits", "feature")
        dock.watch(lambda: self.nearest.setEnabled(dock.state.evidence is not None), "evidence")

    def _compare(self, typed: str) -> None:
        found = self._dock.session.find_cells(typed)
        self._dock.attempt(self._dock.session.set_beside, found[0] if len(found) == 1 else typed)

    def _compare_nearest(self) -> None:
        evidence = self._dock.state.evidence
        if evidence is not None and evidence.nearest:
            self._dock.attempt(self._dock.session.set_beside, evidence.nearest[0].cell_id)

    def _show(self) -> None:
        side_by_side = self._dock.state.side_by_side
        self.how.setVisible(side_by_side is None)
        for widget in (self.title, self.pictures, self.table, self.copy):
            widget.setVisible(side_by_side is not None)
        if side_by_side is not None:
            self._show_side_by_side(side_by_side)

    def _show_side_by_side(self, side_by_side: SideBySide) -> None:
        first, second = (one.cell.cell_id for one in side_by_side.cells)
        self.title.setText(f"<b>{first}</b> above, <b>{second}</b> below: {edit_text(side_by_side.edit)}")
        self.pictures.show_pictures([each for one in side_by_side.cells for each in self._pictures(one, side_by_side)])
        self.table.show_rows(
            ("Feature", first, second),
            [
                (feature_text(feature), *(_change(one, feature.key) for one in side_by_side.cells))
                for feature in side_by_side.features
            ],
        )

    def _pictures(self, one: ComparedCell, side_by_side: SideBySide) -> tuple[Captioned, ...]:
        cell, limits = one.cell, limits_of(self._dock.state, one.cell)
        feature = chosen_feature(side_by_side.features, self._dock.state.feature)
        real = stained(cell.real, cell.channels, limits)
        return (
            Captioned(real, "Real", f"As it is on the slide: {cell_name(cell.cell_id)}", is_counterfactual=False),
            zero_edit(cell, limits),
            captioned(one.after, cell, limits, "Counterfactual", feature),
        )


def _change(one: ComparedCell, key: str) -> str:
    return f"{number_text(one.before.features[key])} → {number_text(one.after.features[key])}"
