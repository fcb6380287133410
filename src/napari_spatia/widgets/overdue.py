"""No picture is taken for that of an edit that is not drawn yet."""

from collections.abc import Sequence

from qtpy.QtCore import QObject, QTimer

from napari_spatia.widgets.parts import Dock
from napari_spatia.widgets.pictures import PictureView

OVERDUE_MS = 250
"""A picture that comes sooner replaces the one before it without a word: they follow a slider many times a second."""


class Overdue(QObject):
    """Veils ``views`` while they show another edit than the sliders and the next picture lets itself be waited for."""

    def __init__(self, dock: Dock, views: Sequence[PictureView]) -> None:
        super().__init__(dock)
        self._state, self._views = dock.state, views
        self._is_late = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(OVERDUE_MS)
        self._timer.timeout.connect(self._come_due)
        dock.watch(self._hear_edit, "edit")
        dock.watch(self._hear_picture, "counterfactual")
        dock.watch(self._show, "jobs")

    def _is_of_another_edit(self) -> bool:
        shown = self._state.resolved
        return shown is not None and shown.edit != self._state.edit.present.active()

    def _hear_edit(self) -> None:
        if not self._is_of_another_edit():
            self._hear_picture()
        elif not self._timer.isActive() and not self._is_late:
            self._timer.start()

    def _hear_picture(self) -> None:
        self._timer.stop()
        if self._is_of_another_edit():
            self._timer.start()
        self._is_late = False
        self._show()

    def _come_due(self) -> None:
        self._is_late = True
        self._show()

    def _show(self) -> None:
        job = self._state.jobs.get("render")
        done = "" if job is None or not job.fraction else f"\n{job.fraction:.0%}"
        for view in self._views:
            view.veil(f"Drawing…{done}" if self._is_late else "")
