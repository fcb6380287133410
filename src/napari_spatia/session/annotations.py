"""A person's annotation of cells: classes, who is in which, and a journal that survives a killed process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_spatia.data.colors import Rgb
from napari_spatia.errors import SpatiaError
from napari_spatia.files import append_lines, staged_file, whole_lines

KEYS = "123456789"


@dataclass(frozen=True, slots=True)
class AnnotationClass:
    """A class with its colour and the number key that picks it (empty past nine classes)."""

    name: str
    colour: Rgb
    key: str = ""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Classes in order, and the class of each annotated cell, by cell id."""

    classes: tuple[AnnotationClass, ...] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.classes)

    def find(self, name: str) -> AnnotationClass:
        """One class by name. Raises `SpatiaError` when there is none."""
        for entry in self.classes:
            if entry.name == name:
                return entry
        known = ", ".join(self.names) or "none yet"
        raise SpatiaError(f"There is no annotation class '{name}'. Classes: {known}. Add the class first.")

    def with_class(self, name: str, colour: Rgb) -> "Annotations":
        """A class more, with the next free number key; a known class gets the new colour."""
        name = name.strip()
        if not name:
            raise SpatiaError("An annotation class needs a name.")
        if name in self.names:
            recoloured = (replace(entry, colour=colour) if entry.name == name else entry for entry in self.classes)
            return replace(self, classes=tuple(recoloured))
        taken = {entry.key for entry in self.classes}
        key = next((key for key in KEYS if key not in taken), "")
        return replace(self, classes=(*self.classes, AnnotationClass(name, colour, key)))

    def with_renamed(self, name: str, new: str) -> "Annotations":
        """The class ``name`` under another name; where that is there already, its cells join that class."""
        kept = (entry for entry in self.classes if entry.name != name or new not in self.names)
        classes = tuple(replace(entry, name=new) if entry.name == name else entry for entry in kept)
        return Annotations(classes, {cell: new if of == name else of for cell, of in self.assigned.items()})

    def with_cell(self, cell_id: str, name: str | None) -> "Annotations":
        """The cell in class ``name``, or in none."""
        return self.with_cells({cell_id: name})

    def with_cells(self, changes: Mapping[str, str | None]) -> "Annotations":
        """Each cell id of ``changes`` in its class, or in none."""
        for name in set(changes.values()) - {None}:
            self.find(str(name))
        merged = {**self.assigned, **changes}
        return replace(self, assigned={cell_id: name for cell_id, name in merged.items() if name is not None})

    def counts(self) -> dict[str, int]:
        """Number of cells of each class, in order."""
        total = dict.fromkeys(self.names, 0)
        for name in self.assigned.values():
            total[name] += 1
        return total


class Journal:
    """Append-only record of annotation, one JSON object a line, on disk before the click returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add_class(self, entry: AnnotationClass) -> None:
        self._append(_class_event(entry))

    def add_rename(self, name: str, new: str) -> None:
        self._append({"do": "rename", "class": name, "to": new})

    def add_cell(self, cell_id: str, name: str | None) -> None:
        self._append({"do": "assign", "cell": cell_id, "class": name})

    def add_cells(self, changes: Mapping[str, str | None]) -> None:
        """Many cells in one line: after a kill all of them are there, or none."""
        members: dict[str | None, list[str]] = {}
        for cell_id, name in changes.items():
            members.setdefault(name, []).append(cell_id)
        self._append({"do": "assign_many", "members": list(members.items())})

    def replay(self, start: Annotations) -> Annotations:
        """``start`` and everything in the journal. A last line that a kill cut short was never confirmed: dropped."""
        annotations = start
        changes: dict[str, str | None] = {}
        for line in whole_lines(self.path):
            event = json.loads(line)
            if event["do"] == "class":
                red, green, blue = event["colour"]
                annotations = annotations.with_class(event["name"], (red, green, blue))
            elif event["do"] == "rename":
                annotations, changes = annotations.with_cells(changes).with_renamed(event["class"], event["to"]), {}
            elif event["do"] == "assign_many":
                changes.update((cell_id, name) for name, cells in event["members"] for cell_id in cells)
            else:
                changes[event["cell"]] = event["class"]
        return annotations.with_cells(changes)

    def restart(self, annotations: Annotations) -> None:
        """Forget assignments that the store now holds; the classes stay."""
        with staged_file(self.path) as staged:
            staged.write_text("".join(json.dumps(_class_event(entry)) + "\n" for entry in annotations.classes))

    def _append(self, event: dict[str, Any]) -> None:
        append_lines(self.path, [json.dumps(event)])


def _class_event(entry: AnnotationClass) -> dict[str, Any]:
    return {"do": "class", "name": entry.name, "colour": list(entry.colour)}
