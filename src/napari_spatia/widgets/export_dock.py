"""The Export dock: the cells in formats that other programs read."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QLineEdit

from napari_spatia.data.picture import Picture
from napari_spatia.session.session import Session
from napari_spatia.widgets.parts import Busy, Dock, button, column, heading, hint, line, named, row

FORMATS = (
    ("geojson", "GeoJSON", "Cell outlines with types, for QuPath and GIS"),
    ("csv", "CSV", "One line a cell, for spreadsheets and R"),
    ("h5ad", "AnnData (h5ad)", "Counts, predictions and embeddings, for scanpy"),
)
NO_SLIDE = "Open a slide first; what is on screen (predictions, annotation) is exported with it."


class ExportDock(Dock):
    """Formats, a folder, and go; and a picture of the view, where ``take_picture`` takes one."""

    def __init__(self, session: Session, take_picture: Callable[[], Picture] | None = None) -> None:
        super().__init__(session)
        self._take_picture = take_picture
        self.hint = hint(NO_SLIDE)
        self.formats: dict[str, QCheckBox] = {}
        self.body.addWidget(heading("Export cells"))
        self.body.addWidget(self.hint)
        for name, label, tooltip in FORMATS:
            box = QCheckBox(label)
            box.setToolTip(tooltip)
            box.setChecked(True)
            self.formats[name] = box
            self.body.addWidget(box)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("Folder…")
        named(self.folder, "Folder to export into")
        self.browse = button("Browse…", "Choose a folder", self._browse)
        self.export = button("Export", "Write the chosen formats into the folder", self._export)
        self.done = QLabel()
        self.done.setWordWrap(True)
        for widget in (row(self.folder, self.browse), self.export, line()):
            self.body.addWidget(widget)
        self.legend = QCheckBox("With the legend")
        self.legend.setToolTip("Names, colours and numbers of cells at the right of the picture")
        self.legend.setChecked(True)
        self.picture = button("Save picture…", "Write what the canvas shows as a PNG", self._save_picture)
        view = column(heading("Picture of the view"), self.legend, self.picture)
        view.setVisible(take_picture is not None)
        for widget in (view, Busy(self, "export", "picture"), self.done):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self._suggested = ""
        self.watch(self._suggest, "slide")
        self.watch(self._show, "slide", "exported", "jobs")

    def _suggest(self) -> None:
        """A folder named after the slide, unless a person chose another one."""
        slide = self.state.slide
        if slide is not None and self.folder.text() in ("", self._suggested):
            self._suggested = str(Path.home() / f"{slide.name}-export")
            self.folder.setText(self._suggested)

    def _show(self) -> None:
        state = self.state
        running = "export" in state.jobs and state.jobs["export"].running
        self.hint.setVisible(state.slide is None)
        self.picture.setEnabled(state.slide is not None)
        self.export.setEnabled(state.slide is not None and not running)
        names = "<br>".join(path.name for path in state.exported)
        self.done.setText(f"Exported to {state.exported[0].parent}:<br>{names}" if state.exported else "")

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export into folder", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _save_picture(self) -> None:
        assert self._take_picture is not None, "without it the button is not there"
        slide = self.session.slide
        suggested = str(Path(self.folder.text()).expanduser().parent / f"{slide.name}.png")
        path, _ = QFileDialog.getSaveFileName(self, "Save picture", suggested, "PNG (*.png)")
        if path:
            self.attempt(self.session.save_picture, self._take_picture(), Path(path), self.legend.isChecked())

    def _export(self) -> None:
        chosen = [name for name, box in self.formats.items() if box.isChecked()]
        folder = self.folder.text().strip()
        if not chosen or not folder:
            self.session.tell_error("Choose at least one format and a folder to export into.")
            return
        self.attempt(self.session.export, Path(folder).expanduser(), chosen)
