"""The dialog that keeps the edited cell as a file: which file, which pictures, how large, and where."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QComboBox, QDialog, QDialogButtonBox, QFileDialog, QFormLayout, QWidget

from napari_spatia.inference.edit_pictures import DIFFERENCE, EDITED, PICTURES, REAL, ZERO_EDIT
from napari_spatia.session.keeping import SIDES_PX, SWEEP_STEPS
from napari_spatia.widgets.gene_sliders import term_text
from napari_spatia.widgets.parts import Busy, Dock, button, hint, row

PNG, TIF, OME, GIF, CSV, JSON = "png", "tif", "ome.tif", "gif", "csv", "json"
BESIDE = "The pictures below beside each other, with scale bars, the cell and the edit"
KINDS = (
    (PNG, "Pictures (PNG)", BESIDE),
    (TIF, "Pictures (TIFF)", BESIDE),
    (OME, "Intensities (OME-TIFF)", "Real cell, zero edit and counterfactual in the slide's units, a channel a stain"),
    (GIF, "Sweep of one slider (GIF)", f"{SWEEP_STEPS} pictures from one end of the slider to the other, and back"),
    (CSV, "Features (CSV)", "Areas and mean stains of the cell, before and after"),
    (JSON, "Recipe (JSON)", "All that `napari-spatia perturb --recipe FILE` needs to draw the same pixels again"),
)
TIPS = {
    REAL: "The cell as it is on the slide",
    ZERO_EDIT: "Redrawn by the model with nothing edited",
    EDITED: "The cell under the edit",
    DIFFERENCE: "Counterfactual minus zero edit",
}
DEFAULT_SIDE_PX = 512


class KeepDialog(QDialog):
    """Asks, and calls the session's verb; ``ask_path`` gives the file's place, "" for none."""

    def __init__(self, dock: Dock, ask_path: Callable[[str, str], str] | None = None) -> None:
        super().__init__(dock)
        self._dock, self._session = dock, dock.session
        self._ask_path = ask_path or self._ask_by_dialog
        self.setWindowTitle("Save the edited cell")
        self.kind = QComboBox()
        for name, label, _ in KINDS:
            self.kind.addItem(label, name)
        self.kind.setToolTip("What is written")
        self.kind.setAccessibleName("Kind of file")
        self.told = hint("")
        self.told.setMinimumWidth(300)
        self.pictures = {name: QCheckBox(name.capitalize()) for name in PICTURES}
        for name, box in self.pictures.items():
            box.setToolTip(TIPS[name])
            box.setChecked(True)
            box.toggled.connect(self._show_kind)
        self.shown = row(*self.pictures.values())
        self.side = QComboBox()
        for side_px in SIDES_PX:
            self.side.addItem(f"{side_px} × {side_px} px", side_px)
        self.side.setCurrentIndex(SIDES_PX.index(DEFAULT_SIDE_PX))
        self.side.setToolTip("Size of each picture")
        self.side.setAccessibleName("Size of each picture")
        self.term = QComboBox()
        for key, _ in sorted(self._dock.state.edit.present.terms, key=lambda term: -abs(term[1])):  # the edited first
            self.term.addItem(term_text(key)[0], key)
        self.term.setToolTip("The slider that moves; the others stay where they are")
        self.term.setAccessibleName("Slider of the sweep")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self._form = QFormLayout(self)
        for label, widget in (("File", self.kind), ("", self.told), ("Pictures", self.shown), ("Slider", self.term),
                              ("Size of each", self.side)):  # fmt: skip
            self._form.addRow(label, widget)
        self._form.addRow(self.buttons)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self._show_kind()

    def _show_kind(self) -> None:
        """Only what counts for the chosen kind of file."""
        kind, has_terms = self.kind.currentData(), self.term.count() > 0
        self.told.setText(next(text for name, _, text in KINDS if name == kind))
        for widget, kinds in ((self.shown, (PNG, TIF)), (self.term, (GIF,)), (self.side, (PNG, TIF, GIF))):
            self._form.setRowVisible(widget, kind in kinds)
        chosen = any(box.isChecked() for box in self.pictures.values())
        can_save = {PNG: chosen, TIF: chosen, GIF: has_terms}.get(kind, True)
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(can_save)
        self.adjustSize()

    def _save(self) -> None:
        kind, session = str(self.kind.currentData()), self._session
        path = self._ask_path(f"{self._dock.state.selected}-counterfactual.{kind}", kind)
        if not path:
            return
        place, side_px = with_ending(Path(path), kind), int(self.side.currentData())
        if kind in (PNG, TIF):
            chosen = [name for name, box in self.pictures.items() if box.isChecked()]
            self._dock.attempt(session.keep_picture, place, chosen, side_px)
        elif kind == GIF:
            self._dock.attempt(session.keep_sweep, place, str(self.term.currentData()), side_px)
        else:
            verbs = {OME: session.keep_intensities, CSV: session.keep_features, JSON: session.keep_recipe}
            self._dock.attempt(verbs[kind], place)
        self.accept()

    def _ask_by_dialog(self, name: str, kind: str) -> str:
        label = next(label for key, label, _ in KINDS if key == kind)
        path, _ = QFileDialog.getSaveFileName(self, "Save the edited cell", name, f"{label} (*.{kind})")
        return str(path)


def with_ending(path: Path, kind: str) -> Path:
    """The path with the ending of its kind, where it has none."""
    return path if path.suffix else path.with_name(f"{path.name}.{kind}")


class KeepRow(QWidget):
    """The button that opens the dialog, and how its work stands."""

    def __init__(self, dock: Dock) -> None:
        super().__init__()
        self._dock = dock
        self.save = button(
            "Save cell…", "Write this counterfactual as pictures, intensities, a film, features or a recipe", self._open
        )
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow(self.save)
        layout.addRow(Busy(dock, "keep"))
        dock.watch(self._show, "counterfactual")

    def _show(self) -> None:
        self.save.setEnabled(self._dock.state.counterfactual is not None)

    def _open(self) -> None:
        KeepDialog(self._dock).exec()
