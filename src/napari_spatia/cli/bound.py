"""A slide with a model bound to it: the beginning of every command that asks the model about cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spatia.cli.options import Device
from napari_spatia.cli.report import Report
from napari_spatia.cli.slides import SlideParts

if TYPE_CHECKING:
    from napari_spatia.data.slide import Slide
    from napari_spatia.inference.predictor import BoundSlide, Predictor


def bind(
    path: Path, parts: SlideParts, checkpoint: str, device: Device, report: Report, **options: Any
) -> "tuple[Slide, Predictor, BoundSlide]":
    """Open, load and bind, saying what has to be said; ``options`` are those of `Predictor.bind`."""
    slide = parts.open(path, report)
    report.progress(0.0, "loading the model")
    from napari_spatia.inference.predictor import Predictor

    predictor = Predictor.load(checkpoint, device.value, precision="auto")
    if device is Device.auto and predictor.device == "cpu":
        report.note("no GPU found; the model runs on the CPU")
    bound = predictor.bind(slide, **options)
    for text in bound.notes:
        report.note(text)
    return slide, predictor, bound


def record(path: Path, predictor: "Predictor", options: Mapping[str, Any]) -> dict[str, Any]:
    """What made a file: slide, checkpoint and its hash, options, version."""
    from napari_spatia import __version__

    return {
        "slide": str(path),
        "checkpoint": predictor.info.name,
        "checkpoint_sha256": predictor.info.sha256,
        "device": predictor.device,
        "precision": predictor.precision,
        "napari_spatia": __version__,
        **options,
    }
