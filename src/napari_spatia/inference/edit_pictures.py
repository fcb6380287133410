"""One edited cell for other programs and other people: pictures, intensities, a moving sweep, a table of features.

C channels, H × W crop pixels. Whatever shows a counterfactual says so, in the picture and in the file.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

from napari_spatia.data import picture
from napari_spatia.data.cell_names import cell_name
from napari_spatia.data.morphology import features_of, measure, nuclear_channel
from napari_spatia.data.picture import COUNTERFACTUAL, FloatImage, Limits, Picture, TitledPicture
from napari_spatia.files import staged_file

if TYPE_CHECKING:
    from napari_spatia.inference.edits import Edit
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.resolve import ResolvedEdit

REAL, ZERO_EDIT, EDITED, DIFFERENCE = PICTURES = ("real", "zero edit", "counterfactual", "difference")
LONGEST_TITLE = 32
FRAME_MS = 160
SEED_COLUMNS = ["change_mean", "change_sd", "unedited_sd", "seeds", "changed"]
"""Of `Evidence.table`: what other noise makes of a change."""


@dataclass(frozen=True, slots=True)
class EditPictures:
    """A cell and its counterfactual, shown in ``limits`` `(C, 2)` and ``colours`` `(C, 3)` (those of the stains' names
    by default) of the model's channels. ``recipe`` goes into the files.
    """

    selected: "SelectedCell"
    resolved: "ResolvedEdit"
    edited: "Counterfactual"
    limits: Limits
    colours: FloatImage | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, str]:
        """What a picture file says of itself."""
        return {"Title": COUNTERFACTUAL, "Comment": json.dumps(dict(self.recipe), default=str)}

    def panel(self, pictures: Sequence[str] = PICTURES, side_px: int = 320) -> Picture:
        """The named pictures beside each other, each ``side_px`` wide and high, with a title."""
        return picture.panel_row([self._titled(name, side_px) for name in pictures])

    def _titled(self, name: str, side_px: int) -> TitledPicture:
        before, psnr = self.edited.cell.zero_edit, self.edited.cell.zero_edit_psnr_db
        if name == REAL:
            return TitledPicture(cell_name(self.selected.cell_id), self.shown(self.selected.real, side_px))
        if name == ZERO_EDIT:
            return TitledPicture(f"zero edit, {psnr:.1f} dB", self.shown(before, side_px))
        if name == EDITED:
            shown = picture.with_counterfactual_mark(self.shown(self.edited.image, side_px))
            return TitledPicture(edit_title(self.resolved), shown)
        change = picture.at_side(picture.difference(before, self.edited.image, self.limits), side_px)
        return TitledPicture("difference to zero edit", picture.with_counterfactual_mark(change))

    def shown(self, image: FloatImage, side_px: int) -> Picture:
        """`(side_px, side_px, 3)` one picture in colours, with a scale bar."""
        made = picture.composite(image, self.selected.channels, self.limits, self.colours)
        um_per_px = self.selected.um_per_px * made.shape[0] / side_px
        return picture.with_scale_bar(picture.at_side(made, side_px), um_per_px)

    def sweep(
        self, name: str, doses: Sequence[float], drawn: Sequence["Counterfactual"], side_px: int
    ) -> list[Picture]:
        """A picture for each dose of the gene or programme ``name``: above it the dose, and what else is edited."""
        others = self.resolved.edit.without_term(name).active()
        beside = (
            f", with {edit_words(others, f'{len(others.terms)} other edits')}" if others.terms or others.niche else ""
        )
        return [
            picture.panel_row(
                [
                    TitledPicture(
                        f"{name.rpartition(':')[2]} {dose:+.2f}{beside}",
                        picture.with_counterfactual_mark(self.shown(each.image, side_px)),
                    )
                ]
            )
            for dose, each in zip(doses, drawn, strict=True)
        ]


def edit_title(resolved: "ResolvedEdit") -> str:
    """An edit in the room above a picture."""
    return edit_words(resolved.edit, f"{len(resolved.changed)} genes")


def edit_words(edit: "Edit", in_short: str) -> str:
    """The terms of an edit and its niche, or where that is long ``in_short``."""
    parts = [f"{key.rpartition(':')[2]} {round(value, 2):+g}" for key, value in edit.terms]
    parts += [] if edit.niche is None else [f"niche: {edit.niche}"]
    words = ", ".join(parts) or "no edit"
    return words if len(words) < LONGEST_TITLE else in_short + ", niche" * bool(edit.niche)


def save_tiff(made: EditPictures, path: Path) -> Path:
    """Intensities as an OME-TIFF, whole or not at all: three `(C, H, W)` float32 images in the slide's units."""
    cell, title = made.selected, edit_title(made.resolved)
    name = cell_name(cell.cell_id)
    images = (
        (f"real: {name}", cell.real),
        (f"zero edit of {name}", made.edited.cell.zero_edit),
        (f"{COUNTERFACTUAL} of {name}: {title}", made.edited.image),
    )
    with staged_file(path) as staged, tifffile.TiffWriter(staged, ome=True) as file:
        for said, image in images:
            file.write(
                image,
                photometric="minisblack",
                metadata={
                    "axes": "CYX", "Name": said, "Channel": {"Name": list(cell.channels)},
                    "PhysicalSizeX": cell.um_per_px, "PhysicalSizeXUnit": "µm",
                    "PhysicalSizeY": cell.um_per_px, "PhysicalSizeYUnit": "µm",
                    "Description": made.notes["Comment"],
                },
            )  # fmt: skip
    return path


def save_gif(frames: Sequence[Picture], path: Path, comment: str) -> Path:
    """Pictures `(H, W, 3)` of one size as a film that goes there and back for ever, whole or not at all."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    first, *others = (Image.fromarray(frame) for frame in there_and_back)
    with staged_file(path) as staged:
        first.save(
            staged, format="GIF", save_all=True, append_images=others, duration=FRAME_MS, loop=0,
            comment=f"{COUNTERFACTUAL}: {comment}".encode(),
        )  # fmt: skip
    return path


def save_features(made: EditPictures, path: Path, evidence: "Evidence | None" = None) -> Path:
    """All of `features_of` the cell, before and after, as a CSV, whole or not at all.

    A line a feature, in its own unit; ``change`` is of the counterfactual against the zero edit. With ``evidence`` the
    changes' mean and standard deviation over noise seeds follow, and whether the change exceeds them.
    """
    cell, edited = made.selected, made.edited
    nucleus = nuclear_channel(cell.channels)
    real, before, after = (
        measure(image, mask, cell.channels, nucleus, cell.um_per_px)
        for image, mask in (
            (cell.real, cell.mask),
            (edited.cell.zero_edit, cell.mask),
            (edited.image, edited.mask >= 0.5),
        )
    )
    over_seeds = {} if evidence is None else {row["feature"]: row for row in evidence.table()}
    columns = ["cell_id", "edit", "feature", "unit", "real", "zero_edit", "counterfactual", "change"]
    columns += [] if evidence is None else SEED_COLUMNS
    with staged_file(path) as staged, staged.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        for feature in features_of(cell.channels):
            key = feature.key
            values = [real[key], before[key], after[key], after[key] - before[key]]
            values += [over_seeds[key][column] for column in SEED_COLUMNS if over_seeds]
            words = [cell.cell_id, edit_title(made.resolved), key, feature.unit]
            lines.writerow([*words, *("" if np.isnan(value) else f"{value:.6g}" for value in values)])
    return path
