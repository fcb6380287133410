"""Counterfactuals over the slide: one layer for the selected cell's, one for an edit of many cells.

napari takes 0.3 s to add a layer, to show one or to write a word for the first time, and a few ms to replace pixels:
the selected cell's layer is added once for a slide and a model, as large as its pictures, and is clear while no cell
is edited.
"""

import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.events import Event

from napari_spatia.data.crops import first_grid_px
from napari_spatia.data.element_list import AS_IMAGE
from napari_spatia.session.patches import AppliedEdit, Patch
from napari_spatia.session.session import Session
from napari_spatia.viewer.layers import CHANNEL, OWN
from napari_spatia.viewer.patch_paint import (
    ENLARGE,
    LABEL_PX,
    LUT_SIZE,
    AppliedPatches,
    Looks,
    RgbaPicture,
    StainLook,
    mark_of,
    paint_patch,
    picture_shape,
)
from napari_spatia.viewer.plain_shader import shade_plainly
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.viewer.slide_view import SlideView
from napari_spatia.viewer.warm_up import is_warm, warm_up

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import SelectedCell

COUNTERFACTUAL = "counterfactual"
"""What the layers' names begin with."""
EVERY_MS, SLOW_MS, HAND_RESTS_MS = 60, 30, 300
"""While a slider is held the slide follows every `EVERY_MS`; where one of the last pictures took longer than `SLOW_MS`
to be painted, as where no graphics card helps, it follows once the hand has rested for `HAND_RESTS_MS`: the picture in
the dock is not to be held up.
"""
FRAMES_REMEMBERED = 5
LOOK_EVENTS = ("contrast_limits", "colormap", "gamma", "opacity", "visible")
TEXT_COLOUR, BOX_COLOUR, UNSEEN = "#ffcd3c", "black", "transparent"
LETTERS_A_TURN, CELLS_SPELLED = 5, 100
"""napari draws each letter of a window once, in 8 ms: those of the mark and of so many cells' names are made ready."""


class PatchView:
    """Shows the patches of a session in a viewer."""

    def __init__(self, viewer: ViewerModel, session: Session, view: SlideView, rest: Rest = at_once) -> None:
        self._viewer = weakref.ref(viewer)
        self._session, self._view = session, view
        self._rest = rest
        self._waits = False
        self._took_ms = deque([math.inf], maxlen=FRAMES_REMEMBERED)
        self._is_patched = False
        self._layer: Image | None = None
        self._named = COUNTERFACTUAL
        self._many: Image | None = None
        self._applied: AppliedPatches | None = None
        self._stains: list[Image] = []
        events = session.state.events
        self._heard: tuple[tuple[Any, Callable[..., None]], ...] = (
            (events.slide, self._leave_slide),
            (events.bound, self._prepare),
            (events.cell, self._go_to_cell),
            (events.counterfactual, self._ask),
            (events.applied, self._show_applied),
            (events.patches_shown, self._show_all),
            (events.patches_before, self._show_all),
            (events.patch_extent, self._show_all),
            (events.in_front, self._show_all),
        )
        for signal, heard in self._heard:
            signal.connect(heard)
        viewer.layers.events.removed.connect(self._forget)

    def close(self) -> None:
        """Let go of the viewer and the session; the layers stay."""
        for signal, heard in self._heard:
            signal.disconnect(heard)
        self._listen_to([])
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.removed.disconnect(self._forget)

    # -- when -----------------------------------------------------------------------------------------------------

    def _ask(self, changed: Any = None) -> None:
        """Show the newest patch at once, or while a slider is held soon, with what comes in the meantime."""
        if self._session.state.edit.gesture is None:
            if self._session.patch is None:
                self._show_patch()  # not a moment longer than what it belongs to
            else:
                self._rest("patch", 0, self._show_in_turn)
        elif max(self._took_ms) > SLOW_MS:
            self._rest("patch", HAND_RESTS_MS, self._show_in_turn)  # each picture begins the pause anew
        elif not self._waits:
            self._waits = True
            self._rest("patch", EVERY_MS, self._show_in_turn)

    def _show_in_turn(self) -> None:
        began = time.perf_counter()

        def painted() -> None:
            self._took_ms.append(1000 * (time.perf_counter() - began))

        self._show_patch()
        self._rest("patch painted", 0, painted)  # the canvas is painted before a timer's turn comes

    def _show_all(self, changed: Any = None) -> None:
        self._show_patch()
        self._paint_applied()

    # -- the selected cell ----------------------------------------------------------------------------------------

    def _prepare(self, bound: bool) -> None:
        """Before a slider moves: the layer, and the corner's letters, a few in each turn of the window's loop."""
        if bound and self._layer is None:
            letters = "".join(sorted({*mark_of(False), *"".join(self._session.slide.cell_id[:CELLS_SPELLED])}))
            few = [letters[at : at + LETTERS_A_TURN] for at in range(0, len(letters), LETTERS_A_TURN)]
            writing = [partial(self._write_unseen, words) for words in few]
            steps: list[Callable[[], None]] = [self._show_patch, *writing, self._end_preparing]
            self._session.jobs.submit("patch layer", lambda progress: warm_up(), lambda done: self._take_turns(steps))

    def _take_turns(self, steps: Sequence[Callable[[], None]]) -> None:
        steps[0]()
        if len(steps) > 1:
            self._rest("patch prepared", 0, partial(self._take_turns, steps[1:]))  # the canvas is painted before

    def _write_unseen(self, words: str) -> None:
        viewer = self._viewer()
        if viewer is not None and self._session.state.in_front and not self._is_patched:
            self._write(viewer, words, UNSEEN, UNSEEN)

    def _end_preparing(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            self._show_visible(viewer)

    def _leave_slide(self, changed: Any = None) -> None:
        viewer, gone = self._viewer(), [layer for layer in (self._layer, self._many) if layer is not None]
        self._layer = self._many = self._applied = None
        for layer in gone:
            if viewer is not None:
                viewer.layers.remove(layer)

    def _show_patch(self) -> None:
        self._waits = False
        viewer, state, patch = self._viewer(), self._session.state, self._session.patch
        if viewer is None:
            return
        self._is_patched = patch is not None
        if self._layer is None and state.bound and state.patches_shown and is_warm():  # else it is being prepared
            self._layer, self._named = self._add_clear(viewer), COUNTERFACTUAL
        if self._layer is not None and (patch is None or state.patches_shown):
            self._fill(viewer, self._layer, patch)
        self._show_visible(viewer)

    def _add_clear(self, viewer: ViewerModel) -> Image:
        """The layer with nothing to be seen on it, where the slide is."""
        slide, info = self._session.slide, self._session.state.checkpoint
        assert info is not None, "the slide is bound to it"
        y, x = first_grid_px(slide.centers_um[0], info.um_per_px, info.crop_px) * info.um_per_px
        clear = np.zeros(picture_shape(info.crop_px, info.crop_px), np.uint8)
        return self._add(viewer, clear, name=COUNTERFACTUAL, **_place((float(y), float(x)), info.um_per_px))

    def _go_to_cell(self, cell: "SelectedCell | None") -> None:
        """Bring the layer to a cell that was read, while nothing moves: napari then reads all layers again."""
        viewer = self._viewer()
        if cell is not None and viewer is not None and self._layer is not None:
            center, size_px = self._session.slide.centers_um[cell.cell_idx], cell.real.shape[-1]
            y, x = first_grid_px(center, cell.um_per_px, size_px) * cell.um_per_px
            self._move(viewer, self._layer, (float(y), float(x)), cell.um_per_px)

    def _move(self, viewer: ViewerModel, layer: Image, corner_um: tuple[float, float], um_per_px: float) -> None:
        if _placed(layer, corner_um, um_per_px):
            self._over_the_others(viewer, layer)

    def _fill(self, viewer: ViewerModel, layer: Image, patch: Patch | None) -> None:
        if patch is None:
            if self._named != COUNTERFACTUAL:
                self._rename(layer, COUNTERFACTUAL)
                _replace(layer, np.zeros_like(layer.data))
            return
        state = self._session.state
        picture = paint_patch(patch, self._looks(viewer), state.patch_extent, state.patches_before)
        name = f"{COUNTERFACTUAL}: {patch.cell_id}"
        if self._named != name:
            self._rename(layer, name)
        self._move(viewer, layer, patch.corner_um, patch.um_per_px)
        _replace(layer, picture)

    def _rename(self, layer: Image, name: str) -> None:
        """What follows in its name is the slide's, where there are several."""
        layer.name = layer.name.replace(self._named, name, 1)
        self._named = name

    # -- many cells -----------------------------------------------------------------------------------------------

    def _show_applied(self, applied: AppliedEdit | None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        if self._many is not None:
            gone, self._many = self._many, None
            viewer.layers.remove(gone)
        self._applied = None if applied is None else AppliedPatches(applied.patches)
        if self._applied is not None and applied is not None:
            self._applied.looks, self._applied.before = self._looks(viewer), self._session.state.patches_before
            half = self._applied.um_per_px / 2
            y, x = self._applied.corner_um
            self._many = self._add(
                viewer, self._applied.levels, name=f"{COUNTERFACTUAL}: {len(applied.patches)} cells", multiscale=True,
                scale=(2 * half, 2 * half), translate=(y + half, x + half),
            )  # fmt: skip
            if self._layer is not None:
                self._over_the_others(viewer, self._layer)
        self._show_visible(viewer)

    def _paint_applied(self) -> None:
        viewer = self._viewer()
        if viewer is not None and self._applied is not None and self._many is not None:
            self._applied.looks, self._applied.before = self._looks(viewer), self._session.state.patches_before
            self._many.refresh(extent=False, highlight=False)

    # -- both -----------------------------------------------------------------------------------------------------

    def _add(self, viewer: ViewerModel, data: Any, **options: Any) -> Image:
        """A layer over all others. With a test of depth, one translucent layer would hide the others in its plane."""
        active = viewer.layers.selection.active
        layer = viewer.add_image(
            data, rgb=True, blending="translucent_no_depth", interpolation2d="nearest", **OWN, **options
        )
        shade_plainly(viewer, layer)
        viewer.layers.selection.active = active
        return layer

    def _show_visible(self, viewer: ViewerModel) -> None:
        """What is on screen, and in the corner of the canvas the word for it."""
        state = self._session.state
        if not state.in_front:  # the canvas speaks of the slide that is
            return
        names = []
        for layer in (self._layer, self._many):
            if layer is not None and layer.visible != state.patches_shown:
                layer.visible = state.patches_shown  # also setting it to what it is costs napari a new scene
        if self._layer is not None and self._is_patched:
            names.append(self._named.removeprefix(f"{COUNTERFACTUAL}: "))
        if self._many is not None and state.applied is not None:
            names.append(f"{len(state.applied.patches)} cells")
        text = viewer.canvas.overlays.text
        words = f"{mark_of(state.patches_before)}\n{', '.join(names)}" if state.patches_shown and names else ""
        if text.visible != bool(words) or text.text != words:
            self._write(viewer, words, TEXT_COLOUR, BOX_COLOUR)
        if not names:
            self._listen_to([])

    def _write(self, viewer: ViewerModel, words: str, colour: str, box_colour: str) -> None:
        text = viewer.canvas.overlays.text
        text.color, text.box_color, text.position = colour, box_colour, "top_left"
        text.visible = bool(words)
        text.text = words  # last: its box is measured then

    def _looks(self, viewer: ViewerModel) -> Looks:
        """How the slide's stains look now; from now on their changes are followed."""
        slide = self._session.state.slide
        layers = [] if slide is None else self._view.layers_of(AS_IMAGE)
        self._listen_to([layer for layer in layers if isinstance(layer, Image) and layer in viewer.layers])
        return {
            slide.channels[layer.metadata[CHANNEL]]: look_of(layer)
            for layer in self._stains
            if slide is not None and layer.visible
        }

    def _listen_to(self, stains: list[Image]) -> None:
        for layer in [layer for layer in self._stains if layer not in stains]:
            for name in LOOK_EVENTS:
                layer.events[name].disconnect(self._look_again)
        for layer in [layer for layer in stains if layer not in self._stains]:
            for name in LOOK_EVENTS:
                layer.events[name].connect(self._look_again)
        self._stains = stains

    def _look_again(self, event: Event | None = None) -> None:
        self._rest("patch looks", EVERY_MS, self._show_all)

    def _over_the_others(self, viewer: ViewerModel, layer: Image) -> None:
        """Move a layer over those of the slide and over the patches of many: its dashes are seen."""
        layers = viewer.layers
        below = [other for other in (*self._view.layers, self._many) if other is not None and other in layers]
        highest = max((layers.index(other) for other in below), default=-1)
        if layers.index(layer) < highest:
            layers.move(layers.index(layer), highest + 1)

    def _forget(self, event: Event) -> None:
        """A person took a layer off the list: what was on it is not to be seen until it is asked for again."""
        removed, session = event.value, self._session
        if removed is self._layer:
            self._layer = None
            session.show_patches(False)
        elif removed is self._many:
            self._many = self._applied = None
            session.forget_applied()


def _place(corner_um: tuple[float, float], um_per_px: float) -> dict[str, tuple[float, float]]:
    """Where the layer of a crop whose outer corner is given lies, under its label."""
    step = um_per_px / ENLARGE
    translate = corner_um[0] + (0.5 - LABEL_PX) * step, corner_um[1] + 0.5 * step
    return {"scale": (step, step), "translate": translate}


def _placed(layer: Image, corner_um: tuple[float, float], um_per_px: float) -> bool:
    """Place the layer of a crop; tells whether it was elsewhere."""
    place = _place(corner_um, um_per_px)
    if tuple(layer.scale) != place["scale"]:
        layer.scale = place["scale"]
    if tuple(layer.translate) != place["translate"]:
        layer.translate = place["translate"]
        return True
    return False


def _replace(layer: Image, picture: RgbaPicture) -> None:
    """New pixels for a layer; those of the same size are written over the old ones."""
    if layer.data.shape != picture.shape:
        layer.data = np.array(picture)
        return
    np.copyto(layer.data, picture)
    layer.refresh(extent=False, highlight=False, thumbnail=False)


def look_of(layer: Image) -> StainLook:
    """How an image layer of one stain shows its values."""
    share = np.linspace(0, 1, LUT_SIZE) ** layer.gamma
    lut = np.asarray(layer.colormap.map(share)[:, :3] * layer.opacity, np.float32)
    low, high = layer.contrast_limits
    return StainLook((float(low), float(high)), lut)
