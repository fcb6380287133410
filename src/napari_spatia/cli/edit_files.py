"""The files of one edited cell: pictures that say counterfactual, arrays, and the recipe to make them again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spatia.data import picture
from napari_spatia.data.picture import Limits, Picture, TitledPicture
from napari_spatia.data.slide import Slide
from napari_spatia.files import staged_file
from napari_spatia.inference.edit_file import to_plain

if TYPE_CHECKING:
    from napari_spatia.inference.evidence import Evidence
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell
    from napari_spatia.inference.resolve import ResolvedEdit

SWEEP_LOG2_FC = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""The doses of a sweep; 0 among them is the picture without the swept gene's edit."""
_ENLARGE, _SWEEP_ENLARGE = 5, 3


def display_limits_of(selected: "SelectedCell", slide: Slide, channel_map: Mapping[str, str]) -> Limits:
    """The slide's display limits, in the order of the model's channels."""
    of_slide = picture.slide_limits(slide.image)
    return picture.limits_by_channel(selected.channels, selected.zero_edit, slide.channels, of_slide, channel_map)


def _rounded(log2_fc: Mapping[str, float]) -> dict[str, float]:
    """Largest change first."""
    return {gene: round(value, 3) for gene, value in sorted(log2_fc.items(), key=lambda item: -abs(item[1]))}


@dataclass(frozen=True, slots=True)
class EditedCell:
    """One cell, its edit, its counterfactual, and the counterfactuals of a sweep (empty without one)."""

    selected: "SelectedCell"
    resolved: "ResolvedEdit"
    edited: "Counterfactual"
    evidence: "Evidence"
    sweep: str | None
    doses: Sequence["Counterfactual"]
    limits: Limits

    def values(self, cell_types: Sequence[str]) -> dict[str, Any]:
        """What was asked for and what came of it."""
        probability = np.asarray(self.edited.type_probability)
        likely = np.argsort(-probability)[:3]
        values: dict[str, Any] = {
            "cell_id": self.selected.cell_id,
            **to_plain(self.resolved.edit),
            "changed": _rounded(self.resolved.changed),
            "stopped_at_zero": list(self.resolved.stopped),
            "following": list(self.resolved.following),
            "edit_notes": list(self.resolved.notes),
            "nfe": self.edited.nfe,
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
        notes = {"Title": picture.COUNTERFACTUAL, "Comment": json.dumps(values, default=str)}
        files = [picture.save_png(self._panel(), folder / "perturb.png", notes)]
        if self.sweep:
            files.append(picture.save_png(self._strip(), folder / "sweep.png", notes))
        files.append(self._write_arrays(folder / "perturb.npz"))
        with staged_file(folder / "perturb.json") as staged:
            staged.write_text(json.dumps(values, indent=2, default=str) + "\n", encoding="utf-8")
        return [*files, folder / "perturb.json"]

    def _panel(self) -> Picture:
        before, after = self.selected.zero_edit, self.edited.image
        change = picture.enlarge(picture.difference(before, after, self.limits), _ENLARGE)
        return picture.panel_row(
            [
                TitledPicture(f"cell {self.selected.cell_id}", self._shown(self.selected.real, _ENLARGE)),
                TitledPicture(f"zero edit, {self.selected.zero_edit_psnr_db:.1f} dB", self._shown(before, _ENLARGE)),
                TitledPicture(
                    self._title(),
                    picture.with_counterfactual_mark(self._shown(after, _ENLARGE)),
                ),
                TitledPicture("difference to zero edit", change),
            ]
        )

    def _title(self) -> str:
        """The edit in the room above a picture."""
        edit = self.resolved.edit
        parts = [f"{key.rpartition(':')[2]} {value:+g}" for key, value in edit.terms]
        parts += [] if edit.niche is None else [f"niche: {edit.niche}"]
        words = ", ".join(parts) or "no edit"
        return words if len(words) < 32 else f"{len(self.resolved.changed)} genes" + ", niche" * bool(edit.niche)

    def _strip(self) -> Picture:
        return picture.panel_row(
            [
                TitledPicture(
                    f"{self.sweep} {dose:+g}",
                    picture.with_counterfactual_mark(self._shown(drawn.image, _SWEEP_ENLARGE)),
                )
                for dose, drawn in zip(SWEEP_LOG2_FC, self.doses, strict=True)
            ]
        )

    def _shown(self, image: picture.FloatImage, factor: int) -> Picture:
        shown = picture.enlarge(picture.composite(image, self.selected.channels, self.limits), factor)
        return picture.with_scale_bar(shown, self.selected.um_per_px / factor)

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
