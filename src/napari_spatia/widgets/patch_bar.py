"""Under the sliders: the counterfactual on the slide, and the same edit for all chosen cells."""

from qtpy.QtWidgets import QCheckBox, QComboBox, QPushButton, QVBoxLayout, QWidget

from napari_spatia.session.patches import CELL, CROP
from napari_spatia.session.patching import MOST_CELLS
from napari_spatia.viewer import keys
from napari_spatia.widgets.parts import Busy, Dock, button, row

EXTENT_NAMES = {CELL: "the cell alone", CROP: "its whole crop"}


class PatchBar(QWidget):
    """Lays patches over the slide and takes them off."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock, self._session = dock, dock.session
        session = self._session
        self.shown = QCheckBox("On the slide")
        self.shown.setToolTip(keys.PATCHES.tip("Show the counterfactual where its cell lies, in a dashed outline"))
        self.shown.clicked.connect(session.show_patches)
        self.extent = QComboBox()
        for extent, name in EXTENT_NAMES.items():
            self.extent.addItem(name, extent)
        self.extent.setToolTip("What lies over the slide: the drawn cell, faded out around it, or all that was drawn")
        self.extent.setAccessibleName("Extent of the counterfactual on the slide")
        self.extent.activated.connect(lambda place: session.set_patch_extent(self.extent.itemData(place)))
        self.before = QPushButton("Before")
        self.before.setCheckable(True)
        self.before.setToolTip(keys.BEFORE.tip("Show the cell before the edit (its zero edit), or after it"))
        self.before.clicked.connect(session.show_before)
        self.apply = button(
            "Apply to chosen cells",
            f"Draw all chosen cells (at most {MOST_CELLS}) under this edit and lay them over the slide",
            lambda: dock.attempt(session.apply_to_chosen),
        )
        self.remove = button("Take off", "Take the edited cells off the slide", session.forget_applied)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(row(self.shown, self.extent, self.before))
        layout.addWidget(row(self.apply, self.remove))
        layout.addWidget(Busy(dock, "apply"))
        dock.bind_key(keys.PATCHES, lambda: session.show_patches(not dock.state.patches_shown))
        dock.bind_key(keys.BEFORE, lambda: session.show_before(not dock.state.patches_before))
        dock.watch(self._show, "patches_shown", "patches_before", "patch_extent")
        dock.watch(self._show_chosen, "chosen", "applied", "edit")

    def _show(self) -> None:
        state = self._dock.state
        self.shown.setChecked(state.patches_shown)
        self.before.setChecked(state.patches_before)
        self.extent.setCurrentIndex(self.extent.findData(state.patch_extent))
        for widget in (self.extent, self.before):
            widget.setEnabled(state.patches_shown)

    def _show_chosen(self) -> None:
        state = self._dock.state
        num_chosen, edit = 0 if state.chosen is None else len(state.chosen), state.edit.present.active()
        self.apply.setText(f"Apply to {num_chosen:,} chosen cells" if num_chosen else "Apply to chosen cells")
        self.apply.setEnabled(num_chosen > 0 and bool(edit.terms or edit.niche))
        self.remove.setVisible(state.applied is not None)
