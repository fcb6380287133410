"""A counterfactual put back where its cell lies on the slide. C channels, H × W crop pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from napari_spatia.data.crops import first_grid_px
from napari_spatia.data.slide import Slide
from napari_spatia.inference.edits import Edit

if TYPE_CHECKING:
    from napari_spatia.inference.edit_many import EditedCells
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell

CELL, CROP = EXTENTS = ("cell", "crop")
"""What of a counterfactual lies over the slide: the drawn cell, or all that was drawn around it too."""
FEATHER_UM = 0.8
"""How far beyond the cell its patch fades out."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One cell before and after an edit, on the grid of `data.crops`: its pixel (0, 0) spans ``first_px`` …
    ``first_px + 1`` times ``um_per_px`` in the slide's frame.

    ``before`` (the zero edit) and ``after`` are `(C, H, W)` float32 in slide units, ``channels`` the names of theirs on
    the slide. ``mask`` `(H, W)` float32 in [0, 1] is the cell as it is drawn, ``weight`` `(H, W)` float32 in [0, 1]
    how much of the patch covers the slide: 1 where the cell is or was, and less and less around it.
    """

    cell_id: str
    first_px: tuple[int, int]
    um_per_px: float
    channels: tuple[str, ...]
    before: NDArray[np.float32] = field(repr=False)
    after: NDArray[np.float32] = field(repr=False)
    mask: NDArray[np.float32] = field(repr=False)
    weight: NDArray[np.float32] = field(repr=False)

    @property
    def corner_um(self) -> tuple[float, float]:
        """(y, x) of the outer corner of pixel (0, 0) in the slide's frame."""
        return self.first_px[0] * self.um_per_px, self.first_px[1] * self.um_per_px


@dataclass(frozen=True, slots=True)
class AppliedEdit:
    """One edit and the patches of all cells that it was applied to, in the order of the slide's table."""

    edit: Edit
    patches: tuple[Patch, ...] = field(repr=False)


def patch_of(
    cell: "SelectedCell", edited: "Counterfactual", center_um: NDArray[np.float64], channel_map: Mapping[str, str]
) -> Patch:
    """The patch of a cell whose crop lies around ``center_um`` (y, x); ``channel_map`` names the slide's channels."""
    y, x = first_grid_px(center_um, cell.um_per_px, edited.image.shape[-1])
    return Patch(
        cell_id=cell.cell_id,
        first_px=(int(y), int(x)),
        um_per_px=cell.um_per_px,
        channels=tuple(channel_map.get(name, name) for name in cell.channels),
        before=edited.cell.zero_edit,
        after=edited.image,
        mask=edited.mask,
        weight=feathered(cell.mask | (edited.mask >= 0.5), cell.um_per_px),
    )


def patches_of(drawn: "EditedCells", slide: Slide, channel_map: Mapping[str, str]) -> tuple[Patch, ...]:
    """The patches of many cells of a slide."""
    first = first_grid_px(slide.centers_um[drawn.cell_idx], drawn.um_per_px, drawn.after.shape[-1])
    channels = tuple(channel_map.get(name, name) for name in drawn.channels)
    return tuple(
        Patch(
            cell_id=str(slide.cell_id[row]),
            first_px=(int(first[number, 0]), int(first[number, 1])),
            um_per_px=drawn.um_per_px,
            channels=channels,
            before=drawn.before[number],
            after=drawn.after[number],
            mask=drawn.mask[number],
            weight=feathered(drawn.was_cell[number] | (drawn.mask[number] >= 0.5), drawn.um_per_px),
        )
        for number, row in enumerate(drawn.cell_idx.tolist())
    )


def feathered(inside: NDArray[np.bool_], um_per_px: float) -> NDArray[np.float32]:
    """`(H, W)` 1 inside, falling to 0 over `FEATHER_UM` around it; where nothing is inside, 0."""
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    return np.clip(1 - distance_transform_edt(~inside) * um_per_px / FEATHER_UM, 0, 1).astype(np.float32)
