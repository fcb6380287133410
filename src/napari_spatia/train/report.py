"""The page of a training run, one HTML file that needs nothing else: curves, pictures over time, scores, options."""

import base64
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from napari_spatia.data.picture import channel_colours
from napari_spatia.train.config import TrainConfig

MEANING = {
    "type_accuracy_crop": "share of held-out cells whose known type is told from the crop alone, nothing around it",
    "type_accuracy_genes": "share of held-out cells whose known type is told from genes and surroundings",
    "type_accuracy_image": "the same from the image and surroundings, without the cell's genes",
    "type_accuracy_both": "the same from genes, image and surroundings",
    "expected_mean_r2": "R² of each stain's mean over the crop in the expected picture, from genes alone; 1 is perfect",
    "type_balanced_accuracy_genes": "share of held-out cells that `predict` names right from genes and surroundings, "
    "mean over types",
    "type_balanced_accuracy_image": "the same from the crop alone",
    "type_balanced_accuracy_image_in_niche": "the same from the crop and the neighbours' genes",
    "type_balanced_accuracy_both": "the same from everything",
    "imputed_gene_pearson": "correlation of a gene with its imputation when hidden from held-out cells, mean of all",
    "outline_r2": "R² of the half axes of a cell and its nucleus that edits are stretched to, mean of the four",
    "one_pass_held_out": "squared error of the small decoder's pictures against those that the large one draws",
    "flow_held_out": "squared error of the velocity on held-out cells; 1 is no better than the spectrum's formula",
}
ROWS_SHOWN = 8
WAYS = {
    "encoder": "expected pictures, from genes, niche and tissue",
    "decoder": "drawn in a few passes from the same noise each time, from genes, niche and tissue",
    "one_pass": "drawn in one pass by the small decoder; 'real' are the pictures of the large one that teach it",
}
PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title><style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 960px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em; margin-bottom: 0 } h2 { font-size: 1.15em; margin: 2em 0 .5em }
table { border-collapse: collapse } td, th { text-align: left; vertical-align: top; padding: .2em 1em .2em 0 }
tr + tr td { border-top: 1px solid #e4e4e4 } .number { text-align: right; font-variant-numeric: tabular-nums }
.curves { width: 100% } .cells td { border: 0; vertical-align: middle; padding: 1px 1em 1px 0 }
.cells img { display: block; width: 100%; image-rendering: pixelated } .cells td:first-child { white-space: nowrap }
.stains { margin: 0 0 .5em } .stains span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em }
.stains span:first-child { margin-left: 0 }
.note { color: #666 } .value { white-space: pre-wrap; overflow-wrap: anywhere }
</style></head><body>
<h1>$title</h1><p class="note">$status</p>
$sections
</body></html>
""")


def report_html(
    folder: Path,
    status: str,
    entries: list[dict[str, Any]],
    channels: tuple[str, ...],
    facts: dict[str, dict[str, Any]],
) -> str:
    """The page for the run in ``folder``, from its log's ``entries``, its ``curves.png`` and its ``samples``."""
    sections = [
        _section("Held-out scores", _scores(entries)),
        _section(
            "Curves", f'<img class="curves" alt="Losses and scores by step" src="{_embedded(folder / "curves.png")}">'
        ),
        *(_section(f"Held-out cells, {way}", _cells(folder, stage, channels)) for stage, way in WAYS.items()),
        *(_section(heading, _table(values)) for heading, values in facts.items()),
    ]
    title = escape(f"Training of {folder.name}")
    return PAGE.substitute(title=title, status=escape(status), sections="\n".join(filter(None, sections)))


def _section(heading: str, body: str) -> str:
    return f"<h2>{escape(heading)}</h2>\n{body}" if body else ""


def _scores(entries: list[dict[str, Any]]) -> str:
    """First and latest value of each score, and what it means."""
    values: dict[str, list[float]] = {}
    for entry in entries:
        for name, value in entry.get("held_out", {}).items():
            values.setdefault(name, []).append(value)
    rows = [
        f'<tr><td>{escape(name)}</td><td class="number">{first:.3f}</td><td class="number">{last:.3f}</td>'
        f"<td>{escape(MEANING.get(name, ''))}</td></tr>"
        for name, (first, *_, last) in ((name, [seen[0], *seen]) for name, seen in values.items())
    ]
    head = '<tr><th>score</th><th class="number">first</th><th class="number">latest</th><th>meaning</th></tr>'
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


def _cells(folder: Path, stage: str, channels: tuple[str, ...]) -> str:
    """The real cells, then what was drawn of them at up to `ROWS_SHOWN` steps, evenly spread, the last included."""
    drawn = sorted(folder.glob(f"samples/{stage}-[0-9]*.png"))
    if not drawn:
        return ""
    spread = np.unique(np.linspace(0, len(drawn) - 1, min(ROWS_SHOWN, len(drawn))).astype(int))
    pictures = {"real": folder / "samples" / f"{stage}-real.png"}
    pictures |= {f"step {int(drawn[i].stem.removeprefix(f'{stage}-'))}": drawn[i] for i in spread}
    rows = (
        f'<tr><td>{label}</td><td><img alt="{label}" src="{_embedded(path)}"></td></tr>'
        for label, path in pictures.items()
    )
    stains = "".join(
        f'<span style="background: rgb{tuple((255 * colour).astype(int).tolist())}"></span>{escape(name)} '
        for name, colour in zip(channels, channel_colours(channels), strict=True)
    )
    return f'<p class="stains">{stains}</p><table class="cells">{"".join(rows)}</table>'


def _table(values: dict[str, Any]) -> str:
    """Names and values, and what an option means."""
    options = TrainConfig.model_fields
    rows = (
        f'<tr><td>{escape(name)}</td><td class="value">{escape(_text(value))}</td>'
        f'<td class="note">{escape((options[name].description or "") if name in options else "")}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')}: {_text(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], (list, tuple)):  # rectangles
            return "\n".join(f"({_text(item)})" for item in value)
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)


def _embedded(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
