"""Pixels of image layers in fewer operations, and outlines without a new shader for each.

Without a graphics card a frame is paid for by the pixel and layer. vispy takes a power, a look-up in a texture and a
search for NaN for each, also where gamma is 1, the colours are a ramp from black and the pixels are whole numbers:
a fifth of the frame of four stains and an overlay. Colours are the same to a level of 255.
"""

from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes
from numpy.typing import NDArray
from vispy.scene.node import Node
from vispy.visuals.shaders import Function, FunctionChain

if TYPE_CHECKING:
    from vispy.color import Colormap
    from vispy.visuals import ImageVisual, MeshVisual

RAMP_STEPS = 256
"""Places at which a colour map is compared with a ramp."""
SAME_COLOUR = 1 / 512

# vispy sets $clim and $gamma of the second and third function of a chain when a slider moves.
_CLIM = "float apply_clim(float data) { return clamp((data - $clim.x) / ($clim.y - $clim.x), 0.0, 1.0); }"
_CLIM_RGBA = """
    vec4 apply_clim(vec4 color) {
        color.rgb = clamp((color.rgb - $clim.x) / ($clim.y - $clim.x), 0.0, 1.0);
        return color;
    }"""
_GAMMA_OF_ONE = "float apply_gamma(float data) { return data + 0.0 * $gamma; }"
_GAMMA_OF_ONE_RGBA = "vec4 apply_gamma(vec4 color) { color.r += 0.0 * $gamma; return color; }"
_RAMP = "vec4 ramp(float data) { return vec4(data * $brightest, 1.0); }"


def shade_plainly(viewer: ViewerModel, layer: Image) -> None:
    """Draw a layer by `plain_transform` wherever it holds; does nothing for a viewer without a window."""
    node = _node_of(viewer, layer)
    if node is None:
        return
    usual = node._build_color_transform
    node._build_color_transform = lambda: plain_transform(node) or usual()

    def build_again(event: object = None) -> None:
        node._need_colortransform_update = True

    build_again()
    layer.events.gamma.connect(build_again)


def keep_shaders(viewer: ViewerModel, layer: Shapes) -> None:
    """Compile the shaders of a layer's meshes once, and not with each outline that it is given, as vispy does: the
    window would not answer for some 50 ms. Does nothing for a viewer without a window.
    """
    node = _node_of(viewer, layer)
    for mesh in () if node is None else (node.shape_faces, node.shape_highlights):
        _keep_colours(mesh)


def _keep_colours(mesh: "MeshVisual") -> None:
    usual = mesh._build_color_transform
    plain = usual(np.zeros((1, 4), np.float32))

    def kept(colours: NDArray[np.float32]) -> Function | FunctionChain:
        are_values = colours.ndim == 2 and colours.shape[1] == 1
        return usual(colours) if are_values else plain

    mesh._build_color_transform = kept


def _node_of(viewer: ViewerModel, layer: Layer) -> Node | None:
    window = getattr(viewer, "window", None)
    return None if window is None else window._qt_viewer.canvas.layer_to_visual[layer].node


def plain_transform(node: "ImageVisual") -> FunctionChain | None:
    """What turns the texture of whole numbers into colours where gamma is 1 and colours are a ramp from black, or those
    of the pixels themselves; None elsewhere.
    """
    pixels = node._data
    if pixels is None or pixels.dtype.kind not in "ui" or node.gamma != 1:
        return None
    if pixels.ndim == 3:
        chain = _functions(node._func_templates["null_color_transform"], _CLIM_RGBA, _GAMMA_OF_ONE_RGBA)
    elif (brightest := _brightest_of_ramp(node.cmap)) is not None:
        chain = _functions(node._func_templates["red_to_luminance"], _CLIM, _GAMMA_OF_ONE, _RAMP)
        chain[3]["brightest"] = brightest
    else:
        return None
    chain[1]["clim"], chain[2]["gamma"] = node._texture.clim_normalized, node.gamma
    return FunctionChain(None, chain)


def _functions(*templates: str) -> list[Function]:
    return [Function(template) for template in templates]


def _brightest_of_ramp(colours: "Colormap") -> tuple[float, float, float] | None:
    """The last colour (r, g, b) in [0, 1] of colours that go from black to it in a straight line."""
    if colours.low_color is not None or colours.high_color is not None:
        return None
    share = np.linspace(0, 1, RAMP_STEPS)
    rgba = np.asarray(colours.map(share), float)
    away = np.abs(rgba - np.column_stack([share[:, None] * rgba[-1, :3], np.ones(RAMP_STEPS)]))
    red, green, blue = (float(value) for value in rgba[-1, :3])
    return (red, green, blue) if away.max() < SAME_COLOUR else None
