"""Where an element lies: NGFF coordinate transformations, read without loading the element.

What a slide is made of must keep the axes: one positive scale for y and x and a shift (`placement`). Everything else (a
rotation, a shear, a mirror image) is refused with a clear message, because crops and centres would be wrong in silence.
What is only shown beside it may lie as it likes (`affine`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.errors import SlideError

_UM_PER_UNIT = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4}
_ISOTROPY_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Placement:
    """A map from (y, x) in one frame to (y, x) in another: ``scale · yx + shift``."""

    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def apply(self, yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(n, 2)` points of the target frame."""
        return yx * self.scale + np.asarray(self.shift)

    def invert(self, yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(n, 2)` points of the source frame."""
        return (yx - np.asarray(self.shift)) / self.scale

    def enlarged(self, factor: float) -> "Placement":
        """The same placement with the target frame's unit divided by ``factor``."""
        return Placement(self.scale * factor, (self.shift[0] * factor, self.shift[1] * factor))


def multiscale_of(attrs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one multiscale record of a raster's attributes, OME-Zarr 0.4 or 0.5; empty when there is none."""
    scales = attrs.get("ome", attrs).get("multiscales") or [{}]
    return scales[0]


def channel_names(attrs: Mapping[str, Any], num_channels: int) -> tuple[str, ...]:
    """Names of the channels as strings, in order; `channel_0`, … where the store names none."""
    ome = attrs.get("ome", attrs)
    nested = multiscale_of(attrs).get("metadata", {})
    for record in (
        ome.get("omero"),
        nested.get("omero"),
        ome.get("channels_metadata"),
        nested.get("channels_metadata"),
    ):
        names = tuple(str(channel.get("label", "")) for channel in (record or {}).get("channels", ()))
        if len(names) == num_channels and all(names):
            return names
    return tuple(f"channel_{idx}" for idx in range(num_channels))


def coordinate_systems(transforms: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Names of the coordinate systems that an element is placed in."""
    return tuple(transform["output"]["name"] for transform in transforms if "name" in transform.get("output", {}))


def um_per_unit(transforms: Sequence[Mapping[str, Any]], coordinate_system: str) -> float | None:
    """µm in one unit of a coordinate system, when its axes name a length; otherwise None."""
    for axis in _find(transforms, coordinate_system).get("output", {}).get("axes", ()):
        if axis["name"] in ("y", "x"):
            return _UM_PER_UNIT.get(axis.get("unit", ""))
    return None


def affine(transforms: Sequence[Mapping[str, Any]], coordinate_system: str, element: str) -> NDArray[np.float64]:
    """`(3, 3)` matrix on (y, x, 1) from an element's own frame to a coordinate system, turned or not."""
    transform = _find(transforms, coordinate_system)
    return _matrix(transform, _axes(transform, "input", ("y", "x")), element)


def placement(transforms: Sequence[Mapping[str, Any]], coordinate_system: str, element: str) -> Placement:
    """Where an element lies in a coordinate system. Raises `SlideError` for a placement that turns or distorts."""
    matrix = affine(transforms, coordinate_system, element)
    scale_y, scale_x = matrix[0, 0], matrix[1, 1]
    turned = max(abs(matrix[0, 1]), abs(matrix[1, 0])) > _ISOTROPY_TOLERANCE * abs(scale_y)
    if turned or scale_y <= 0 or abs(scale_x - scale_y) > _ISOTROPY_TOLERANCE * scale_y:
        raise SlideError(
            f"{element} lies turned, mirrored or stretched in coordinate system '{coordinate_system}'. Expected one "
            f"positive scale for y and x and a shift; found {np.round(matrix[:2], 4).tolist()} for (y, x, 1). "
            "Name another coordinate system (--coordinate-system), or resample the element first."
        )
    return Placement(float(scale_y), (float(matrix[0, 2]), float(matrix[1, 2])))


def _find(transforms: Sequence[Mapping[str, Any]], coordinate_system: str) -> Mapping[str, Any]:
    for transform in transforms:
        if transform.get("output", {}).get("name") == coordinate_system:
            return transform
    return {}


def _axes(transform: Mapping[str, Any], side: str, default: tuple[str, ...]) -> tuple[str, ...]:
    system = transform.get(side)
    axes = system.get("axes", ()) if isinstance(system, Mapping) else ()
    return tuple(axis["name"] for axis in axes) or default


def _matrix(transform: Mapping[str, Any], axes: tuple[str, ...], element: str) -> NDArray[np.float64]:
    """`(3, 3)` matrix on (y, x, 1) of one transformation whose values follow ``axes``."""
    kind = transform.get("type", "identity")
    matrix = np.eye(3)
    picked = [axes.index("y"), axes.index("x")]
    if kind == "scale":
        matrix[[0, 1], [0, 1]] = np.asarray(transform["scale"], float)[picked]
    elif kind == "translation":
        matrix[:2, 2] = np.asarray(transform["translation"], float)[picked]
    elif kind == "affine":
        rows = _axes(transform, "output", axes)
        full = np.asarray(transform["affine"], float)[[rows.index("y"), rows.index("x")]]
        matrix[:2] = full[:, [*picked, -1]]
    elif kind == "sequence":
        for step in transform["transformations"]:
            step_axes = _axes(step, "input", axes)
            matrix = _matrix(step, step_axes, element) @ matrix
            axes = _axes(step, "output", step_axes)
    elif kind == "mapAxis":
        source = [transform["mapAxis"].get(axis, axis) for axis in ("y", "x")]
        matrix[:2, :2] = [[float(name == axis) for axis in ("y", "x")] for name in source]
    elif kind != "identity":
        raise SlideError(
            f"{element} is placed by a '{kind}' transformation. Expected identity, scale, translation, affine or a "
            "sequence of these; write the element again with one of them."
        )
    return matrix
