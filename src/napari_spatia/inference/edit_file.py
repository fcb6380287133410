"""Edits as small JSON files: what ``perturb.json`` says was asked for, saved as a preset and asked for again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit, NicheEdit

FORMAT = "napari-spatia edit"
_KINDS = {"log2_fc": "", "programmes": PROGRAMME, "towards": TOWARDS}
"""Key of the file → what the keys of its terms begin with."""
EXPECTED = (
    'a JSON object such as {"log2_fc": {"EPCAM": 1.5}, "programmes": {"EMT": 1.0}, "towards": {}, '
    '"coexpressed": false, "niche": null}'
)


def to_plain(edit: Edit) -> dict[str, Any]:
    """The edit as plain values for JSON; the strength of each term by the kind and the name of the term."""
    named = {"log2_fc": edit.genes(), "programmes": edit.named(PROGRAMME), "towards": edit.named(TOWARDS)}
    return named | {"coexpressed": edit.coexpressed, "niche": None if edit.niche is None else str(edit.niche)}


def from_plain(values: Mapping[str, Any], where: str) -> Edit:
    """The inverse of `to_plain`; other keys, which ``perturb.json`` has, are passed over.

    Raises `SpatiaError` that says what of ``where`` is no edit.
    """
    if not any(key in values for key in (*_KINDS, "niche")):
        raise SpatiaError(
            f"{where} holds no edit: it has none of log2_fc, programmes, towards, niche. Expected {EXPECTED}."
        )
    terms: dict[str, float] = {}
    for kind, begin in _KINDS.items():
        found = values.get(kind, {})
        if not isinstance(found, Mapping) or not all(_is_number(strength) for strength in found.values()):
            raise SpatiaError(f"'{kind}' of {where} is no set of names with a number each. Expected {EXPECTED}.")
        terms |= {f"{begin}{name}": float(strength) for name, strength in found.items()}
    coexpressed, niche = values.get("coexpressed", False), values.get("niche")
    if not isinstance(coexpressed, bool) or not (niche is None or isinstance(niche, str)):
        raise SpatiaError(f"'coexpressed' or 'niche' of {where} cannot be read. Expected {EXPECTED}.")
    return Edit(tuple(terms.items()), coexpressed, None if niche is None else NicheEdit.parse(niche))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def write_edit(edit: Edit, path: Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write the edit, whole or not at all, with what is to be known ``about`` it, such as the checkpoint."""
    with staged_file(path) as staged:
        staged.write_text(json.dumps({"format": FORMAT, **to_plain(edit), **(about or {})}, indent=2) + "\n", "utf-8")
    return path


def read_edit(path: Path) -> Edit:
    """The edit of a preset, or of a ``perturb.json``. Raises `SpatiaError` for a file that is neither."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpatiaError(f"Cannot read an edit from '{path}': {error}. Expected {EXPECTED}.") from error
    if not isinstance(values, dict):
        raise SpatiaError(f"'{path}' holds no edit. Expected {EXPECTED}.")
    return from_plain(values, f"'{path}'")
