"""Verbs that read an edit and try many: the table of an edit as a file, dose strips, grids, screens, two cells."""

import csv
from pathlib import Path

from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase


class ScreenVerbs(SessionBase):
    """What is drawn beside the one edit of the Cell dock."""

    def save_measures(self, path: Path) -> None:
        """Write the table of what the edit changed, with the cell and the edit in each row, as CSV."""
        evidence, edited = self.state.evidence, self.state.counterfactual
        if evidence is None or edited is None:
            raise SpatiaError("The edit has not been measured yet. Let it rest, or call session.examine() first.")
        told = {"cell_id": edited.cell.cell_id, "log2_fc": " ".join(f"{g}={v:+g}" for g, v in edited.log2_fc.items())}
        rows = [{**told, **row} for row in evidence.table()]

        def work(progress: Progress) -> Path:
            with staged_file(path) as staged, staged.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            return path

        self.jobs.submit("save measures", work, lambda path: self._say(f"Table written to {path}."))
