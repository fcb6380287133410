"""From a slide to napari layers: pure functions that say which layers there are and how they look.

The viewer's world is the slide's frame in µm. napari places the centre of pixel 0 at ``translate``, so that is the
raster's corner plus half a pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from napari_spatia.data.chunks import ChunkedPixels, KeptChunks
from napari_spatia.data.crops import read_masks
from napari_spatia.data.element_list import AS_CELLS, AS_IMAGE
from napari_spatia.data.picture import channel_colours
from napari_spatia.data.pyramid import needs_pyramid
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.session.colour import to_hex
from napari_spatia.session.opened import SlidePicture
from napari_spatia.session.session import Session
from napari_spatia.viewer.overlay import ColourSource, PaintedLevel

CELLS, COLOURS, SELECTED = "cell outlines", "cell colours", "selected cell"
ELEMENT = "spatia_element"
"""Where a layer's metadata keeps which element of the store it shows: its path, or what the slide uses it as."""
CHANNEL = "spatia_channel"
"""Where the metadata of a stain's layer keeps the position of its channel."""
SESSION = "spatia_session"
"""Where the overlay's metadata keeps its session, for who saves the layer."""
UNITS = ("µm", "µm")
OWN: Mapping[str, Any] = MappingProxyType({"units": UNITS, "metadata": {"spatia": True}})
"""Options of a layer that is made for a slide, and goes with it, where its metadata says nothing else."""
STAND_IN, SMALL_PX = 4, 1024
"""How much coarser each empty level is, a view of up to 4 by 4 pixels on one of the screen's shows the slide; and the
size of the last one."""
OUTLINE_WINDOW_UM = 60.0


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer: its kind (``image`` or ``labels``), its data, and the keywords of napari's layer class."""

    kind: str
    data: Any = field(repr=False)
    options: dict[str, Any]

    def as_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """The form in which napari's readers return layers."""
        return self.data, self.options, self.kind


def placed(raster: Raster) -> dict[str, Any]:
    """Scale and translation of a raster in the viewer's world."""
    half = raster.um_per_px / 2
    return {
        "scale": (raster.um_per_px, raster.um_per_px),
        "translate": (raster.origin_um[0] + half, raster.origin_um[1] + half),
        "units": UNITS,
    }


def channel_specs(
    slide: Slide | SlidePicture, limits: NDArray[np.float32], stains: Sequence[Sequence[Any]] | None = None
) -> tuple[LayerSpec, ...]:
    """One additive image layer per stain, in the stain's colour; ``limits`` `(C, 2)` in slide units.

    ``stains`` are their pixels by channel and level, by default the slide's own lazy ones.
    """
    colours = channel_colours(slide.channels)
    specs = []
    for idx, name in enumerate(slide.channels):
        low, high = (float(value) for value in limits[idx])
        rgb = tuple(round(float(part) * 255) for part in colours[idx])
        options = {
            "name": name,
            "multiscale": True,
            "colormap": to_hex((rgb[0], rgb[1], rgb[2])),
            "contrast_limits": (low, high),
            "blending": "additive",
            "metadata": {ELEMENT: AS_IMAGE, CHANNEL: idx},
            **placed(slide.image),
        }
        levels = [level[idx] for level in slide.image.levels] if stains is None else shown_levels(stains[idx])
        specs.append(LayerSpec("image", levels, options))
    return tuple(specs)


def shown_levels(levels: Sequence[ChunkedPixels]) -> list[ChunkedPixels]:
    """The levels of a layer. A large raster of one size goes on in empty levels until its coarser ones are made.

    Otherwise napari would read all of it, for the thumbnail and whenever the whole slide is in view.
    """
    shown = list(levels)
    while needs_pyramid(levels) and max(shown[-1].shape) > SMALL_PX:
        shape = tuple(length // STAND_IN for length in shown[-1].shape)
        shown.append(ChunkedPixels(da.zeros(shape, dtype=levels[0].dtype, chunks=shape), KeptChunks()))
    return shown


def labels_data(levels: Sequence[Any]) -> dict[str, Any]:
    """Labels for napari, which takes a pyramid of one level for no pyramid.

    Without napari's cache of dask arrays, which fails where another thread computes with dask at the same time.
    """
    multiscale = len(levels) > 1
    return {"data": list(levels) if multiscale else levels[0], "multiscale": multiscale, "cache": False}


def cells_spec(slide: Slide, labels: Sequence[Any] | None = None) -> LayerSpec:
    """The labels themselves, as outlines, hidden until asked for; ``labels`` by level, by default the slide's own."""
    options = {
        "name": CELLS,
        "visible": False,
        "opacity": 0.8,
        "metadata": {ELEMENT: AS_CELLS},
        **placed(slide.labels),
        **labels_data(slide.labels.levels if labels is None else shown_levels(labels)),
    }
    return LayerSpec("labels", options.pop("data"), options)


def colours_spec(raster: Raster, labels: Sequence[ChunkedPixels], source: ColourSource, session: Session) -> LayerSpec:
    """The look-up-table overlay over a session's labels, whose pixels are ``labels``, level by level."""
    options = {
        "name": COLOURS,
        "multiscale": True,
        "rgb": True,
        "opacity": session.state.opacity,
        "blending": "translucent",
        "interpolation2d": "nearest",
        "metadata": {SESSION: session},
        **placed(raster),
    }
    return LayerSpec("image", painted(labels, source), options)


def painted(labels: Sequence[ChunkedPixels], source: ColourSource) -> list[PaintedLevel]:
    """The pyramid of the overlay."""
    return [PaintedLevel(level, source) for level in shown_levels(labels)]


def cell_outline(slide: Slide, finest: ChunkedPixels, cell_idx: int) -> NDArray[np.float64]:
    """`(K, 2)` outline (y, x) of a cell in µm; a square of 4 µm around a centre that has no label under it.

    ``finest`` are the pixels of the labels, as they are kept in memory.
    """
    labels, center = replace(slide.labels, levels=(finest,), stored=()), slide.centers_um[cell_idx]
    size_px = int(OUTLINE_WINDOW_UM / labels.um_per_px)
    window = read_masks(labels, slide.instance_id[[cell_idx]], center[None], labels.um_per_px, size_px)[0]
    contours = find_contours(np.pad(window, 1).astype(np.float32), 0.5)
    if not contours:
        return np.asarray(center + np.array([[-2.0, -2.0], [-2.0, 2.0], [2.0, 2.0], [2.0, -2.0]]))
    longest = max(contours, key=len)
    first_px = np.rint(center / labels.um_per_px - size_px / 2)
    return np.asarray((first_px + longest - 1 + 0.5) * labels.um_per_px)
