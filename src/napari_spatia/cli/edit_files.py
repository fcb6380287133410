"""The files of one edited cell: pictures that say counterfactual, arrays, and the recipe to make them again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spatia.data import picture
from napari_spatia.data.picture import Limits
from napari_spatia.data.slide import Slide
from napari_spatia.files import staged_file
from napari_spatia.inference.edit_pictures import EditPictures

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.resolve import ResolvedEdit

SWEEP_LOG2_FC = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""The doses of a sweep; 0 among them is the picture without the swept gene's edit."""
_SIDE_PX, _SWEEP_SIDE_PX = 320, 192


def display_limits_of(selected: "SelectedCell", slide: Slide, channel_map: Mapping[str, str]) -> Limits:
    """The slide's display limits, in the order of the model's channels."""
    of_slide = picture.slide_limits(slide.image)
    return picture.limits_by_channel(selected.channels, selected.zero_edit, slide.channels, of_slide, channel_map)


def _rounded(log2_fc: Mapping[str, float]) -> dict[str, float]:
    """Largest change first."""
    return {gene: round(value, 3) for gene, value in sorted(log2_fc.items(), key=lambda item: -abs(item[1]))}


@dataclass(frozen=True, slots=True)
class EditedCell:
    """One cell, its edit, its counterfactual, those of a sweep (empty without one), and how to draw it again."""

    selected: "SelectedCell"
    resolved: "ResolvedEdit"
    edited: "Counterfactual"
    evidence: "Evidence"
    sweep: str | None
    doses: Sequence["Counterfactual"]
    limits: Limits
    recipe: Mapping[str, Any]

    def values(self, cell_types: Sequence[str]) -> dict[str, Any]:
        """What was asked for and what came of it."""
        probability = np.asarray(self.edited.type_probability)
        likely = np.argsort(-probability)[:3]
        values: dict[str, Any] = {
            **self.recipe,
            "changed": _rounded(self.resolved.changed),
            "stopped_at_zero": list(self.resolved.stopped),
            "following": list(self.resolved.following),
            "edit_notes": list(self.resolved.notes),
            "render_ms": round(self.edited.ms, 1),
            "zero_edit_psnr_db": round(float(self.selected.zero_edit_psnr_db), 2),
            "reach_percentile": round(self.evidence.reach_percentile, 1),
            **self.evidence.to_dict(),
            "counterfactual_types": {cell_types[i]: round(float(probability[i]), 3) for i in likely},
        }
        if self.sweep:
            values["sweep"] = {"gene": self.sweep, "log2_fc": list(SWEEP_LOG2_FC)}
        return values

    def write(self, folder: Path, values: Mapping[str, Any]) -> list[Path]:
        """Write everything into ``folder``; ``values`` is the recipe."""
        made = EditPictures(self.selected, self.resolved, self.edited, self.limits, recipe=values)
        files = [picture.save_picture(made.panel(side_px=_SIDE_PX), folder / "perturb.png", made.notes)]
        if self.sweep:
            frames = made.sweep(self.sweep, SWEEP_LOG2_FC, self.doses, _SWEEP_SIDE_PX)
            files.append(picture.save_picture(np.hstack(frames), folder / "sweep.png", made.notes))
        files.append(self._write_arrays(folder / "perturb.npz"))
        with staged_file(folder / "perturb.json") as staged:
            staged.write_text(json.dumps(values, indent=2, default=str) + "\n", encoding="utf-8")
        return [*files, folder / "perturb.json"]

    def _write_arrays(self, path: Path) -> Path:
        arrays = {
            "cell_id": self.selected.cell_id,
            "real": self.selected.real,
            "zero_edit": self.selected.zero_edit,
            "counterfactual": self.edited.image,
            "mask": self.edited.mask,
            "um_per_px": self.selected.um_per_px,
            "channels": self.selected.channels,
        }
        if self.sweep:
            arrays |= {"sweep": np.stack([drawn.image for drawn in self.doses]), "sweep_log2_fc": SWEEP_LOG2_FC}
        with staged_file(path) as staged, staged.open("wb") as file:
            np.savez(file, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
        return path
