"""From an element of the store to napari layers: pure functions, as in `viewer.layers`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.element_picture import ElementPicture, ElementPixels
from napari_spatia.data.picture import channel_colours
from napari_spatia.session.colour import to_hex
from napari_spatia.viewer.layers import ELEMENT, UNITS, LayerSpec, labels_data

POINT_PX = 4.0
"""Diameter of a point on the screen when its layer is added."""
POINT_COLOUR, DENSITY_COLORMAP = "#ffd166", "inferno"


def element_specs(path: str, picture: ElementPicture, zoom: float) -> tuple[LayerSpec, ...]:
    """The layers of one element: one for each channel of an image, else one. ``zoom`` is in screen pixels a µm."""
    common: dict[str, Any] = {"metadata": {ELEMENT: path}, "units": UNITS}
    if not isinstance(picture, ElementPixels):
        size = POINT_PX / max(zoom, 1e-3)
        options = {"name": path, "size": size, "face_color": POINT_COLOUR, "border_width": 0.0, **common}
        return (LayerSpec("points", picture.yx, options),)
    common["affine"] = pixel_centres(picture.to_um)
    if picture.kind in ("labels", "shapes"):
        options = {"name": path, "opacity": 0.8, **common, **labels_data(picture.channels[0])}
        return (LayerSpec("labels", options.pop("data"), options),)
    common["multiscale"] = True
    if picture.is_rgb:
        return (LayerSpec("image", list(picture.channels[0]), {"name": path, "rgb": True, "cache": False, **common}),)
    return tuple(_channel_spec(path, picture, idx, common) for idx in range(len(picture.channels)))


def _channel_spec(path: str, picture: ElementPixels, idx: int, common: dict[str, Any]) -> LayerSpec:
    assert picture.limits is not None, "only RGB and labels have none"
    single = len(picture.channels) == 1
    colour = (channel_colours(picture.channel_names)[idx] * 255).round().astype(int)
    colormap = DENSITY_COLORMAP if picture.kind == "points" else "gray" if single else to_hex(tuple(colour.tolist()))
    options = {
        "name": path if single else f"{path} · {picture.channel_names[idx]}",
        "colormap": colormap,
        "contrast_limits": tuple(float(value) for value in picture.limits[idx]),
        "blending": "additive",
        **common,
    }
    return LayerSpec("image", list(picture.channels[idx]), options)


def pixel_centres(to_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(3, 3)` napari's map: its whole numbers are the centres of pixels, those of ``to_um`` their corners."""
    return to_um @ np.array([[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1.0]])
