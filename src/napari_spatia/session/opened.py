"""Everything that is read once when a slide opens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_spatia.data.chunks import SlidePixels
from napari_spatia.data.colors import Rgb, from_hex, palette_color
from napari_spatia.data.counts import GeneColumns
from napari_spatia.data.crops import read_crops
from napari_spatia.data.elements import lazy
from napari_spatia.data.gene_columns import is_kept, keep_columns, read_columns
from napari_spatia.data.ids import IdRows
from napari_spatia.data.io import open_rasters, open_slide
from napari_spatia.data.keys import (
    OBS_ANNOTATION,
    UNS_ANNOTATION,
    UNS_ANNOTATION_COLORS,
    colors_of,
)
from napari_spatia.data.obsm import list_obsm
from napari_spatia.data.picture import slide_limits
from napari_spatia.data.pyramid import stored_pyramid
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.data.store import read_uns, write_obs_columns
from napari_spatia.data.transcripts import points_names
from napari_spatia.data.view_genes import GeneContrast
from napari_spatia.progress import Progress, part, silent
from napari_spatia.session.annotations import Annotations, Journal
from napari_spatia.session.backend import Backend
from napari_spatia.session.cell_ids import CellIds
from napari_spatia.session.colour import to_hex
from napari_spatia.session.instances import InstanceIndex
from napari_spatia.session.pointing import LabelPixels
from napari_spatia.session.sidecar import pyramid_folder, sidecar_folder
from napari_spatia.session.state import CellCard, CellCrop
from napari_spatia.session.values import colourable_columns, from_column

if TYPE_CHECKING:
    from napari_spatia.inference.prediction import Prediction

BRIGHTEST_PERCENT = 99.9
"""Pixels above this percentile are shown in full colour."""
TOP_GENES = 8


@dataclass(frozen=True, slots=True)
class SlidePicture:
    """What can be shown of a slide before its cells have been read: pixels and display limits. ``labels`` may come with
    the cells only.
    """

    image: Raster
    channels: tuple[str, ...]
    limits: NDArray[np.float32]
    pixels: SlidePixels
    labels: Raster | None = None

    @classmethod
    def of(cls, image: Raster, channels: tuple[str, ...], coarser: Sequence[Any] = ()) -> Self:
        """Reads one coarse level of the image, for the limits; ``coarser`` `(C, Y, X)` are levels made for it."""
        levels = (*image.levels, *(lazy(level) for level in coarser))
        seen = replace(image, levels=levels, stored=(*image.sources, *coarser))
        limits = slide_limits(seen, high=BRIGHTEST_PERCENT)
        return cls(image, channels, limits, SlidePixels.of_image(image, coarser))

    def with_labels(self, labels: Raster, coarser: Sequence[Any] = ()) -> Self:
        """The same and the labels, with ``coarser`` `(Y, X)` levels made for them; nothing is read yet."""
        return replace(self, labels=labels, pixels=self.pixels.with_labels(labels, coarser))


@dataclass(frozen=True, slots=True)
class OpenedSlide:
    """A slide and what is derived from it once: gene columns, all counts of each cell, rows of ids and labels, columns
    to colour by, pixels that stay in memory, means of genes, names of points, display limits, stored colours of
    columns' categories, number of components of each obsm array, stored results.
    """

    slide: Slide
    genes: GeneColumns
    totals: NDArray[np.float32]
    rows: IdRows
    columns: frozenset[str]
    index: InstanceIndex
    pixels: SlidePixels
    label_at: LabelPixels
    ids: CellIds
    contrast: GeneContrast
    points: tuple[str, ...]
    limits: NDArray[np.float32]
    colours: Mapping[str, Mapping[str, Rgb]]
    obsm: Mapping[str, int]
    prediction: "Prediction | None"
    annotations: Annotations
    journal: Journal

    def prepare(self, progress: Progress = silent) -> bool:
        """What is asked for sooner or later, made in the background once the slide is on screen.

        The genes of a large slide are kept beside it for its next opening; False where there is no room for them.
        """
        self.rows.prepare()
        folder, name, counts = self.journal.path.parent, self.slide.table_name, self.slide.counts
        columns = self.genes.sort(partial(read_columns, folder, name))
        self.ids.prepare()
        return is_kept(columns) or keep_columns(folder, name, counts, columns, progress) is not None


def read_picture(path: Path, choices: dict[str, Any], sidecar: Path | None) -> SlidePicture:
    """The pixels of the slide at ``path``, in the levels that there are; the arguments are those of `read_opened`."""
    found, folder = open_rasters(path, **choices), pyramid_folder(path, sidecar)
    coarser = stored_pyramid(path, "images", found.image_name, found.image, folder)
    picture = SlidePicture.of(found.image, found.channels, coarser)
    if found.labels is None:
        return picture
    return picture.with_labels(found.labels, stored_pyramid(path, "labels", found.labels_name, found.labels, folder))


def read_opened(
    path: Path,
    choices: dict[str, Any],
    backend: Backend,
    sidecar: Path | None,
    progress: Progress = silent,
    picture: SlidePicture | None = None,
) -> OpenedSlide:
    """Open the slide at ``path``; ``choices`` are the keywords of `open_slide`, ``sidecar`` a place for its journal.

    ``picture`` are its pixels, where they have been read before.
    """
    slide = open_slide(path, **choices, progress=part(progress, 0.0, 0.5))
    return derive(slide, backend, sidecar, progress, picture)


def derive(
    slide: Slide,
    backend: Backend,
    sidecar: Path | None,
    progress: Progress = silent,
    picture: SlidePicture | None = None,
) -> OpenedSlide:
    """What the session keeps beside a slide that is already open."""
    progress(0.5, "indexing genes and cells")
    folder = pyramid_folder(slide.path, sidecar)
    if picture is None:
        coarser = stored_pyramid(slide.path, "images", slide.image_name, slide.image, folder)
        picture = SlidePicture.of(slide.image, slide.channels, coarser)
    journal = Journal((sidecar or sidecar_folder(slide.path)) / f"annotations-{slide.table_name}.jsonl")
    if picture.labels is None:
        coarser = stored_pyramid(slide.path, "labels", slide.labels_name, slide.labels, folder)
        picture = picture.with_labels(slide.labels, coarser)
    totals = np.asarray(slide.counts.sum(axis=1), np.float32).ravel()
    opened = OpenedSlide(
        slide=slide,
        genes=GeneColumns(slide.counts),
        totals=totals,
        rows=IdRows(slide.cell_id),
        columns=colourable_columns(slide.obs),
        index=InstanceIndex.from_ids(slide.instance_id),
        pixels=picture.pixels,
        label_at=LabelPixels(slide.labels, picture.pixels.labels[0]),
        ids=CellIds(slide.cell_id),
        contrast=GeneContrast(slide.counts, totals),
        points=points_names(slide),
        limits=picture.limits,
        colours=stored_colours(slide),
        obsm=list_obsm(slide),
        prediction=backend.read_prediction(slide),
        annotations=journal.replay(stored_annotations(slide)),
        journal=journal,
    )
    progress(1.0, "opened")
    return opened


def stored_annotations(slide: Slide) -> Annotations:
    """The annotation that an earlier session saved into the slide's table, with its classes and their colours."""
    annotations = Annotations()
    if OBS_ANNOTATION not in slide.obs.columns:
        return annotations
    values = from_column(OBS_ANNOTATION, OBS_ANNOTATION, slide.obs[OBS_ANNOTATION].replace("", None))
    names = values.categories or ()
    noted = read_uns(slide.path, slide.table_name, UNS_ANNOTATION) or {}
    colours = _listed(read_uns(slide.path, slide.table_name, UNS_ANNOTATION_COLORS))
    classes = _listed(noted.get("classes"))
    for idx, name in enumerate(dict.fromkeys((*classes, *names))):
        colour = from_hex(colours[idx]) if idx < len(colours) else palette_color(idx)
        annotations = annotations.with_class(name, colour)
    rows = np.flatnonzero(values.data >= 0)
    assigned = {str(slide.cell_id[row]): names[int(values.data[row])] for row in rows}
    return replace(annotations, assigned=assigned)


def stored_colours(slide: Slide) -> dict[str, dict[str, Rgb]]:
    """Colours that the slide's table gives the categories of its columns, where scanpy writes them."""
    found = {}
    for name in slide.obs.columns if slide.path.exists() else ():
        if isinstance(slide.obs[name].dtype, pd.CategoricalDtype):
            categories = [str(category) for category in slide.obs[name].cat.categories]
            colours = _listed(read_uns(slide.path, slide.table_name, colors_of(str(name))))
            if len(colours) == len(categories):
                found[str(name)] = {c: from_hex(colour) for c, colour in zip(categories, colours, strict=True)}
    return found


def _listed(stored: Any) -> list[str]:
    """A list of text that came back from a store as an array, or not at all."""
    return [] if stored is None else [str(entry) for entry in stored]


def read_card(opened: OpenedSlide, cell_id: str, prediction: "Prediction | None", annotations: Annotations) -> CellCard:
    """The card of one cell. Raises `CellError` when the slide has no such cell."""
    slide = opened.slide
    row = opened.rows.row(cell_id)
    if row is None:
        row = slide.cell_idx(cell_id)  # says what an id looks like here
    counts = slide.counts[row]
    order = np.argsort(-counts.data, kind="stable")[:TOP_GENES]
    known = None if slide.known_type_column is None else slide.obs[slide.known_type_column].iloc[row]
    cell_type = None if prediction is None or prediction.cell_type is None else prediction.cell_type[row]
    confidence = None if prediction is None or prediction.confidence is None else prediction.confidence[row]
    return CellCard(
        cell_id=cell_id,
        cell_idx=row,
        center_um=(float(slide.centers_um[row, 0]), float(slide.centers_um[row, 1])),
        total_counts=int(counts.sum()),
        num_genes=int(counts.nnz),
        top_genes=tuple((slide.panel.genes[counts.indices[i]], int(counts.data[i])) for i in order),
        cell_type=None if cell_type is None else str(cell_type),
        confidence=None if confidence is None else float(confidence),
        domain=None if prediction is None or prediction.domain is None else str(prediction.domain[row]),
        known_type=None if known is None or pd.isna(known) else str(known),
        annotation=annotations.assigned.get(cell_id),
    )


def cell_id_at(opened: OpenedSlide, y_um: float, x_um: float) -> str | None:
    """The cell whose label lies at a point of the slide, or None. Reads one chunk at most."""
    row = opened.index.row(opened.label_at.read(y_um, x_um))
    return None if row is None else str(opened.slide.cell_id[row])


def read_crop(slide: Slide, cell_id: str, center_um: tuple[float, float], um_per_px: float, size_px: int) -> CellCrop:
    """The real pixels around a cell."""
    image = read_crops(slide.image, np.array([center_um]), um_per_px, size_px)[0]
    return CellCrop(cell_id, image, slide.channels, um_per_px)


def annotation_column(slide: Slide, annotations: Annotations) -> pd.Series:
    """One class a cell, missing where none was given, as a categorical column of the table."""
    names = [annotations.assigned.get(str(cell_id)) for cell_id in slide.cell_id]
    return pd.Series(pd.Categorical(names, categories=list(annotations.names)), index=slide.obs.index)


def with_annotations(slide: Slide, annotations: Annotations) -> Slide:
    """The slide with the annotation as it is on screen; the slide itself when nothing is annotated."""
    if not annotations.assigned:
        return slide
    return replace(slide, obs=slide.obs.assign(**{OBS_ANNOTATION: annotation_column(slide, annotations)}))


def store_annotations(opened: OpenedSlide, annotations: Annotations) -> Path:
    """Write the annotation into the slide's table; returns the slide's path."""
    slide = opened.slide
    column = annotation_column(slide, annotations)
    keys = [entry.key for entry in annotations.classes]
    classes: dict[str, Any] = {
        UNS_ANNOTATION: {"classes": list(annotations.names), "keys": keys},
        UNS_ANNOTATION_COLORS: [to_hex(entry.colour) for entry in annotations.classes],
    }
    write_obs_columns(slide.path, slide.table_name, {OBS_ANNOTATION: column}, classes, cell_id=slide.cell_id)
    return slide.path
