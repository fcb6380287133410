"""What the session asks of the model. The import of torch waits until the first of these calls."""

import gc
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.slide import Slide
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.programmes import Programme
from napari_spatia.progress import Progress

if TYPE_CHECKING:
    from napari_spatia.inference.edit_many import EditedCells
    from napari_spatia.inference.perturb import CellEditor, SelectedCell
    from napari_spatia.inference.prediction import Prediction
    from napari_spatia.inference.predictor import BoundSlide, Predictor
    from napari_spatia.inference.programmes import Programme
    from napari_spatia.inference.resolve import EditResolver
    from napari_spatia.inference.screener import Screener
    from napari_spatia.inference.sensitivity import Sensitivity


class Backend(Protocol):
    """The model as the session sees it; a test puts its own in place."""

    def load(self, checkpoint: str, device: str) -> "Predictor": ...

    def bind(self, predictor: "Predictor", slide: Slide, channel_map: Mapping[str, str] | None) -> "BoundSlide": ...

    def edit(self, bound: "BoundSlide") -> "CellEditor": ...

    def resolver(self, bound: "BoundSlide", prediction: "Prediction | None") -> "EditResolver": ...

    def edit_cells(
        self,
        bound: "BoundSlide",
        resolver: "EditResolver",
        cell_idx: NDArray[np.int64],
        edit: Edit,
        programmes: Mapping[str, Programme],
        nfe: int | None,
        progress: Progress,
    ) -> "EditedCells": ...

    def rank_genes(
        self, editor: "CellEditor", resolver: "EditResolver", cell: "SelectedCell", progress: Progress
    ) -> "Sensitivity": ...
    def screener(
        self, editor: "CellEditor", resolver: "EditResolver", programmes: "Mapping[str, Programme]"
    ) -> "Screener": ...

    def predict(
        self,
        bound: "BoundSlide",
        tasks: Sequence[str],
        genes: Sequence[str] | None,
        seed: int,
        progress: Progress,
        inputs: Sequence[str],
        reference: Path | None,
    ) -> "Prediction": ...

    def read_prediction(self, slide: Slide) -> "Prediction | None": ...

    def write_prediction(self, slide: Slide, prediction: "Prediction", out: Path | None) -> Path: ...


@cache
def _predictor() -> "type[Predictor]":
    """Torch and what is made of it, imported at first use; no search for garbage looks through them afterwards."""
    from napari_spatia.inference.predictor import Predictor

    gc.freeze()
    return Predictor


class InferenceBackend:
    """The shipped model, by `napari_spatia.inference`."""

    def load(self, checkpoint: str, device: str) -> "Predictor":
        return _predictor().load(checkpoint, device, precision="auto")

    def bind(self, predictor: "Predictor", slide: Slide, channel_map: Mapping[str, str] | None) -> "BoundSlide":
        return predictor.bind(slide, channel_map=dict(channel_map) if channel_map else None).measured()

    def edit(self, bound: "BoundSlide") -> "CellEditor":
        from napari_spatia.inference.perturb import CellEditor

        _ = bound.predictor.preview  # made before somebody waits for it
        return CellEditor(bound)

    def resolver(self, bound: "BoundSlide", prediction: "Prediction | None") -> "EditResolver":
        from napari_spatia.inference.resolve import EditResolver

        return EditResolver(bound, prediction)

    def edit_cells(
        self,
        bound: "BoundSlide",
        resolver: "EditResolver",
        cell_idx: NDArray[np.int64],
        edit: Edit,
        programmes: Mapping[str, Programme],
        nfe: int | None,
        progress: Progress,
    ) -> "EditedCells":
        from napari_spatia.inference.edit_many import edit_cells
        from napari_spatia.inference.predictor import DEFAULT_NFE

        return edit_cells(bound, resolver, cell_idx, edit, programmes, nfe or DEFAULT_NFE, progress)

    def rank_genes(
        self, editor: "CellEditor", resolver: "EditResolver", cell: "SelectedCell", progress: Progress
    ) -> "Sensitivity":
        from napari_spatia.inference.sensitivity import rank_genes

        return rank_genes(editor, resolver, cell, progress)

    def screener(
        self, editor: "CellEditor", resolver: "EditResolver", programmes: "Mapping[str, Programme]"
    ) -> "Screener":
        from napari_spatia.inference.screener import Screener

        return Screener(editor, resolver, programmes)

    def predict(
        self,
        bound: "BoundSlide",
        tasks: Sequence[str],
        genes: Sequence[str] | None,
        seed: int,
        progress: Progress,
        inputs: Sequence[str],
        reference: Path | None,
    ) -> "Prediction":
        from napari_spatia.data.reference import read_reference
        from napari_spatia.inference.predict import predict

        read = None if reference is None else read_reference(reference)
        return predict(bound.reading(inputs), tuple(tasks), genes, seed, progress, read)

    def read_prediction(self, slide: Slide) -> "Prediction | None":
        from napari_spatia.inference.write import read_prediction

        return read_prediction(slide)

    def write_prediction(self, slide: Slide, prediction: "Prediction", out: Path | None) -> Path:
        from napari_spatia.inference.write import write_prediction

        return write_prediction(slide, prediction, out)
