"""The Explorer dock: open a slide, load a model, predict, and colour the cells."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
)

from napari_spatia.inference.registry import best_checkpoint, describe, find_checkpoint, list_shipped
from napari_spatia.session.bounding import MOST_OUTLINED
from napari_spatia.session.colour import CELL_STYLES
from napari_spatia.session.session import Session
from napari_spatia.session.values import GENE_FORMS, MAX_BLENDED, gene_key, genes_of
from napari_spatia.viewer import keys
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.widgets.chosen import TOOLS, Chosen
from napari_spatia.widgets.colour_search import ColourSearch
from napari_spatia.widgets.filters import Filters
from napari_spatia.widgets.gene_chips import GeneChips
from napari_spatia.widgets.key_list import show_keys
from napari_spatia.widgets.legend import Legend
from napari_spatia.widgets.legend_parts import NO_STAR, STAR
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, line, named, row, small_button
from napari_spatia.widgets.predict_from import PredictFrom

PLUS_PX = 28
MOST_FAVOURITES = 12
"""Favourites that have a chip; all stand first in the list of genes."""
STAR_TIP = "Make the gene on screen a favourite, or no longer (F). Favourites stand first in lists, on every slide"
OTHER_FOLDER = "Other folder…"
TO_COLOUR, TO_BLEND = "Type, cluster, gene, column…", "Gene to blend with…"
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
    """What is open and how its cells are coloured; ``open_slide`` takes the folder of the next slide."""

    def __init__(
        self, session: Session, rest: Rest = at_once, open_slide: Callable[[Path], object] | None = None
    ) -> None:
        super().__init__(session, rest)
        self._open_slide = open_slide or session.open
        self._better = ""
        self._build_slide()
        self._build_model()
        self._build_colour()
        self.watch(self._show_slide, "slide", "opening")
        self.watch(self._show_loaded, "checkpoint")
        self.watch(self._look_for_better, "slide", "checkpoint")
        self.watch(
            self._show_model,
            "slide", "checkpoint", "refused", "bound", "notes", "prediction", "prediction_saved", "jobs",
        )  # fmt: skip
        self.watch(self._show_choices, "slide", "prediction", "favourites")
        self.watch_late(self._show_colour, "colour")
        self.watch_late(self._show_legend, "lookup")
        self.watch(self._show_opacity, "opacity")
        self.watch(lambda: self.style.setCurrentIndex(CELL_STYLES.index(self.state.cell_style)), "cell_style")
        self.watch(self._show_chips, "slide", "view_genes", "favourites")
        self.watch(lambda: self.hover.setChecked(self.state.hover_shown), "hover_shown")
        self.watch(lambda: self.polygons.setChecked(self.state.polygons_shown), "polygons_shown")

    # -- slide ----------------------------------------------------------------------------------------------------

    def _build_slide(self) -> None:
        self.slide_label = QLabel()
        self.slide_label.setWordWrap(True)
        self.slide_hint = hint(NO_SLIDE)
        self.open_button = button(
            "Open slide…", "Open a SpatialData .zarr folder beside the open ones", self._ask_slide
        )
        for widget in (
            heading("Slide"),
            self.slide_hint,
            self.slide_label,
            self.open_button,
            Busy(self, "open", "prepare", "pyramid"),
        ):
            self.body.addWidget(widget)
        self.body.addWidget(line())

    def _ask_slide(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a SpatialData .zarr folder")
        if folder:
            self.attempt(self._open_slide, Path(folder))

    def _show_slide(self) -> None:
        slide = self.state.slide
        self.slide_hint.setVisible(slide is None and self.state.opening is None)
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
        named(self.model_choice, "Model", "Models that came with the plugin, and those that were loaded from a folder")
        for name in list_shipped():
            self.model_choice.addItem(name, str(find_checkpoint(name)))
        self.model_choice.addItem(OTHER_FOLDER)
        self.model_choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.load_button = button("Load", "Load this model", self._load)
        self.model_label = hint(NO_MODEL)
        self.predict_from = PredictFrom(self.session)
        self.predict_button = button("Predict", "Cell types, clusters, domains and imputed genes of all cells",
                                     lambda: self.attempt(self.predict_from.predict))  # fmt: skip
        self.save_button = button("Save into slide", "Write the prediction into the slide's table",
                                  lambda: self.attempt(self.session.save_prediction))  # fmt: skip
        self.body.addWidget(heading("Model"))
        self.body.addWidget(row(self.model_choice, self.load_button))
        self.body.addWidget(self.model_label)
        self.body.addWidget(row(self.predict_button, self.predict_from, self.save_button))
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
        loaded = NO_MODEL
        if info is not None:
            loaded = f"<b>{info.name}</b> · {info.num_parameters / 1e6:.1f} M parameters · {state.device}"
        refused = f"<b>Not loaded.</b> {state.refused}" if state.refused else ""
        self.model_label.setText("<br>".join(filter(None, (loaded, *state.notes, self._better, refused))))

    def _look_for_better(self) -> None:
        """A slide that was opened after another one is read with the same model, which may know few of its genes."""
        slide, info = self.state.slide, self.state.checkpoint
        best = None if slide is None else best_checkpoint(slide.panel, slide.channels)
        self._better = ""
        if slide is None or info is None or best is None:
            return
        own, of_best = (int((panel.align(slide.panel) >= 0).sum()) for panel in (info.panel, describe(best).panel))
        if of_best > own:
            self._better = f"<b>{best}</b> reads {of_best:,} genes of this slide, {info.name} {own:,}: load it above."

    # -- colour ---------------------------------------------------------------------------------------------------

    def _build_colour(self) -> None:
        self.choice = ColourSearch(TO_COLOUR)
        self.choice.picked.connect(self._choose_key)
        self.choice.unknown.connect(self._tell_unknown)
        self.blend_button = button("+", "Blend with another gene", self._blend)
        self.blend_button.setAccessibleName("Blend with another gene")
        self.blend_button.setCheckable(True)
        self.blend_button.setFixedWidth(PLUS_PX)
        self.forms = QButtonGroup(self)
        self.forms.buttonClicked.connect(lambda pressed: self._choose_key(str(pressed.property("key"))))
        self.forms_row = row(*(self._form_button(name) for name in GENE_FORMS.values()))
        self.star = button(NO_STAR, STAR_TIP, self._toggle_star)
        self.star.setAccessibleName("Favourite gene")
        self.star.setFixedWidth(PLUS_PX)
        self.bind_key(keys.FAVOURITE, self._toggle_star)
        self.favourites = GeneChips("Favourites:", "Genes with a star, your own on every slide")
        self.chips = GeneChips(
            "In this view:", "Genes that the cells on screen express more than all others, the most telling first"
        )
        for chips in (self.favourites, self.chips):
            chips.chosen.connect(self._choose_gene)
            chips.starred.connect(lambda gene: self.attempt(self.session.toggle_favourite, gene))
        self.legend = Legend(self)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        named(self.opacity, "Opacity of the coloured cells")
        self.opacity.valueChanged.connect(lambda percent: setattr(self.state, "opacity", percent / 100))

        self.body.addWidget(heading("Colour cells by"))
        self.body.addWidget(row(self.choice, self.star, self.blend_button))
        self.body.addWidget(self.favourites)
        self.body.addWidget(self.chips)
        self.body.addWidget(self.forms_row)
        self.body.addWidget(self.legend, 1)
        self.filters = Filters(self)
        self.body.addWidget(self.filters)
        self.style = QComboBox()
        named(
            self.style, "How cells are painted", "Paint each cell whole, its outline, or its outline over a faint fill"
        )
        for name in CELL_STYLES:
            self.style.addItem(name.capitalize(), name)
        self.style.activated.connect(lambda idx: self.attempt(self.session.set_cell_style, CELL_STYLES[idx]))
        self.opacity_row = row(QLabel("Opacity"), self.opacity, self.style)
        self.body.addWidget(self.opacity_row)
        self.chosen = Chosen(self, CHOOSE, tuple(TOOLS), by_category=False)
        self.body.addWidget(self.chosen)
        self.hover = QCheckBox("Card at the mouse (H)")
        self.hover.setToolTip("Show what is known of the cell under the mouse. Key H")
        self.hover.clicked.connect(self.session.show_hover)
        self.bind_key(keys.HOVER, lambda: self.session.show_hover(not self.state.hover_shown))
        self.polygons = QCheckBox(f"Polygons ({keys.POLYGONS.key})")
        self.polygons.setToolTip(
            keys.POLYGONS.tip(
                f"Outlines of cells and nuclei as crisp lines, where at most {MOST_OUTLINED:,} cells are in view"
            )
        )
        self.polygons.clicked.connect(lambda on: self.attempt(self.session.show_polygons, on))
        self.bind_key(keys.POLYGONS, lambda: self.attempt(self.session.show_polygons, not self.state.polygons_shown))
        self.keys = small_button("?", keys.HELP.tip("List the keys that the window listens to"), self._list_keys)
        self.bind_key(keys.HELP, self._list_keys)
        self.body.addWidget(row(self.hover, self.polygons, self.keys))
        self.body.addWidget(Busy(self, "outlines"))
        self.body.addStretch(0)

    def _show_choices(self) -> None:
        choices = self.session.colour_choices()
        self.choice.list_choices(choices)
        self.filters.list_choices(choices)
        for widget in (self.choice, self.opacity_row):
            widget.setEnabled(bool(choices))
        self._show_colour()

    def _show_chips(self) -> None:
        """The favourites that this slide measures, the first of many; below them the genes of the view."""
        state = self.state
        measured = [gene for gene in state.favourites if state.slide is not None and gene in state.slide.panel]
        self.favourites.show_genes(tuple(measured[:MOST_FAVOURITES]), state.favourites)
        self.chips.show_genes(state.view_genes, state.favourites)

    def _choose_gene(self, gene: str) -> None:
        self._choose_key(gene_key([gene]))

    def _toggle_star(self) -> None:
        """Set or take off the star of the gene on screen."""
        _, genes = genes_of(self.state.colour)
        if len(genes) == 1:
            self.attempt(self.session.toggle_favourite, genes[0])

    def _tell_unknown(self, name: str) -> None:
        self.session.tell_error(f"Nothing on this slide is called '{name}'. Type a part of a gene or column name.")
        self._show_colour()

    def _choose_key(self, key: str) -> None:
        """Colour by a key, or blend with its gene where the person asked for that."""
        _, genes = genes_of(key)
        if self.blend_button.isChecked() and len(genes) == 1:
            self.attempt(self.session.add_to_blend, genes[0])
        else:
            self.attempt(self.session.colour_by, key)
        self._show_colour()

    def _blend(self) -> None:
        """Blend with the gene that has been typed; without one, with the gene that is chosen next."""
        _, typed = genes_of(self.choice.key_of(self.choice.currentText()))
        if self.blend_button.isChecked() and typed and typed[0] not in genes_of(self.state.colour)[1]:
            self.attempt(self.session.add_to_blend, typed[0])
            self._show_colour()
        elif self.blend_button.isChecked():
            self.choice.show_key(None)
            self.choice.lineEdit().setPlaceholderText(TO_BLEND)
            self.choice.lineEdit().setFocus()
        else:
            self._show_colour()

    def _show_colour(self) -> None:
        forms = {form.label: form.key for form in self.session.gene_forms()}
        listed = next(iter(forms.values()), self.state.colour)  # of a gene the list has its first form
        self.choice.show_key(listed)
        self.choice.lineEdit().setPlaceholderText(TO_COLOUR)
        genes = genes_of(self.state.colour)[1]
        self.blend_button.setChecked(False)
        self.blend_button.setEnabled(1 <= len(genes) < MAX_BLENDED)
        self.star.setText(STAR if len(genes) == 1 and genes[0] in self.state.favourites else NO_STAR)
        self.star.setEnabled(len(genes) == 1)
        self.forms_row.setVisible(len(forms) > 1)
        for form in self.forms.buttons():
            form.setVisible(form.text() in forms)
            form.setProperty("key", forms.get(form.text()))
            form.setChecked(forms.get(form.text()) == self.state.colour)

    def _show_legend(self) -> None:
        self.legend.show_lookup(self.state.lookup, None if self.state.shown_range else self.state.percent)

    def _list_keys(self) -> None:
        show_keys(self.window())

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
