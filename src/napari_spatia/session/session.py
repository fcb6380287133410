"""The verbs of the application: whatever a panel does, a script does by the same call.

>>> session = Session()
>>> session.open("slide.zarr")
>>> session.load_checkpoint("sim-small")
>>> session.predict()
>>> session.select_cell(session.slide.cell_id[0])
>>> session.set_log2_fc("EPCAM", 2.0)
>>> session.render()
>>> session.examine()
>>> session.screen()
>>> session.export("out", ["geojson", "csv"])
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spatia.data.export import export_slide
from napari_spatia.data.picture import channel_colours
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.tasks import INPUTS, TASKS
from napari_spatia.progress import Progress, part
from napari_spatia.session.annotating import AnnotationVerbs
from napari_spatia.session.blending import BlendVerbs
from napari_spatia.session.bounding import BoundaryVerbs
from napari_spatia.session.cell_filter import CellFilter
from napari_spatia.session.colour import Lookup
from napari_spatia.session.comparing import CompareVerbs
from napari_spatia.session.elements import ElementVerbs, choices_with
from napari_spatia.session.favourites import FavouriteVerbs
from napari_spatia.session.history import History
from napari_spatia.session.keeping import KeepVerbs
from napari_spatia.session.neighbours import NeighbourVerbs
from napari_spatia.session.opened import (
    OpenedSlide,
    SlidePicture,
    derive,
    read_opened,
    read_picture,
    with_annotations,
)
from napari_spatia.session.picturing import PictureVerbs
from napari_spatia.session.plotting import PlotVerbs
from napari_spatia.session.presets import PresetVerbs
from napari_spatia.session.screening import ScreenVerbs
from napari_spatia.session.transcripts import TranscriptVerbs
from napari_spatia.session.walking import WalkVerbs

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import CellEditor
    from napari_spatia.inference.prediction import Prediction
    from napari_spatia.inference.predictor import BoundSlide, Predictor

    Fitted = tuple[BoundSlide, CellEditor]

OF_A_SLIDE = (
    "bind", "edits", "predict", "colour", "filter", "crop", "select", "render", "examine", "export", "pyramid"
)  # fmt: skip
"""Jobs that make no sense any more once another slide is there."""


class Session(
    TranscriptVerbs,
    AnnotationVerbs,
    BlendVerbs,
    CompareVerbs,
    FavouriteVerbs,
    BoundaryVerbs,
    NeighbourVerbs,
    PresetVerbs,
    WalkVerbs,
    PlotVerbs,
    KeepVerbs,
    PictureVerbs,
    ScreenVerbs,
    ElementVerbs,
):
    """One slide, one checkpoint, one cell under edit. ``state`` tells what is; the methods change it.

    ``jobs`` decides where long work runs (`InlineJobs`: at once; `ThreadJobs`: in the background, errors become
    ``state.notice``). ``sidecar`` is the folder of the annotation journal, by default beside the slide.
    """

    def open(self, path: str | Path, **choices: Any) -> None:
        """Open a slide; ``choices`` are the keywords of `open_slide` (image, labels, table, …).

        Where no other is open, its stains are in ``state.opening`` at once, its cells as soon as they have been read.
        """
        where = Path(path)

        def accept(picture: SlidePicture) -> None:
            self.state.opening = picture
            self._open(where, choices, picture)

        if self.state.slide is None:
            self.jobs.submit("open", lambda progress: read_picture(where, choices, self._sidecar), accept)
        else:
            self._open(where, choices)

    def _open(self, path: Path, choices: dict[str, Any], picture: SlidePicture | None = None) -> None:
        self.jobs.submit(
            "open",
            lambda progress: read_opened(path, choices, self._backend, self._sidecar, progress, picture),
            lambda opened: self._take_slide(opened, choices),
        )

    def use_element(self, path: str) -> None:
        """Open the slide again with another image, other cells or another table of its store, such as ``images/he``.

        Raises `SlideError` for an element that no slide is made of; when it does not fit the others, a message says why
        and the slide stays as it is.
        """
        entry, slide = self.find_element(path), self.slide
        if not entry.use:
            self.open(slide.path, **choices_with(entry, slide, self._choices))

    def open_simulated(self, path: Path, num_cells: int, seed: int) -> None:
        """Open a simulated tissue at ``path``; it is drawn first where it is not there yet."""

        def work(progress: Progress) -> OpenedSlide:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                simulate_slide(path, num_cells=num_cells, seed=seed, progress=part(progress, 0.0, 0.9))
            return read_opened(path, {}, self._backend, self._sidecar, progress)

        self.jobs.submit("open", work, self._take_slide)

    def show(self, slide: Slide) -> None:
        """Take a slide that is already open."""
        self.jobs.submit(
            "open", lambda progress: derive(slide, self._backend, self._sidecar, progress), self._take_slide
        )

    def _take_slide(self, opened: OpenedSlide, choices: Mapping[str, Any] | None = None) -> None:
        for kind in OF_A_SLIDE:
            self.jobs.cancel(kind)
        self.select_cell(None)
        self._forget_screens()
        self.forget_applied()
        self.point_away()
        self._forget_transcripts()
        self._forget_comparison()
        self._forget_polygons()
        self._forget_elements()
        self._opened, self._palette, self._choices = opened, {}, dict(choices or {})
        self._unbind()
        self._edits.clear()
        self._forget_maps()
        state = self.state
        state.lookup, state.colour, state.hidden, state.shown_range = None, None, frozenset(), None
        state.cell_filter, state.filtered, self._filter_values = CellFilter(), None, {}
        state.exported, state.saved, state.edit, state.view_genes = (), None, History(Edit()), ()
        state.prediction, state.prediction_saved = opened.prediction, True
        state.limits, state.stain_colours, state.stain = opened.limits, channel_colours(opened.slide.channels), None
        self._marks = History(opened.annotations)
        state.armed_class, state.annotations, state.unsaved_annotations = None, opened.annotations, 0
        state.refused = ""
        state.chosen, state.tool, state.plot, state.walk = None, "", None, ""
        state.slide = opened.slide
        state.pixels, state.opening = opened.pixels, None
        self.recall_favourites()
        self.colour_by(self._values().default_key)
        self._once_coloured(opened)
        self.list_elements()
        self.make_pyramid()
        self._bind()

    def _once_coloured(self, opened: OpenedSlide) -> None:
        """Start what nobody waits for when the cells are in colour, a turn later: it would hold that up."""

        def accept(done: None) -> None:
            if self._opened is opened:
                self._show_first_plot()
                self._prepare(opened)

        def start(lookup: Lookup | None) -> None:
            if lookup is not None or self.state.colour is None:
                self.state.events.lookup.disconnect(start)
                self.jobs.submit("once coloured", lambda progress: None, accept)

        self.state.events.lookup.connect(start)
        start(self.state.lookup)

    def _prepare(self, opened: OpenedSlide) -> None:
        def accept(kept: bool) -> None:
            if not kept:
                folder = opened.journal.path.parent
                self._say(f"There is no room in {folder} to keep genes for the next opening; it will take longer.")

        self.jobs.submit("prepare", opened.prepare, accept)

    # -- the model ------------------------------------------------------------------------------------------------

    def load_checkpoint(self, name: str, device: str = "auto", channel_map: Mapping[str, str] | None = None) -> None:
        """Load a shipped checkpoint by name, or one from a folder, and fit it to the open slide.

        Where it does not fit, the one before stays, and ``state.refused`` says why.
        """
        opened = self._opened

        def work(progress: Progress) -> "tuple[Predictor, Fitted | None]":
            predictor = self._backend.load(name, device)
            return predictor, None if opened is None else self._fit(predictor, opened, channel_map, progress)

        def accept(loaded: "tuple[Predictor, Fitted | None]") -> None:
            predictor, fitted = loaded
            self._take_predictor(predictor)
            if fitted is not None and self._opened is opened:
                self._take_fitted(fitted)
            else:
                self._bind(channel_map)

        self.state.refused = ""
        self.jobs.submit("checkpoint", work, accept)

    def read_like(self, other: "Session") -> None:
        """Take the checkpoint that another session has loaded: its weights are in memory once."""
        if other._predictor is not None:
            self._take_predictor(other._predictor)
            self._bind()

    def job_failed(self, kind: str, error: Exception) -> None:
        """A checkpoint that cannot be read, or does not fit the slide, is not the one in use."""
        if kind == "bind":
            self._predictor = self.state.checkpoint = None
        if kind in ("bind", "checkpoint"):
            self.state.refused = str(error)
        super().job_failed(kind, error)

    def _take_predictor(self, predictor: "Predictor") -> None:
        self.jobs.cancel("bind")  # of the one before: should that fail, this one is not to go
        self._predictor = predictor
        self._unbind()
        self._edits.clear()
        self._forget_screens()
        self.forget_applied()
        self.state.cell = self.state.resolved = self.state.counterfactual = self.state.evidence = None
        self.state.device, self.state.checkpoint, self.state.refused = predictor.device, predictor.info, ""

    def _unbind(self) -> None:
        self._bound = self._editor = self._resolver = self._preview = None
        self._forget_ranges()
        self.state.bound, self.state.notes, self.state.types, self.state.domains = False, (), (), ()

    def _bind(self, channel_map: Mapping[str, str] | None = None) -> None:
        predictor, opened = self._predictor, self._opened
        if predictor is None or opened is None:
            return

        def accept(fitted: "Fitted") -> None:
            if self._predictor is predictor and self._opened is opened:
                self._take_fitted(fitted)

        self.jobs.submit("bind", lambda progress: self._fit(predictor, opened, channel_map, progress), accept)

    def _fit(
        self, predictor: "Predictor", opened: OpenedSlide, channel_map: Mapping[str, str] | None, progress: Progress
    ) -> "Fitted":
        progress(0.0, "fitting the checkpoint to the slide")
        bound = self._backend.bind(predictor, opened.slide, channel_map)
        return bound, self._backend.edit(bound)

    def _take_fitted(self, fitted: "Fitted") -> None:
        self._bound, self._editor = fitted
        self.state.notes = tuple(fitted[0].notes)
        self.state.bound = True
        self.read_programmes()
        self._prepare_edits()
        if self.state.selected is not None:
            self._invert(self.state.selected)

    def predict(
        self,
        tasks: Sequence[str] = TASKS,
        genes: Sequence[str] | None = None,
        seed: int = 0,
        inputs: Sequence[str] = INPUTS,
        reference: Path | None = None,
    ) -> None:
        """Embed, annotate, cluster and impute all cells; the prediction stays in memory until it is saved.

        ``inputs`` are read of each cell. ``reference`` is an h5ad file of cells with more genes, from which those are
        imputed that neither the slide nor the model has.
        """
        bound, opened = self._need_bound(), self.opened

        def accept(prediction: "Prediction") -> None:
            if self._bound is bound and self._opened is opened:
                self._take_prediction(prediction)

        def work(progress: Progress) -> "Prediction":
            return self._backend.predict(bound, tasks, genes, seed, progress, inputs, reference)

        self.jobs.submit("predict", work, accept)

    def _take_prediction(self, prediction: "Prediction") -> None:
        self._forget_maps()
        self.state.prediction, self.state.prediction_saved = prediction, False
        self._prepare_edits()
        self._show_first_plot()
        if self.state.selected is not None:
            self._refresh_card()
        self._refilter()
        self.colour_by(self._values().default_key)

    def save_prediction(self, out: Path | None = None) -> None:
        """Write the prediction into the slide's table, or into a copy at ``out``."""
        prediction, slide = self.state.prediction, self.slide
        if prediction is None:
            raise SpatiaError("There is no prediction to save. Predict first.")

        def accept(path: Path) -> None:
            self.state.prediction_saved = True
            self._say(f"Prediction written into {path}.")

        self.jobs.submit("save", lambda progress: self._backend.write_prediction(slide, prediction, out), accept)

    def export(self, out_dir: str | Path, formats: Sequence[str]) -> None:
        """Write the cells with predictions and annotations in other programs' formats."""
        slide = with_annotations(self.slide, self.state.annotations)
        prediction, colors = self.state.prediction, self.class_colours()

        def work(progress: Progress) -> tuple[Path, ...]:
            return tuple(export_slide(slide, out_dir, list(formats), prediction, progress, colors=colors))

        def accept(paths: tuple[Path, ...]) -> None:
            self.state.exported = paths
            self._say(f"Exported {', '.join(path.name for path in paths)} to {out_dir}.")

        self.jobs.submit("export", work, accept)
