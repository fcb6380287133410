"""Verbs of the store's elements: which are shown beside the slide's own, and which the slide is made of."""

from collections.abc import Mapping
from typing import Any

from napari_spatia.data.element_list import AS_CELLS, AS_IMAGE, StoredElement, list_elements
from napari_spatia.data.element_picture import ElementPicture, read_element
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SlideError
from napari_spatia.progress import Progress
from napari_spatia.session.pyramids import PyramidVerbs

SHOWING = "show "
"""Jobs that read an element are called this and its path, so that several are read, and stopped, side by side."""
KEYWORD_OF = {AS_IMAGE: "image", AS_CELLS: "labels"}
"""The keyword of `open_slide` for what an element is used as; of a table it is the use itself."""


class ElementVerbs(PyramidVerbs):
    """An element is named by its path in the store, such as ``shapes/nuclei``."""

    def list_elements(self) -> None:
        """List the elements of the slide's store anew, in the background."""
        opened = self.opened

        def accept(elements: tuple[StoredElement, ...]) -> None:
            if self._opened is opened:
                self.state.elements = elements
                own = {entry.path for entry in elements if entry.use == AS_IMAGE}
                self.state.shown_elements = self.state.shown_elements | own

        self.jobs.submit("elements", lambda progress: list_elements(opened.slide), accept)

    def find_element(self, path: str) -> StoredElement:
        """One element. Raises `SlideError` when the store has none of that path."""
        for entry in self.state.elements:
            if entry.path == path:
                return entry
        listed = ", ".join(entry.path for entry in self.state.elements) or "none"
        raise SlideError(f"Slide '{self.slide.name}' has no element '{path}'. It has: {listed}.")

    def show_element(self, path: str) -> None:
        """Show an element beside the slide's own; one that was not shown yet is read in the background.

        Raises `SlideError` for a table, and for an element that lies in no coordinate system of the slide.
        """
        entry, opened = self.find_element(path), self.opened
        if entry.kind == "tables":
            raise SlideError(f"{path} has no picture: colour the cells by its columns, or use it as the slide's table.")
        if entry.problem:
            raise SlideError(f"Cannot show {entry.problem}")
        if entry.use or path in self.state.element_pictures:
            self.state.shown_elements = self.state.shown_elements | {path}
            return

        def accept(picture: ElementPicture) -> None:
            if self._opened is not opened:
                return
            self.state.element_pictures = {**self.state.element_pictures, path: picture}
            self.state.shown_elements = self.state.shown_elements | {path}
            if picture.note:
                self._say(picture.note)

        pyramids = self._pyramid_folder(opened.slide)

        def work(progress: Progress) -> ElementPicture:
            return read_element(opened.slide, entry.kind, entry.name, progress, pyramids)

        self.jobs.submit(SHOWING + path, work, accept)

    def hide_element(self, path: str) -> None:
        """Take an element out of sight, or stop reading it; what was read stays at hand."""
        self.jobs.cancel(SHOWING + path)
        self.state.shown_elements = self.state.shown_elements - {path}

    def forget_element(self, path: str) -> None:
        """Take an element out of sight and out of memory."""
        self.hide_element(path)
        kept = {name: picture for name, picture in self.state.element_pictures.items() if name != path}
        self.state.element_pictures = kept

    def _forget_elements(self) -> None:
        for kind in list(self.state.jobs):
            if kind.startswith(SHOWING):
                self.jobs.cancel(kind)
        self.state.elements, self.state.shown_elements, self.state.element_pictures = (), frozenset(), {}


def choices_with(entry: StoredElement, slide: Slide, choices: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of `open_slide` that open a slide again with one element more of its store.

    ``choices`` are those that it was opened with; what they leave open stays as the slide has it. Another table says
    itself which cells it annotates. Raises `SlideError` for an element that no slide is made of.
    """
    if not entry.could_be:
        raise SlideError(f"{entry.path} can be shown, but no slide is made of {entry.kind}.")
    kept = {
        "image": slide.image_name,
        "labels": slide.labels_name,
        "table": slide.table_name,
        "coordinate_system": slide.coordinate_system,
    }
    changed = {**choices, **kept, KEYWORD_OF.get(entry.could_be, entry.could_be): entry.name}
    if entry.kind == "tables":
        del changed["labels"]
    return changed
