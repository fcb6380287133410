"""The Explorer dock: open a slide, load a model, predict, and colour the cells."""

from pathlib import Path

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QCompleter,
    QFileDialog,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
)

from napari_spatia.inference.registry import best_checkpoint, find_checkpoint, list_shipped
from napari_spatia.session.session import Session
from napari_spatia.session.values import GENE_FORMS
from napari_spatia.widgets.chosen import TOOLS, Chosen
from napari_spatia.widgets.legend import Legend
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, line, row

OTHER_FOLDER = "Other folder…"
NO_SLIDE = (
    "Open a SpatialData slide (a .zarr folder): drop it on the window, press Open slide…, or take File > Open Sample."
)
NO_MODEL = "Load a model to predict cell types and to edit genes."
CHOOSE = "Draw on the slide to choose cells."
FORM_TIPS = {
    "Counts": "Transcripts counted in each cell",
    "Normalised": "log(1 + counts) of cells scaled to 100 transcripts",
    "Imputed": "What the model expects, normalised; r: how it correlates in held-out cells that hide the gene",
}


class ExplorerDock(Dock):
    """What is open and how its cells are coloured."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._build_slide()
        self._build_model()
        self._build_colour()
        self.watch(self._show_slide, "slide")
        self.watch(self._show_loaded, "checkpoint")
        self.watch(self._show_model, "slide", "checkpoint", "bound", "notes", "prediction", "prediction_saved", "jobs")
        self.watch(self._show_choices, "slide", "prediction")
        self.watch(self._show_colour, "colour", "lookup")
        self.watch(self._show_opacity, "opacity")

    # -- slide ----------------------------------------------------------------------------------------------------

    def _build_slide(self) -> None:
        self.slide_label = QLabel()
        self.slide_label.setWordWrap(True)
        self.slide_hint = hint(NO_SLIDE)
        self.open_button = button("Open slide…", "Open a SpatialData .zarr folder", self._ask_slide)
        for widget in (heading("Slide"), self.slide_hint, self.slide_label, self.open_button, Busy(self, "open")):
            self.body.addWidget(widget)
        self.body.addWidget(line())

    def _ask_slide(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a SpatialData .zarr folder")
        if folder:
            self.attempt(self.session.open, Path(folder))

    def _show_slide(self) -> None:
        slide = self.state.slide
        self.slide_hint.setVisible(slide is None)
        self.slide_label.setVisible(slide is not None)
        if slide is not None:
            y0, x0, y1, x1 = slide.image.extent_um
            self.slide_label.setText(
                f"<b>{slide.name}</b><br>{slide.num_cells:,} cells · {len(slide.panel):,} genes<br>"
                f"{x1 - x0:,.0f} × {y1 - y0:,.0f} µm at {slide.image.um_per_px:g} µm/px · {len(slide.channels)} stains"
            )
            fitting = best_checkpoint(slide.panel, slide.channels)
            if fitting is not None and self.state.checkpoint is None:
                self.model_choice.setCurrentText(fitting)
            self.slide_label.setToolTip(f"{slide.path}\n{', '.join(slide.channels)}")

    # -- model ----------------------------------------------------------------------------------------------------

    def _build_model(self) -> None:
        self.model_choice = QComboBox()
        for name in list_shipped():
            self.model_choice.addItem(name, str(find_checkpoint(name)))
        self.model_choice.addItem(OTHER_FOLDER)
        self.model_choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.load_button = button("Load", "Load this model", self._load)
        self.model_label = hint(NO_MODEL)
        self.predict_button = button("Predict", "Cell types, clusters, domains and imputed genes of all cells",
                                     lambda: self.attempt(self.session.predict))  # fmt: skip
        self.save_button = button("Save into slide", "Write the prediction into the slide's table",
                                  lambda: self.attempt(self.session.save_prediction))  # fmt: skip
        self.body.addWidget(heading("Model"))
        self.body.addWidget(row(self.model_choice, self.load_button))
        self.body.addWidget(self.model_label)
        self.body.addWidget(row(self.predict_button, self.save_button))
        self.body.addWidget(Busy(self, "checkpoint", "bind", "predict", "save"))
        self.body.addWidget(line())

    def _load(self) -> None:
        folder = self.model_choice.currentData() or QFileDialog.getExistingDirectory(self, "Open a checkpoint folder")
        if folder:
            self.attempt(self.session.load_checkpoint, folder)

    def _show_loaded(self) -> None:
        """The list shows the loaded model; one from a folder joins the list, so that it can be loaded again."""
        info = self.state.checkpoint
        if info is None:
            return
        if self.model_choice.findData(str(info.path)) < 0:
            self.model_choice.insertItem(0, info.name, str(info.path))
            self.model_choice.setItemData(0, str(info.path), Qt.ItemDataRole.ToolTipRole)
        self.model_choice.setCurrentIndex(self.model_choice.findData(str(info.path)))

    def _show_model(self) -> None:
        state = self.state
        info = state.checkpoint
        running = [kind for kind, status in state.jobs.items() if status.running]
        self.predict_button.setEnabled(state.bound and "predict" not in running)
        self.save_button.setEnabled(not state.prediction_saved and state.prediction is not None)
        self.load_button.setEnabled("checkpoint" not in running)
        if info is None:
            self.model_label.setText(NO_MODEL)
            return
        notes = "".join(f"<br>{note}" for note in state.notes)
        self.model_label.setText(
            f"<b>{info.name}</b> · {info.num_parameters / 1e6:.1f} M parameters · {state.device}{notes}"
        )

    # -- colour ---------------------------------------------------------------------------------------------------

    def _build_colour(self) -> None:
        self.choice = QComboBox()
        self.choice.setEditable(True)
        self.choice.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choice.setMaxVisibleItems(24)
        self.choice.lineEdit().setPlaceholderText("Type, cluster, gene, column…")
        self.choice.setToolTip("Type to search: predicted types, clusters, columns of the table, genes")
        self._names = QStringListModel(self)
        completer = QCompleter(self._names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.activated.connect(self._choose_name)
        self.choice.setCompleter(completer)
        self.choice.activated.connect(lambda idx: self._choose_key(self.choice.itemData(idx)))
        self.choice.lineEdit().returnPressed.connect(lambda: self._choose_name(self.choice.currentText()))
        self.forms = QButtonGroup(self)
        self.forms.buttonClicked.connect(lambda pressed: self._choose_key(str(pressed.property("key"))))
        self.forms_row = row(*(self._form_button(name) for name in GENE_FORMS.values()))
        self.legend = Legend(self)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip("Opacity of the coloured cells")
        self.opacity.valueChanged.connect(lambda percent: setattr(self.state, "opacity", percent / 100))

        self.body.addWidget(heading("Colour cells by"))
        self.body.addWidget(self.choice)
        self.body.addWidget(self.forms_row)
        self.body.addWidget(self.legend, 1)
        self.opacity_row = row(QLabel("Opacity"), self.opacity)
        self.body.addWidget(self.opacity_row)
        self.chosen = Chosen(self, CHOOSE, tuple(TOOLS), by_category=False)
        self.body.addWidget(self.chosen)
        self.body.addStretch(0)

    def _show_choices(self) -> None:
        choices = self.session.colour_choices()
        self.choice.blockSignals(True)
        self.choice.clear()
        for entry in choices:
            self.choice.addItem(entry.label, entry.key)
            self.choice.setItemData(self.choice.count() - 1, entry.group, Qt.ItemDataRole.ToolTipRole)
        self.choice.setCurrentIndex(-1)
        self.choice.blockSignals(False)
        self._names.setStringList([entry.label for entry in choices])
        for widget in (self.choice, self.opacity_row):
            widget.setEnabled(bool(choices))
        self._show_colour()

    def _choose_name(self, name: str) -> None:
        idx = self.choice.findText(name, Qt.MatchFlag.MatchFixedString)
        if idx < 0:
            self.session.tell_error(f"Nothing on this slide is called '{name}'. Type a part of a gene or column name.")
            self._show_colour()
            return
        self._choose_key(self.choice.itemData(idx))

    def _choose_key(self, key: str) -> None:
        self.attempt(self.session.colour_by, key)

    def _show_colour(self) -> None:
        forms = {form.label: form.key for form in self.session.gene_forms()}
        listed = next(iter(forms.values()), self.state.colour)  # of a gene the list has its first form
        self.choice.blockSignals(True)
        self.choice.setCurrentIndex(-1 if listed is None else self.choice.findData(listed))
        self.choice.blockSignals(False)
        self.forms_row.setVisible(len(forms) > 1)
        for form in self.forms.buttons():
            form.setVisible(form.text() in forms)
            form.setProperty("key", forms.get(form.text()))
            form.setChecked(forms.get(form.text()) == self.state.colour)
        self.legend.show_lookup(self.state.lookup, None if self.state.shown_range else self.state.percent)

    def _show_opacity(self) -> None:
        self.opacity.blockSignals(True)
        self.opacity.setValue(round(self.state.opacity * 100))
        self.opacity.blockSignals(False)

    def _form_button(self, name: str) -> QPushButton:
        made = QPushButton(name)
        made.setCheckable(True)
        made.setToolTip(FORM_TIPS[name])
        self.forms.addButton(made)
        return made
