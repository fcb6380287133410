"""Verbs of annotation. Every change is in the journal, on disk, before its verb returns."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

from napari_spatia.data.colors import Rgb, palette_color
from napari_spatia.errors import SpatiaError
from napari_spatia.session.annotations import Annotations
from napari_spatia.session.cell_filter import CategoryTerm
from napari_spatia.session.filtering import FilterVerbs
from napari_spatia.session.history import History
from napari_spatia.session.opened import store_annotations
from napari_spatia.session.values import ANNOTATION


class AnnotationVerbs(FilterVerbs):
    """Classes, and which cell is in which."""

    def add_class(self, name: str, colour: Rgb | None = None) -> None:
        """A class to annotate cells with; a known name gets the new colour.

        Without a colour it takes that of the category of its name, or one that no category on screen has.
        """
        shown = self.class_colours()
        free = (spare for spare in map(palette_color, count()) if spare not in shown.values())
        colour = colour or shown.get(name.strip()) or next(free)
        before, name = self.state.annotations, name.strip()
        annotations = before.with_class(name, colour)
        self.opened.journal.add_class(annotations.find(name))
        place = annotations.names.index(name)  # a class has one place in all steps, but not one name

        def in_step(step: Annotations) -> Annotations:
            return step.with_class(name if name not in before.names else step.names[place], colour)

        marks = self._marks
        if name not in before.names and any(name in step.names for step in (*marks.past, *marks.future)):
            marks = History(before)  # steps in which a renamed class has this name cannot be gone back to
        past, future = (tuple(map(in_step, steps)) for steps in (marks.past, marks.future))
        self._marks = replace(marks, present=annotations, past=past, future=future)
        self._show_annotations()

    def rename_class(self, name: str, new: str) -> None:
        """Give a class of the annotation another name: one step of undo, on disk before this returns."""
        before, new = self.state.annotations, new.strip()
        before.find(name)
        if not new:
            raise SpatiaError("An annotation class needs a name.")
        if new == name:
            return
        if new in before.names:
            raise SpatiaError(f"There is a class '{new}' already. Choose another name for '{name}'.")
        self.opened.journal.add_rename(name, new)
        self._marks = self._marks.set(before.with_renamed(name, new))
        self._show_annotations()

    def rename_category(self, name: str, new: str) -> None:
        """Rename a category on screen; only classes of a person's annotation have names to change."""
        if self.state.colour != ANNOTATION:
            raise SpatiaError(
                "Only classes of your annotation can be renamed. Colour the cells by your annotation first."
            )
        self.rename_class(name, new)

    def recolour_category(self, name: str, colour: Rgb) -> None:
        """Give a category on screen another colour; that of a class of the annotation is kept with it."""
        if self.state.colour == ANNOTATION:
            self.add_class(self.state.annotations.find(name).name, colour)
        else:
            super().recolour_category(name, colour)

    def arm_class(self, name: str | None) -> None:
        """Let clicks on cells assign a class; None lets them select only.

        Cells are coloured by their annotation as long as a class is armed, then again as before.
        """
        if name is not None:
            self.state.annotations.find(name)
            if self.state.armed_class is None:
                self._colour_before = self.state.colour
            self.colour_by(ANNOTATION)
        elif self.state.armed_class is not None and self.state.colour == ANNOTATION:
            self.colour_by(self._colour_before)
        self.state.armed_class = name

    def annotate(self, cell_id: str, name: str | None) -> None:
        """Put a cell into a class, or (None) into no class. On disk before this returns."""
        self.slide.cell_idx(cell_id)
        before = self.state.annotations
        after = before.with_cell(cell_id, name)
        if after.assigned.get(cell_id) == before.assigned.get(cell_id):
            return
        self.opened.journal.add_cell(cell_id, name)
        self._marks = self._marks.set(after)
        self._show_annotations()

    def annotate_chosen(self, name: str | None) -> None:
        """Put the chosen cells into a class, or (None) into no class, in one step. On disk before this returns."""
        if self.state.chosen is None:
            raise SpatiaError("No cells are chosen to annotate. Choose some with the lasso or the box first.")
        before = self.state.annotations
        cells = self.slide.cell_id[self.state.chosen].tolist()
        changes = {cell_id: name for cell_id in cells if before.assigned.get(cell_id) != name}
        after = before.with_cells(changes)
        if changes:
            self.opened.journal.add_cells(changes)
            self._marks = self._marks.set(after)
            self._show_annotations()

    def undo_annotation(self) -> None:
        self._move_marks(self._marks.undo())

    def redo_annotation(self) -> None:
        self._move_marks(self._marks.redo())

    def _move_marks(self, marks: History[Annotations]) -> None:
        present = self._marks.present
        for name, new in _renamed(present, marks.present).items():
            self.opened.journal.add_rename(name, new)
            present = present.with_renamed(name, new)
        before, after = present.assigned, marks.present.assigned
        changes: dict[str, str | None] = {
            cell_id: name for cell_id, name in after.items() if before.get(cell_id) != name
        }
        changes.update(dict.fromkeys(cell_id for cell_id in before if cell_id not in after))
        if changes:
            self.opened.journal.add_cells(changes)
        self._marks = marks
        self._show_annotations()

    @property
    def can_undo_annotation(self) -> bool:
        return self._marks.can_undo

    @property
    def can_redo_annotation(self) -> bool:
        return self._marks.can_redo

    def _show_annotations(self) -> None:
        if self._marks.present.assigned != self.state.annotations.assigned:
            self.state.unsaved_annotations += 1
        renamed = _renamed(self.state.annotations, self._marks.present)
        self.state.annotations = self._marks.present
        if renamed:
            self._follow(renamed)
        if self.state.selected is not None:
            self._refresh_card()
        self._refilter(ANNOTATION)
        if self.state.colour == ANNOTATION:
            self._paint(self._values())

    def _follow(self, renamed: Mapping[str, str]) -> None:
        """Whatever names classes takes their new names."""
        state = self.state
        state.armed_class = renamed.get(state.armed_class or "", state.armed_class)
        if state.colour == ANNOTATION:
            state.hidden = frozenset(renamed.get(name, name) for name in state.hidden)
        for term in state.cell_filter.terms:
            if isinstance(term, CategoryTerm) and term.key == ANNOTATION and term.names is not None:
                names = frozenset(renamed.get(name, name) for name in term.names)
                state.cell_filter = state.cell_filter.with_term(CategoryTerm(ANNOTATION, names))

    def save_annotations(self) -> None:
        """Write the annotation as a column of the slide's table; the journal then starts anew."""
        opened, annotations = self.opened, self.state.annotations

        def accept(path: Path) -> None:
            if self.state.annotations is annotations:
                opened.journal.restart(annotations)
                self.state.unsaved_annotations = 0
            self._say(f"Annotation of {len(annotations.assigned)} cells written into {path}.")

        self.jobs.submit("annotations", lambda progress: store_annotations(opened, annotations), accept)


def _renamed(before: Annotations, after: Annotations) -> dict[str, str]:
    """Old name → new name of the classes that were renamed in between; each has kept its place."""
    pairs = zip(before.names, after.names, strict=False)  # a class may have been added at the end
    return {name: new for name, new in pairs if name != new}
