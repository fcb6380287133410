"""Verbs that save an edit as a small file, and take one from a file."""

import json
from dataclasses import replace
from pathlib import Path

import platformdirs

from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.inference.edit_file import read_edit, write_edit
from napari_spatia.inference.edits import Edit
from napari_spatia.session.editing import EditVerbs

MOST_RECENT = 8


class PresetVerbs(EditVerbs):
    """Presets: the edit of the selected cell as a file, which `napari-spatia perturb --edit` reads too."""

    def save_edit(self, path: str | Path) -> None:
        """Write the edit as it is now into a JSON file. Raises `SpatiaError` when there is none, or no place for it."""
        edit, path, checkpoint = self.state.edit.present, Path(path), self.state.checkpoint
        if edit.active() == Edit():
            raise SpatiaError("There is no edit to save: all sliders are at 0 and the niche is as it is.")
        about = {} if checkpoint is None else {"checkpoint": checkpoint.name, "checkpoint_sha256": checkpoint.sha256}
        try:
            write_edit(edit.active(), path, about)
            _remember(path)
        except OSError as error:
            raise SpatiaError(f"Cannot write the edit to '{path}': {error}. Choose another place.") from error
        self._say(f"Edit saved: {path.name} in {path.parent}.")

    def load_edit(self, path: str | Path) -> None:
        """Take the edit of a file in place of the one that is there; undo brings that back.

        What the model does not read, or the slide does not have, is said and left out. Raises `SpatiaError` when
        nothing is left.
        """
        path = Path(path)
        saved, found = read_edit(path), Edit()
        refused: list[str] = []
        for key, strength in saved.terms:
            try:
                self.check_term(key, strength)
                found = found.with_term(key, strength)
            except SpatiaError as error:
                refused.append(str(error))
        try:
            if saved.niche is not None:
                self.check_niche(saved.niche)
            found = replace(found, niche=saved.niche, coexpressed=saved.coexpressed)
        except SpatiaError as error:
            refused.append(str(error))
            found = replace(found, coexpressed=saved.coexpressed)
        num_parts = len(saved.terms) + (saved.niche is not None)
        if refused and len(refused) == num_parts:
            raise SpatiaError(f"Nothing of the edit in '{path.name}' can be used here. {' '.join(refused)}")
        self._set_edit(found)
        _remember(path)
        if refused:
            left = f"{num_parts - len(refused)} of {num_parts} parts of the edit in '{path.name}' are used."
            self.tell_error(f"{left} Left out: {' '.join(refused)}")

    def recent_edits(self) -> tuple[Path, ...]:
        """The files of edits that were saved or loaded last and are still there, the newest first."""
        return tuple(path for path in _recent() if path.exists())


def _list_file() -> Path:
    return platformdirs.user_state_path("napari-spatia") / "recent-edits.json"


def _recent() -> list[Path]:
    """What was noted; a list that cannot be read is begun anew."""
    try:
        noted = json.loads(_list_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [Path(path) for path in noted if isinstance(path, str)] if isinstance(noted, list) else []


def _remember(path: Path) -> None:
    path = path.resolve()
    kept = [path, *(other for other in _recent() if other != path)][:MOST_RECENT]
    with staged_file(_list_file()) as staged:
        staged.write_text(json.dumps([str(each) for each in kept]), encoding="utf-8")
