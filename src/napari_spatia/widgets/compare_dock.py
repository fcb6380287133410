"""The Compare dock: which genes two groups of cells express differently."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QSizePolicy

from napari_spatia.session.cell_groups import CHOSEN, REST, SIDES, Comparison
from napari_spatia.session.session import Session
from napari_spatia.session.values import gene_key, genes_of
from napari_spatia.widgets.gene_table import GeneTable
from napari_spatia.widgets.parts import Busy, Dock, button, heading, hint, row

NO_SLIDE = "Open a slide first."
HOW = (
    "Choose cells with the lasso (L) or the box (B) and press Compare, or name two classes of what the cells are "
    "coloured by."
)
GROUP_TIPS = {
    "A": "Cells whose genes are compared: those that are chosen, or a class of what the cells are coloured by",
    "B": "Cells that they are compared with: all others, or a class of what the cells are coloured by",
}


class CompareDock(Dock):
    """Two groups, a button, and the table of genes that comes out."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._listed: tuple[object, ...] = ()
        self.hint = hint(HOW)
        self.groups = {side: self._group_choice(side) for side in SIDES}
        self.keep = {side: self._keep_button(side) for side in SIDES}
        self.compare = button("Compare", "Compare all genes of groups A and B, in the background",
                              lambda: self.attempt(self.session.compare_groups))  # fmt: skip
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.table = GeneTable()
        self.table.picked.connect(lambda gene: self.attempt(self.session.colour_by, gene_key([gene])))
        self.slider = button("Add to sliders", "Give the gene of this row a slider in the Cell dock", self._add_slider)
        self.copy = button("Copy", "Copy the table, for a spreadsheet", self._copy)
        self.save = button("Save CSV…", "Write the table as a CSV file", self._ask_file)
        self.actions = row(self.slider, self.copy, self.save)
        for widget in (
            heading("Compare genes of two groups"),
            self.hint,
            *(row(_letter(side), self.groups[side], self.keep[side]) for side in SIDES),
            self.compare,
            Busy(self, "compare"),
            self.summary,
            self.table,
            self.actions,
        ):
            self.body.addWidget(widget)
        self.body.setStretchFactor(self.table, 1)
        self.body.addStretch(0)
        self.watch(self._show_groups, "slide", "groups", "lookup")
        self.watch(self._show_ready, "slide", "chosen", "jobs")
        self.watch(self._show_comparison, "comparison")
        self.watch(self._show_colour, "colour", "comparison")
        self.watch(lambda: self.table.genes.show_favourites(self.state.favourites), "favourites")

    def _group_choice(self, side: str) -> QComboBox:
        made = QComboBox()
        made.setToolTip(GROUP_TIPS[side])
        made.setAccessibleName(f"Group {side}")
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        made.setMaxVisibleItems(24)
        made.activated.connect(partial(self._name_group, side))
        return made

    def _keep_button(self, side: str) -> QPushButton:
        tip = f"Let {side} be the cells that are chosen now, whatever is chosen later"
        made = button("Keep chosen", tip, lambda: self.attempt(self.session.keep_chosen, side))
        made.setAccessibleName(f"Keep the chosen cells as group {side}")
        return made

    # -- state → dock ---------------------------------------------------------------------------------------------

    def _show_groups(self) -> None:
        """Each list has the two names that follow the choice, what was kept, and the classes on screen."""
        classes = self.session.classes_to_compare()
        if (listed := (self.state.groups, classes)) == self._listed:  # what is on screen is often painted anew
            return
        self._listed = listed
        for group, combo in zip(self.state.groups, self.groups.values(), strict=True):
            combo.clear()
            for named in (CHOSEN, REST):
                combo.addItem(named.label, named)
            if group not in (CHOSEN, REST):
                combo.addItem(group.label, group)
            combo.insertSeparator(combo.count())
            for name in classes:
                if name != group.label:
                    combo.addItem(name, name)
            combo.setCurrentText(group.label)

    def _show_ready(self) -> None:
        state = self.state
        is_open = state.slide is not None
        running = "compare" in state.jobs and state.jobs["compare"].running
        self.hint.setText(HOW if is_open else NO_SLIDE)
        self.compare.setEnabled(is_open and not running)
        for side in SIDES:
            self.groups[side].setEnabled(is_open)
            self.keep[side].setEnabled(state.chosen is not None)

    def _show_comparison(self) -> None:
        comparison = self.state.comparison
        self.hint.setVisible(comparison is None)
        for widget in (self.summary, self.table, self.actions):
            widget.setVisible(comparison is not None)
        self.table.show_test(None if comparison is None else comparison.test)
        self.summary.setText("" if comparison is None else _in_words(comparison))

    def _show_colour(self) -> None:
        form, genes = genes_of(self.state.colour)
        self.table.show_gene(genes[0] if len(genes) == 1 and form != "imputed" else None)
        self.slider.setEnabled(self.table.current_gene() is not None)

    # -- dock → session -------------------------------------------------------------------------------------------

    def _name_group(self, side: str, idx: int) -> None:
        named = self.groups[side].itemData(idx)
        if named is CHOSEN:
            self.attempt(self.session.group_chosen, side)
        elif named is REST:
            self.attempt(self.session.group_rest, side)
        elif isinstance(named, str):
            self.attempt(self.session.group_class, side, named)

    def _add_slider(self) -> None:
        gene = self.table.current_gene()
        if gene is not None:
            self.attempt(self.session.set_strength, gene, 0.0)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.session.comparison_text())

    def _ask_file(self) -> None:
        suggested = str(Path.home() / f"{self.session.slide.name}-genes.csv")
        path, _ = QFileDialog.getSaveFileName(self, "Save the table of genes", suggested, "CSV (*.csv)")
        if path:
            self.attempt(self.session.save_comparison, Path(path))


def _letter(side: str) -> QLabel:
    label = QLabel(f"<b>{side}</b>")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setFixedWidth(16)
    return label


def _in_words(comparison: Comparison) -> str:
    """The groups with their numbers of cells, and what is to be known of the numbers in the table."""
    test, (label_a, label_b) = comparison.test, comparison.labels
    named = [
        f"<b>{side}</b> {label}, {num:,} cells"
        for side, label, num in (("A", label_a, test.num_a), ("B", label_b, test.num_b))
    ]
    notes = []
    if comparison.num_shared:
        notes.append(f"{comparison.num_shared:,} cells in both are left out.")
    drawn = [
        f"{tested:,} of {side}"
        for side, tested, num in (("A", test.tested_a, test.num_a), ("B", test.tested_b, test.num_b))
        if tested < num
    ]
    if drawn:
        notes.append(f"AUC and p from {' and '.join(drawn)}, drawn at random; the rest from all cells.")
    return "<br>".join([" · ".join(named), *notes])
