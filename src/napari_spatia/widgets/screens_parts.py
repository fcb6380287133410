"""What the pages of the Screens dock share: choice of a gene, display limits, captions, and numbers one click away."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_spatia.data import picture as pictures
from napari_spatia.data.cell_names import cell_name
from napari_spatia.session.state import SessionState
from napari_spatia.widgets.completing import NameCompleter, NameLine
from napari_spatia.widgets.drawn_pictures import Captioned, stained
from napari_spatia.widgets.gene_sliders import term_text
from napari_spatia.widgets.measure_table import CopyTable, number_text
from napari_spatia.widgets.parts import button, row

if TYPE_CHECKING:
    from napari_spatia.data.morphology import Feature
    from napari_spatia.inference.edits import Edit
    from napari_spatia.inference.perturb import SelectedCell
    from napari_spatia.inference.screen import Drawn


class TermChoice(QComboBox):
    """A gene of the panel, by a part of its name; what has a slider in the Cell dock comes first."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(f"{name}: choose, or type a part of its name. Sliders of the Cell dock come first")
        self.setLineEdit(NameLine())
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(6)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setCompleter(NameCompleter(self.model(), self))
        self._asked: tuple[Sequence[str], Sequence[str]] = (), ()
        self._shown: tuple[str, ...] = ()
        self._is_chosen = False
        self.activated.connect(self._choose)
        self.editTextChanged.connect(self._choose)

    def _choose(self) -> None:
        self._is_chosen = True

    def show_terms(self, sliders: Sequence[str], genes: Sequence[str], first: int = 0) -> None:
        """Offer what can be swept. What a person chose stays so; before that it is the slider number ``first``."""
        if self._asked == (sliders, genes):  # heard at each move of a slider
            return
        self._asked = sliders, genes
        keys = (*sliders, *sorted(set(genes) - set(sliders)))
        if keys == self._shown:
            return
        chosen, self._shown = self.key() if self._is_chosen else "", keys
        self.blockSignals(True)
        self.clear()
        for key in keys:
            self.addItem(term_text(key)[0], key)
        self._is_chosen = chosen in keys
        self.setCurrentIndex(keys.index(chosen) if self._is_chosen else min(first, len(keys) - 1))
        self.blockSignals(False)

    def show_key(self, key: str) -> None:
        """Name the term of a screen that was started elsewhere."""
        if self.findData(key) < 0:
            self.insertItem(0, term_text(key)[0], key)
        self.setCurrentIndex(self.findData(key))
        self._is_chosen = True

    def key(self) -> str:
        """The key of the term that is named in the line, or what was typed."""
        typed = self.currentText().strip()
        found = self.findText(typed, Qt.MatchFlag.MatchFixedString)
        return str(self.itemData(found)) if found >= 0 else typed


class Numbers(QWidget):
    """A button that unfolds a table, and one that copies it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.table = CopyTable(name)
        self.unfold = QToolButton()
        self.unfold.setText("Numbers")
        self.unfold.setToolTip("Show the numbers of the pictures")
        self.unfold.setCheckable(True)
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.unfold.setArrowType(Qt.ArrowType.RightArrow)
        self.copy = button("Copy", "Copy the table, with tabs between its columns", self.table.copy)
        self.unfold.toggled.connect(self._toggle)
        buttons = row(self.unfold, self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(buttons, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.table)
        self._toggle(False)

    def _toggle(self, on: bool) -> None:
        self.unfold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.table.setVisible(on)
        self.copy.setVisible(on)


def limits_of(state: SessionState, cell: "SelectedCell") -> pictures.Limits:
    """The slide's display limits in the order of the model's channels."""
    if state.slide is None or state.limits is None:
        return pictures.display_limits(cell.zero_edit)
    return pictures.limits_by_channel(cell.channels, cell.zero_edit, state.slide.channels, state.limits)


def captioned(
    drawn: "Drawn", cell: "SelectedCell", limits: pictures.Limits, caption: str, feature: "Feature"
) -> Captioned:
    """One counterfactual with its caption and what is read of it."""
    reach = "" if drawn.reach_percentile is None else f" · reach percentile {drawn.reach_percentile:.0f}"
    said = f"Counterfactual of {cell_name(cell.cell_id)}: {edit_text(drawn.edit)}"
    return Captioned(
        stained(drawn.image, cell.channels, limits), caption, f"{said}\n{with_unit(feature, drawn.features)}{reach}"
    )


def zero_edit(cell: "SelectedCell", limits: pictures.Limits) -> Captioned:
    """The cell redrawn with nothing edited, with a scale bar."""
    return Captioned(
        stained(cell.zero_edit, cell.channels, limits),
        "Zero edit",
        f"Redrawn by the model with nothing edited: {cell_name(cell.cell_id)}",
        is_counterfactual=False,
        width_um=cell.um_per_px * cell.zero_edit.shape[-1],
    )


def with_unit(feature: "Feature", features: Mapping[str, float]) -> str:
    """A feature's name, value and unit."""
    unit = f" {feature.unit}" if feature.unit else ""
    return f"{feature.label} {number_text(features[feature.key])}{unit}"


def axis_title(feature: "Feature") -> str:
    """A feature and its unit."""
    return f"{feature.label}{f' ({feature.unit})' if feature.unit else ''}"


def dose_text(dose: float) -> str:
    """A dose with its sign; 0 has none."""
    return f"{dose:+.3g}".replace("-", "−") if dose else "0"


def edit_text(edit: "Edit") -> str:
    """An edit in one line."""
    parts = [f"{term_text(key)[0]} {dose_text(value)}" for key, value in edit.active().terms]
    parts += ["with co-expressed genes"] if edit.active().coexpressed else []
    parts += [f"niche: {edit.niche}"] if edit.niche is not None else []
    return ", ".join(parts) or "nothing edited"


def chosen_feature(features: Sequence["Feature"], key: str) -> "Feature":
    """The feature of a key; the first where it is not among them."""
    return next((feature for feature in features if feature.key == key), features[0])
