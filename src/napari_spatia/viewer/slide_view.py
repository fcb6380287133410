"""The adapter between one session and one napari viewer: state events in, layers out; clicks in, verbs out."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes
from napari.utils.events import Event
from numpy.typing import NDArray

from napari_spatia.data.chunks import SlidePixels
from napari_spatia.data.element_list import AS_CELLS
from napari_spatia.errors import SpatiaError
from napari_spatia.session.colour import dim_others
from napari_spatia.session.selecting import NEIGHBOURS
from napari_spatia.session.session import Session
from napari_spatia.session.state import Window
from napari_spatia.viewer import layers as specs
from napari_spatia.viewer.camera import first_window, look_at
from napari_spatia.viewer.first_look import FirstLook
from napari_spatia.viewer.lasso import Lasso
from napari_spatia.viewer.overlay import ColourSource
from napari_spatia.viewer.plain_shader import keep_shaders, shade_plainly
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.viewer.turns import in_turns

CLICK_RADIUS_PX = 4
"""A press and a release closer than this on the screen are a click, farther apart a pan."""
SLIDE_HEARD_MS, COLOURS_WITHIN_MS = 50, 2000
"""For how long what is not looked at first waits for a wish for colours, and then for the colours."""
OUTLINE_PX = 2.0
"""How wide the outline of the selected cell is on the screen."""
THUMBNAIL_REST_MS = 400
"""How long the colours must rest before the list of layers shows them."""


class SlideView:
    """Shows a session in a viewer. Everything here runs on the thread that owns the viewer."""

    def __init__(self, viewer: ViewerModel, session: Session, rest: Rest = at_once) -> None:
        self._viewer = weakref.ref(viewer)
        self.session = session
        self._rest = rest
        self._source = ColourSource()
        self._layers: list[Layer] = []
        self._colours: Image | None = None
        self._selected: Shapes | None = None
        self._pixels: SlidePixels | None = None
        self._is_complete = False
        self._waits_for_colours = False
        """While the cells are on the slide, but in no colour yet."""
        self._path: Path | None = None
        self._looked_at: tuple[tuple[float, ...], float] | None = None
        """Where the camera was, when what is shown is the slide that was shown before, with other elements."""
        events = session.state.events
        events.slide.connect(self._show_slide)
        events.lookup.connect(self._show_lookup)
        events.chosen.connect(self._show_lookup)
        events.opacity.connect(self._show_opacity)
        events.cell_style.connect(self._show_lookup)
        events.selected.connect(self._show_selected)
        events.view_um.connect(self._fit_outline)
        events.pixels.connect(self._take_pixels)
        events.in_front.connect(self._take_turn)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.layers.events.removed.connect(self._forget)
        self._lasso = Lasso(viewer, session)
        self._first_look = FirstLook(viewer, session)
        if session.state.slide is not None:
            self._show_slide()

    @property
    def colours(self) -> Image | None:
        """The layer of the cells in colour, unless there is none."""
        return self._colours

    @property
    def viewer(self) -> ViewerModel:
        viewer = self._viewer()
        assert viewer is not None, "a view is closed before its viewer goes"
        return viewer

    def close(self) -> None:
        """Let go of the viewer and the session; the layers stay."""
        self._lasso.close()
        self._first_look.close()
        events = self.session.state.events
        events.slide.disconnect(self._show_slide)
        events.lookup.disconnect(self._show_lookup)
        events.chosen.disconnect(self._show_lookup)
        events.opacity.disconnect(self._show_opacity)
        events.cell_style.disconnect(self._show_lookup)
        events.selected.disconnect(self._show_selected)
        events.view_um.disconnect(self._fit_outline)
        events.pixels.disconnect(self._take_pixels)
        events.in_front.disconnect(self._take_turn)
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.removed.disconnect(self._forget)
            viewer.mouse_drag_callbacks.remove(self._on_press)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the slide, lowest first but for what a person moved."""
        return tuple(self._layers)

    def layers_of(self, use: str) -> list[Layer]:
        """The layers of what the slide uses as `AS_IMAGE` or `AS_CELLS`."""
        return [layer for layer in self._layers if layer.metadata.get(specs.ELEMENT) == use]

    # -- session → layers -----------------------------------------------------------------------------------------

    def _show_slide(self) -> None:
        for layer in list(self._layers):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._layers, self._colours, self._selected = [], None, None
        self._is_complete = self._waits_for_colours = False
        state = self.session.state
        if state.slide is None or state.limits is None:
            return
        camera = self.viewer.scene.camera
        self._looked_at = (camera.center, camera.zoom) if state.slide.path == self._path else None
        self._path = state.slide.path
        slide, self._pixels = state.slide, self.session.opened.pixels
        shown = self._first_look.take(self._pixels)
        self._source, self._layers = shown.source, shown.stains
        stains = specs.channel_specs(slide, state.limits, self._pixels.stains)
        for layer, spec in zip(self._layers, stains, strict=False):  # some of them may be there already
            self._follow(layer, spec)
        if shown.colours is not None:  # and so they all are
            self._layers.append(shown.colours)
            self._colour_in(shown.colours)
        else:
            steps: list[Callable[[], object]] = [partial(self._add_stain, spec) for spec in stains[len(self._layers) :]]
            self._in_turns([*steps, self._add_colours])
        self._show_title()

    def _in_turns(self, steps: Sequence[Callable[[], object]]) -> None:
        slide = self.session.state.slide
        in_turns(self.session.jobs, steps, lambda: self.session.state.slide is slide and self._viewer() is not None)

    def _take_turn(self, in_front: bool) -> None:
        self._show_title()
        self._show_selected()

    def _show_title(self) -> None:
        slide = self.session.state.slide
        if self.session.state.in_front:
            self.viewer.title = "napari-spatia" if slide is None else f"{slide.name} - napari-spatia"

    def _add_stain(self, spec: specs.LayerSpec) -> None:
        self._follow(self._add(spec), spec)

    def _follow(self, layer: Layer, spec: specs.LayerSpec) -> None:
        """The pictures of cells follow what a person makes of a stain's colour and contrast."""

        def follow(event: Event) -> None:
            slide = self.session.state.slide
            if slide is not None and layer in self._layers:
                low, high = (float(limit) for limit in layer.contrast_limits)
                red, green, blue = (float(part) for part in layer.colormap.map(np.array([1.0]))[0][:3])
                self.session.set_stain_look(spec.options["name"], (low, high), (red, green, blue))

        layer.events.contrast_limits.connect(follow)
        layer.events.colormap.connect(follow)

    def _add_colours(self) -> None:
        state = self.session.state
        assert state.slide is not None and self._pixels is not None, "its stains are shown"
        spec = specs.colours_spec(state.slide.labels, self._pixels.labels, self._source, self.session)
        self._colour_in(self._add(spec))

    def _colour_in(self, layer: Image) -> None:
        """Show what there is of colours in this layer from now on."""
        state, self._colours = self.session.state, layer
        layer.opacity = state.opacity
        layer.events.opacity.connect(self._take_opacity)
        self._waits_for_colours = True
        self._rest("others", SLIDE_HEARD_MS, self._await_colours)
        self._show_lookup()
        self._show_selected()

    def _await_colours(self) -> None:
        """Colours are asked for by who hears of the slide, or by a person later."""
        if self.session.state.colour is None:
            self._add_others()
        else:
            self._rest("others", COLOURS_WITHIN_MS, self._add_others)

    def _add_others(self) -> None:
        """What is not looked at first: the window would paint the colours later by half a second."""
        if self._waits_for_colours:
            self._waits_for_colours = False
            self._in_turns([self._add_scale, self._add_selected, self._add_cells])

    def _add_scale(self) -> None:
        self.viewer.canvas.overlays.scale_bar.visible = True

    def _add_cells(self) -> None:
        """The labels as a layer of their own, hidden, for who looks for one; under the colours."""
        state = self.session.state
        assert state.slide is not None and self._pixels is not None, "its stains are shown"
        active = self.viewer.layers.selection.active
        cells = self._add(specs.cells_spec(state.slide, self._pixels.labels))
        cells.contour = 1
        if self._colours is not None:
            self.viewer.layers.move(self.viewer.layers.index(cells), self.viewer.layers.index(self._colours))
        self.viewer.layers.selection.active = active
        self._is_complete = True
        self._take_pixels()

    def _take_pixels(self, changed: Any = None) -> None:
        """Show the coarser levels that have been made, one layer a turn; camera, colours and contrast stay."""
        pixels = self.session.state.pixels
        if not self._is_complete or pixels is None or pixels is self._pixels:
            return
        self._pixels = pixels
        self._in_turns([partial(self._set_levels, layer) for layer in self._layers])

    def _set_levels(self, layer: Layer) -> None:
        assert self._pixels is not None, "they are being taken over"
        channel = layer.metadata.get(specs.CHANNEL)
        if layer not in self._layers:
            return
        if self._colours is not None and layer is self._colours:
            self._colours.data = specs.painted(self._pixels.labels, self._source)
        elif channel is not None:
            layer.data = specs.shown_levels(self._pixels.stains[channel])
        elif layer in self.layers_of(AS_CELLS) and layer.multiscale:
            layer.data = specs.shown_levels(self._pixels.labels)

    def _add(self, spec: specs.LayerSpec) -> Any:
        add = self.viewer.add_image if spec.kind == "image" else self.viewer.add_labels
        layer = add(spec.data, **spec.options)
        if spec.kind == "image":
            shade_plainly(self.viewer, layer)
        self._layers.append(layer)
        if len(self._layers) == 1:
            self._look()
        return layer

    def _look(self) -> None:
        """At the whole slide, or where the camera was: napari moves it with the first layer."""
        state = self.session.state
        if not state.in_front or state.slide is None or self._pixels is None:
            return
        if self._looked_at is None:
            look_at(self.viewer, first_window(state.slide.image, self._pixels))
        else:
            self.viewer.scene.camera.center, self.viewer.scene.camera.zoom = self._looked_at

    def _show_lookup(self, changed: Any = None) -> None:
        if self._colours is None:
            return
        state = self.session.state
        lookup = state.lookup
        if lookup is None:
            self._colours.visible = False
            return
        self._source.style = state.cell_style
        self._source.table = self.session.opened.index.table(dim_others(lookup.rgba, state.chosen))
        if self._waits_for_colours:
            self._rest("others", 0, self._add_others)  # the canvas is painted before a timer's turn comes
        self._colours._reset_thumbnail_level_data()  # napari keeps the coarsest level as it was painted first
        if self._colours.visible:
            self._colours.refresh(extent=False, highlight=False, thumbnail=False)
            self._rest("thumbnail", THUMBNAIL_REST_MS, self._show_thumbnail)
        else:
            self._colours.visible = True  # napari then refreshes the layer itself

    def _show_thumbnail(self) -> None:
        """The overlay in the list of layers, once the colours rest: the list is drawn anew with the whole window."""
        if self._colours is not None and self._viewer() is not None and self.session.state.in_front:
            self._colours.refresh(extent=False, highlight=False, data_displayed=False)

    def _show_opacity(self, opacity: float) -> None:
        if self._colours is not None:
            self._colours.opacity = opacity

    def _take_opacity(self, event: Event) -> None:
        self.session.state.opacity = float(event.source.opacity)

    def _show_selected(self, selected: str | None = None) -> None:
        """The outline of the selected cell, which is read and drawn behind its card, while its slide is in front."""
        state = self.session.state
        card, slide = state.card, state.slide
        if not state.in_front:
            return
        if card is None or slide is None:
            self.session.jobs.cancel("outline")
            if self._selected is not None:
                self._selected.data = []
            return
        finest = self.session.opened.pixels.labels[0]

        def accept(outline: NDArray[np.float64]) -> None:
            shown = state.in_front and state.slide is slide and self._viewer() is not None
            if shown and state.selected == card.cell_id:
                self._draw_selected(outline)

        self.session.jobs.submit("outline", lambda progress: specs.cell_outline(slide, finest, card.cell_idx), accept)

    def _draw_selected(self, outline: NDArray[np.float64]) -> None:
        self._add_selected()
        assert self._selected is not None, "it has just been added"
        with self._selected.events.blocker_all():  # the empty layer would be sent to the screen as well
            self._selected.data = []
        # a closed line, not a polygon: napari would fill it with triangles that nobody sees
        self._selected.add_paths(np.vstack([outline, outline[:1]]), edge_color="white", edge_width=self._outline_um)

    @property
    def _outline_um(self) -> float:
        """How wide the outline is drawn, so that it is a line on the screen at any zoom."""
        return OUTLINE_PX / max(self.viewer.scene.camera.zoom, 1e-3)

    def _fit_outline(self, view_um: Window | None = None) -> None:
        """Once the camera rests: a line that was drawn from afar would hide the cell from near by."""
        if self._selected is None or self._viewer() is None:
            return
        widths = [self._outline_um] * self._selected.nshapes
        if self._selected.edge_width != widths:  # a pan changes nothing, and would cost a frame
            self._selected.edge_width = widths
            self._selected.events.edge_width()  # which napari leaves out, and the canvas waits for

    def _add_selected(self) -> None:
        """Once a slide, before a click waits for it; anew where a person took it off the list."""
        if self._selected is not None:
            return
        active = self.viewer.layers.selection.active
        self._selected = self.viewer.add_shapes(name=specs.SELECTED, ndim=2, opacity=1.0, **specs.OWN)
        keep_shaders(self.viewer, self._selected)
        self._layers.append(self._selected)
        self.viewer.layers.selection.active = active

    def _forget(self, event: Event) -> None:
        """A person took a layer off the list."""
        removed = event.value
        self._layers = [layer for layer in self._layers if layer is not removed]
        self._colours = None if removed is self._colours else self._colours
        self._selected = None if removed is self._selected else self._selected

    # -- clicks → session -----------------------------------------------------------------------------------------

    def _on_press(self, viewer: ViewerModel, event: Event) -> Iterator[None]:
        """A left click without modifiers, while no layer is being drawn on, is a click on a cell."""
        active = viewer.layers.selection.active
        drawing = active is not None and str(getattr(active, "mode", "pan_zoom")) not in ("pan_zoom", "transform")
        state = self.session.state
        busy = drawing or state.tool not in ("", NEIGHBOURS) or not state.in_front
        if event.button != 1 or event.modifiers or busy or state.slide is None:
            return
        start = np.asarray(event.pos, dtype=float)
        farthest = 0.0
        yield
        while event.type == "mouse_move":
            farthest = max(farthest, float(np.abs(np.asarray(event.pos) - start).max()))
            yield
        if farthest <= CLICK_RADIUS_PX:
            self.click(float(event.position[-2]), float(event.position[-1]))

    def click(self, y_um: float, x_um: float) -> str | None:
        """Select the cell at a point of the slide, and annotate it when a class is armed; returns its id.

        While neighbours are being marked, it is marked.
        """
        cell_id = self.session.cell_at(y_um, x_um)
        if cell_id is None:
            return None
        if self.session.state.tool == NEIGHBOURS:
            self._mark(cell_id)
            return cell_id
        armed = self.session.state.armed_class
        if armed is not None:
            self.session.annotate(cell_id, armed)
        self.session.select_cell(cell_id)
        return cell_id

    def _mark(self, cell_id: str) -> None:
        try:
            self.session.mark_neighbour(cell_id)
        except SpatiaError as error:
            self.session.tell_error(str(error))
