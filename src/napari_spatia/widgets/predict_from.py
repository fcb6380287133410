"""What a prediction reads: the menu beside the Explorer's Predict button."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_spatia.inference.tasks import INPUTS
from napari_spatia.session.session import Session
from napari_spatia.widgets.edit_menus import MenuButton

WHAT = {
    "image": ("The cell's image", "Its stains, each standardised to the slide"),
    "genes": ("The cell's genes", "Its own counts"),
    "niche": ("Its niche", "The genes of the cells around it"),
    "tissue": ("Its tissue", "The genes of the regions around it"),
}
REFERENCE = "Genes of a reference…"
REFERENCE_TIP = (
    "An .h5ad file of cells with more genes: those that neither the slide nor the model has are imputed from it"
)
TIP = "What is read of each cell, and genes beyond the panel"


class PredictFrom(MenuButton):
    """Inputs that can be left out, as by `--inputs`, and a reference for genes beyond the panel (`--reference`)."""

    def __init__(self, session: Session) -> None:
        super().__init__("", TIP, self._fill)
        self.setAccessibleName("What is read")
        self._session = session
        self.inputs: tuple[str, ...] = INPUTS
        self.reference: Path | None = None
        self._show()

    def predict(self) -> None:
        """Predicts from what is chosen."""
        self._session.predict(inputs=self.inputs, reference=self.reference)

    def _fill(self) -> None:
        self.choices.clear()
        for name, (text, tooltip) in WHAT.items():
            action = self.choices.addAction(text)
            action.setCheckable(True)
            action.setChecked(name in self.inputs)
            action.setToolTip(tooltip)
            action.setEnabled(bool({"image", "genes"} & (set(self.inputs) - {name})) or name in ("niche", "tissue"))
            action.toggled.connect(lambda on, name=name: self._read(name, on))
        self.choices.addSeparator()
        if self.reference is None:
            ask = self.choices.addAction(REFERENCE)
            ask.setToolTip(REFERENCE_TIP)
            ask.triggered.connect(lambda _checked=False: self._ask())
        else:
            leave = self.choices.addAction(f"Without {self.reference.name}")
            leave.setToolTip(f"{self.reference}: its genes are not imputed any more")
            leave.triggered.connect(lambda _checked=False: self._refer(None))

    def _read(self, name: str, on: bool) -> None:
        self.inputs = tuple(each for each in INPUTS if (each in self.inputs and each != name) or (on and each == name))
        self._show()

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Cells with more genes", "", "AnnData (*.h5ad)")
        if path:
            self._refer(Path(path))

    def _refer(self, reference: Path | None) -> None:
        self.reference = reference
        self._show()

    def _show(self) -> None:
        left_out = [name for name in INPUTS if name not in self.inputs]
        self.setText(f"from {'part' if left_out else 'all'}{' + file' if self.reference else ''}")
        read = f"without {' and '.join(left_out)}" if left_out else "everything"
        beyond = f"genes of {self.reference.name} too" if self.reference else "no reference"
        self.setToolTip(f"{TIP}. Now: {read}; {beyond}")
