"""What all verbs share: the state, the jobs, the open slide, and the voice that tells the person."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.boundaries import Boundaries
from napari_spatia.data.colors import Rgb
from napari_spatia.data.slide import Slide
from napari_spatia.data.transcripts import TranscriptIndex
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.session.annotations import Annotations
from napari_spatia.session.backend import Backend, InferenceBackend
from napari_spatia.session.history import History
from napari_spatia.session.jobs import InlineJobs, Jobs, JobStatus
from napari_spatia.session.opened import OpenedSlide, read_card
from napari_spatia.session.state import Notice, SessionState
from napari_spatia.session.values import Values

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import CellEditor, SelectedCell
    from napari_spatia.inference.predictor import BoundSlide, Predictor
    from napari_spatia.inference.resolve import EditResolver


class SessionBase:
    """State and services of a session; its verbs are in the subclasses, one file a theme."""

    def __init__(self, jobs: Jobs | None = None, backend: Backend | None = None, sidecar: Path | None = None) -> None:
        self.state = SessionState()
        self.jobs = jobs or InlineJobs()
        self.jobs.watcher = self
        self._backend = backend or InferenceBackend()
        self._sidecar = sidecar
        self._opened: OpenedSlide | None = None
        self._choices: dict[str, Any] = {}
        self._predictor: Predictor | None = None
        self._bound: BoundSlide | None = None
        self._editor: CellEditor | None = None
        self._resolver: EditResolver | None = None
        self._preview: SelectedCell | None = None
        self._transcripts: TranscriptIndex | None = None
        self._boundaries: tuple[Boundaries, ...] = ()
        self._palette: dict[str, Rgb] = {}
        self._colour_before: str | None = None
        self._reads_asked = self._reads_done = 0
        self._filter_values: dict[str, Values] = {}
        self._maps: dict[str, NDArray[np.float32]] = {}
        self._edits: dict[str, History[Edit]] = {}
        """Those of the cells that were edited before, by cell id."""
        self._marks: History[Annotations] = History(Annotations())

    @property
    def opened(self) -> OpenedSlide:
        """The open slide with its indices. Raises `SpatiaError` when there is none."""
        if self._opened is None:
            raise SpatiaError("No slide is open. Open a SpatialData .zarr folder first.")
        return self._opened

    @property
    def slide(self) -> Slide:
        return self.opened.slide

    def _need_bound(self) -> "BoundSlide":
        slide = self.slide
        if self._predictor is None:
            raise SpatiaError("No checkpoint is loaded. Load a checkpoint first.")
        if self._bound is None:
            raise SpatiaError(f"The checkpoint is not fitted to slide '{slide.name}' yet. Wait, or mend what it said.")
        return self._bound

    def close(self, wait_s: float = 2.0) -> None:
        """Stop all work, and wait a moment for it to end. The journal is already on disk."""
        self.jobs.close(wait_s)

    def job_changed(self, status: JobStatus) -> None:
        """Called by `jobs`: how a job stands."""
        self.state.jobs = {**self.state.jobs, status.kind: status}
        if status.kind == "open" and status.cancelled:
            self.state.opening = None

    def job_failed(self, kind: str, error: Exception) -> None:
        """Called by `jobs`: a job ended with an error, which is shown once."""
        if kind == "open":
            self.state.opening = None
        text = str(error) if isinstance(error, SpatiaError) else f"{kind} failed: {type(error).__name__}: {error}"
        self.tell_error(text)

    def tell_error(self, text: str) -> None:
        """Show one error to the person."""
        self._say(text, is_error=True)

    def _say(self, text: str, is_error: bool = False) -> None:
        serial = self.state.notice.serial + 1 if self.state.notice else 1
        self.state.notice = Notice(text, is_error, serial)

    def _refresh_card(self) -> None:
        if self.state.selected is not None:
            state = self.state
            state.card = read_card(self.opened, self.state.selected, state.prediction, state.annotations)
