"""The recipe of one counterfactual: everything that it takes to draw the same pixels again, as a JSON file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.picture import COUNTERFACTUAL
from napari_spatia.errors import CheckpointError, SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.inference.edit_file import from_plain, to_plain
from napari_spatia.inference.edits import PROGRAMME, Edit
from napari_spatia.inference.programmes import Programme

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import Counterfactual
    from napari_spatia.inference.predictor import BoundSlide, CheckpointInfo
    from napari_spatia.inference.resolve import ResolvedEdit

FORMAT = "napari-spatia recipe"
NOTED_VERSIONS = ("napari-spatia", "torch", "numpy")
SEED = 0
"""Of the noise that the spread of a change is measured with; the picture itself starts from the cell's own noise."""
SLIDE_PARTS = ("image", "labels", "table", "coordinate_system")
_NEEDED = ("slide", "checkpoint", "checkpoint_sha256", "cell_id", "nfe")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe as it was read. ``parts`` name the slide's elements, ``programmes`` hold the genes of those edited."""

    slide: Path
    parts: Mapping[str, str]
    checkpoint: str
    checkpoint_path: str
    checkpoint_sha256: str
    channel_map: Mapping[str, str]
    cell_id: str
    edit: Edit
    programmes: Mapping[str, Programme]
    nfe: int
    sha256: str
    made_with: Mapping[str, Any]

    def checkpoint_to_load(self) -> str:
        """The folder where it is still there, else the name."""
        return self.checkpoint_path if Path(self.checkpoint_path).is_dir() else self.checkpoint

    def check_checkpoint(self, info: "CheckpointInfo") -> None:
        """Raises `CheckpointError` when a checkpoint is not the one that the recipe was drawn with."""
        if info.sha256 != self.checkpoint_sha256:
            raise CheckpointError(
                f"The recipe was drawn with checkpoint '{self.checkpoint}' (sha256 {self.checkpoint_sha256[:12]}…); "
                f"'{info.name}' is another one (sha256 {info.sha256[:12]}…). Pass that one as --checkpoint."
            )


def recipe_of(
    bound: "BoundSlide", edited: "Counterfactual", resolved: "ResolvedEdit", programmes: Mapping[str, Programme]
) -> dict[str, Any]:
    """Plain values for JSON. ``programmes`` are those known; the genes of the edited ones go with the recipe."""
    slide, info, predictor = bound.slide, bound.predictor.info, bound.predictor
    used = [programmes[name] for name in resolved.edit.named(PROGRAMME)]
    return {
        "format": FORMAT,
        "kind": COUNTERFACTUAL.lower(),
        "slide": str(slide.path.resolve()),
        "image": slide.image_name,
        "labels": slide.labels_name,
        "table": slide.table_name,
        "coordinate_system": slide.coordinate_system,
        "checkpoint": info.name,
        "checkpoint_path": str(info.path),
        "checkpoint_sha256": info.sha256,
        "channel_map": dict(bound.channel_map),
        "device": predictor.device,
        "precision": predictor.precision,
        "cell_id": edited.cell.cell_id,
        **to_plain(resolved.edit),
        "programme_genes": {each.name: {"up": list(each.up), "down": list(each.down)} for each in used},
        "nfe": edited.nfe,
        "seed": SEED,
        "counterfactual_sha256": digest(edited.image),
        "versions": {name: version(name) for name in NOTED_VERSIONS},
    }


def digest(image: NDArray[np.float32]) -> str:
    """SHA-256 of a picture's shape and its float32 values, little endian."""
    values = np.ascontiguousarray(image, dtype="<f4")
    return hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest()


def write_recipe(recipe: Mapping[str, Any], path: Path) -> Path:
    """Write a recipe, whole or not at all."""
    with staged_file(path) as staged:
        staged.write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
    return path


def read_recipe(path: Path) -> Recipe:
    """A recipe, or a ``perturb.json``. Raises `SpatiaError` that says what of the file is no recipe."""
    where = f"'{path}'"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpatiaError(f"Cannot read the recipe {where}: {error}. Expected a JSON file of this program.") from error
    missing = [key for key in (*_NEEDED, "counterfactual_sha256") if not isinstance(found, dict) or key not in found]
    if missing:
        raise SpatiaError(
            f"{where} is no recipe: it lacks {', '.join(missing)}. Expected a file that the Cell dock saved as a "
            "recipe, or a perturb.json; an edit alone is read by --edit."
        )
    genes = found.get("programme_genes", {})
    return Recipe(
        slide=Path(found["slide"]),
        parts={name: str(found[name]) for name in SLIDE_PARTS if found.get(name)},
        checkpoint=str(found["checkpoint"]),
        checkpoint_path=str(found.get("checkpoint_path", found["checkpoint"])),
        checkpoint_sha256=str(found["checkpoint_sha256"]),
        channel_map=dict(found.get("channel_map", {})),
        cell_id=str(found["cell_id"]),
        edit=from_plain(found, where),
        programmes={name: Programme(name, "", tuple(g["up"]), tuple(g["down"])) for name, g in genes.items()},
        nfe=int(found["nfe"]),
        sha256=str(found["counterfactual_sha256"]),
        made_with={key: found.get(key) for key in ("device", "precision", "versions")},
    )
