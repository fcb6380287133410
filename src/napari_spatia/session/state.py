"""The one mutable object of the application: what is open, shown, selected and edited. Its fields are immutable."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from psygnal import SignalGroup, evented

from napari_spatia.data.chunks import SlidePixels
from napari_spatia.data.colors import Rgb
from napari_spatia.data.element_list import StoredElement
from napari_spatia.data.element_picture import ElementPicture
from napari_spatia.data.slide import Slide
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.programmes import Programme
from napari_spatia.session.annotations import Annotations
from napari_spatia.session.cell_filter import CellFilter, FilteredCells
from napari_spatia.session.cell_groups import FIRST_GROUPS, CellGroup, Comparison
from napari_spatia.session.colour import CELL_STYLES, COLORMAP, PERCENT, Lookup
from napari_spatia.session.gene_range import GeneRange
from napari_spatia.session.history import History
from napari_spatia.session.jobs import JobStatus
from napari_spatia.session.patches import CELL, AppliedEdit
from napari_spatia.session.scatter import Plot

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.prediction import Prediction
    from napari_spatia.inference.predictor import CheckpointInfo
    from napari_spatia.inference.resolve import ResolvedEdit
    from napari_spatia.inference.screen import Grid, Screen, SideBySide, Strip
    from napari_spatia.inference.sensitivity import Sensitivity
    from napari_spatia.session.opened import SlidePicture

PROGRAMME_LIMIT = 4.0
"""Largest log2 fold change of a programme's genes."""
LOG2_FC_LIMIT = 16.0
"""Largest log2 fold change of one gene: more than any count; its slider goes as far as is sensible for the cell."""

Window = tuple[float, float, float, float]
"""(y0, x0, y1, x1) in µm, as `Raster.extent_um`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the person. ``serial`` grows, so that the same error twice is two messages."""

    text: str
    is_error: bool
    serial: int


@dataclass(frozen=True, slots=True)
class CellCard:
    """What is known of one cell, for reading."""

    cell_id: str
    cell_idx: int
    center_um: tuple[float, float]
    total_counts: int
    num_genes: int
    top_genes: tuple[tuple[str, int], ...]
    cell_type: str | None
    confidence: float | None
    domain: str | None
    known_type: str | None
    annotation: str | None


@dataclass(frozen=True, slots=True)
class HoverCard:
    """What is shown of the cell under the mouse: its card, and the title and value of what the cells are coloured by.

    ``value`` is None where nothing is to be added to the card.
    """

    card: CellCard
    title: str | None
    value: str | float | None


@dataclass(frozen=True, slots=True)
class Goal:
    """Where the camera is to go: (y, x) in µm. ``serial`` grows, so that the same place twice is two journeys."""

    center_um: tuple[float, float]
    serial: int


@dataclass(frozen=True, slots=True)
class TranscriptGene:
    """A gene whose transcripts are shown, and their colour."""

    name: str
    colour: Rgb


@dataclass(frozen=True, slots=True)
class TranscriptPicture:
    """The transcripts of some genes in a window (y0, x0, y1, x1) in µm; ``counts`` are how many of each.

    Either points, ``yx`` `(n, 2)` float32 in µm with ``of_gene`` `(n,)` their gene's position, or where they are too
    many ``density`` `(G, H, W)` float32, transcripts of each gene in each bin of the window, and ``rgb`` `(H, W, 3)`
    uint8, these in the genes' colours.
    """

    genes: tuple[TranscriptGene, ...]
    counts: tuple[int, ...]
    window_um: Window
    yx: NDArray[np.float32] | None = field(default=None, repr=False)
    of_gene: NDArray[np.intp] | None = field(default=None, repr=False)
    density: NDArray[np.float32] | None = field(default=None, repr=False)
    rgb: NDArray[np.uint8] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Polygons:
    """Outlines in view: ``yx`` `(k, 2)` float32 µm, closed rings with a NaN after each; ``cells`` `(k,)` their rows."""

    yx: NDArray[np.float32] = field(repr=False)
    cells: NDArray[np.intp] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CellCrop:
    """The real pixels of a cell: ``image`` `(C, H, W)` float32 in slide units."""

    cell_id: str
    image: NDArray[np.float32]
    channels: tuple[str, ...]
    um_per_px: float


_SAME_OBJECT = dict.fromkeys(
    (
        "opening",
        "slide",
        "limits",
        "stain_colours",
        "checkpoint",
        "prediction",
        "lookup",
        "filtered",
        "crop",
        "cell",
        "resolved",
        "counterfactual",
        "evidence",
        "applied",
        "sensitivity",
        "strip",
        "grid",
        "side_by_side",
        "screen",
        "chosen",
        "comparison",
        "plot",
        "polygons",
        "hovered",
        "transcripts",
        "element_pictures",
        "pixels",
    ),
    operator.is_,
)


@evented(equality_operators=_SAME_OBJECT)
@dataclass
class SessionState:
    """Replace a field to change it; ``events.<field>`` then tells who listens. Equal values tell nothing."""

    if TYPE_CHECKING:
        events: ClassVar[SignalGroup]

    in_front: bool = True
    """Whether this slide is the one on screen, of several that are open in a window. What belongs to another one leaves
    camera, mouse and keys alone."""
    opening: "SlidePicture | None" = None
    """The stains of a slide whose cells are still being read, while no other slide is open."""
    slide: Slide | None = None
    limits: "NDArray[np.float32] | None" = None
    """`(C, 2)` slide units shown as black and as full colour, on the slide and in every crop."""
    pixels: SlidePixels | None = None
    """What is shown of the slide, by level: the slide's own, and coarser ones where they have been made."""
    stain_colours: "NDArray[np.float32] | None" = None
    """`(C, 3)` RGB in [0, 1] of the slide's stains, on the slide and in every picture of a cell."""
    stain: str | None = None
    """The stain that the pictures of the cell show; None for all together."""
    checkpoint: "CheckpointInfo | None" = None
    device: str = ""
    bound: bool = False
    """Whether the checkpoint has been fitted to the slide, so that it can predict and draw."""
    notes: tuple[str, ...] = ()
    refused: str = ""
    """Why the checkpoint that was asked for last is not the one in use; empty where it is."""
    prediction: "Prediction | None" = None
    prediction_saved: bool = True

    favourites: tuple[str, ...] = ()
    """Genes with a star, a person's own on every slide."""
    colour: str | None = None
    shown_range: tuple[float, float] | None = None
    percent: tuple[float, float] = PERCENT
    """Percentiles at the ends of the colours where ``shown_range`` does not say."""
    colormap: str = COLORMAP
    hidden: frozenset[str] = frozenset()
    lookup: Lookup | None = None
    opacity: float = 0.55
    cell_style: str = CELL_STYLES[0]
    cell_filter: CellFilter = CellFilter()
    filtered: FilteredCells | None = None
    """What ``cell_filter`` lets pass, once that is known; None where it lets all pass."""

    selected: str | None = None
    card: CellCard | None = None
    crop: CellCrop | None = None
    cell: "SelectedCell | None" = None
    edit: History[Edit] = History(Edit())
    ranges: Mapping[str, GeneRange] = field(default_factory=dict)
    """What the edited genes stand on in the selected cell and on the slide, by name, as far as it is known."""
    sensitivity: "Sensitivity | None" = None
    """Which genes move the picture of the selected cell most, once they have been ranked."""
    programmes: Mapping[str, Programme] = field(default_factory=dict)
    types: tuple[str, ...] = ()
    """Cell types of the slide that an edit can name."""
    domains: tuple[str, ...] = ()
    """Niche domains of the slide that an edit can name."""
    nfe: int | None = None
    """Decoder passes of an edited picture; None takes as many as the cell was inverted with."""
    resolved: "ResolvedEdit | None" = None
    """What the edit of ``counterfactual`` did to the cell; replaced just before it."""
    counterfactual: "Counterfactual | None" = None
    evidence: "Evidence | None" = None
    """What stands behind ``counterfactual``, once it has been examined."""
    strip: "Strip | None" = None
    """The newest dose strip; this and the three below stay when another cell is selected."""
    grid: "Grid | None" = None
    side_by_side: "SideBySide | None" = None
    screen: "Screen | None" = None
    feature: str = "cell_area"
    """Key of the feature that curves show and a screen is ranked by."""

    patches_shown: bool = True
    """Whether counterfactuals lie over the slide: that of the selected cell, and ``applied``."""
    patches_before: bool = False
    """Whether they show the cells as they were before the edit."""
    patch_extent: str = CELL
    """How much of the selected cell's counterfactual lies over the slide, one of `patches.EXTENTS`."""
    applied: AppliedEdit | None = None
    """One edit of many cells."""

    chosen: "NDArray[np.int64] | None" = None
    """`(n,)` rows of the chosen cells, ascending, not to be written into; None when none is chosen."""
    groups: tuple[CellGroup, CellGroup] = FIRST_GROUPS
    """A and B, whose genes are compared."""
    comparison: Comparison | None = None
    tool: str = ""
    """What the mouse does on the slide: one of `selecting.TOOLS`."""
    neighbours: tuple[str, ...] = ()
    """The neighbours of the selected cell that the model reads, while some of them are being marked."""
    marked: tuple[str, ...] = ()
    """Which of them are marked."""
    walk: str = ""
    """The list of cells that `next_cell` goes through; see `walking`."""
    plot: Plot | None = None
    """The embedding on screen."""
    hover_shown: bool = True
    """Whether a card shows what is known of the cell under the mouse."""
    hovered: HoverCard | None = None
    view_um: Window | None = None
    """What part of the slide the camera shows, once it rests."""
    view_genes: tuple[str, ...] = ()
    """The genes that tell the cells in view from all others, the most telling first."""
    transcript_genes: tuple[TranscriptGene, ...] = ()
    """Whose transcripts are to be seen; ``transcripts`` are those in view."""
    transcripts: TranscriptPicture | None = None
    polygons_shown: bool = False
    """Whether outlines are drawn as polygons where few cells are in view; ``polygons`` are those in view."""
    polygons: Polygons | None = None
    elements: tuple[StoredElement, ...] = ()
    """What the slide's store holds, once that is listed."""
    shown_elements: frozenset[str] = frozenset()
    """Paths of the elements that are to be seen, the slide's own image among them."""
    element_pictures: Mapping[str, ElementPicture] = field(default_factory=dict)
    """The elements beside the slide's own that have been read, by path."""
    goal: Goal | None = None
    """Where the camera was last asked to go."""

    annotations: Annotations = Annotations()
    armed_class: str | None = None
    """The class that a click on a cell assigns; None when clicks only select."""
    unsaved_annotations: int = 0

    exported: tuple[Path, ...] = ()
    saved: Path | None = None
    """The picture, table or recipe of a cell that was saved last."""
    jobs: Mapping[str, JobStatus] = field(default_factory=dict)
    notice: Notice | None = None
