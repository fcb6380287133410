"""The tables of the viewer benchmark, as Markdown: each viewer's times beside ours, and ours as slides grow.

`page` takes what ``run.py`` found: ``{"command", "cpus", "window_px", "main_cells", "ours": [record, …], "peers":
[record, …]}``. A record is the JSON line of one viewer on one slide, or ``{"viewer", "missing": why}``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
NONE, PAN, WHOLE = "–", "pan or zoom", "whole slide"


@dataclass(frozen=True, slots=True)
class Reach:
    """What is asked for: steps that begin with ``step`` take at most ``most_ms`` at the 95th percentile."""

    step: str
    most_ms: float


REACH = (
    Reach("open to cells coloured by a gene", 1500),
    Reach("recolour by a gene, first touch", 300),
    Reach("recolour by a gene, warm", 60),
    Reach("recolour by a category", 60),
    Reach("hide or show one category", 60),
    Reach(PAN, 100),
    Reach("click to card", 20),
    Reach("hover to card", 20),
    Reach("lasso", 200),
)
MOST_BLOCK_MS, MOST_OVER_BARE_MB = 100, 1500

INTRODUCTION = """# Viewers on a large slide

Synthetic slides (`napari_spatia.benchmark.grid_slide`: image and labels with pyramids, 300 genes), a window of
{width:,} × {height:,} px on a virtual screen, {cpus} CPUs and no GPU. Times are the median / 95th percentile in ms from
the request to the end of the first frame that shows its outcome, and ("all read") to the frame in which nothing stands
in for pixels that were still read; × is a peer's median over ours. The longest GUI block is the longest time in a step
for which the window did not answer, in ms. What is asked for holds for the 95th percentile of {cells:,} cells. Peers
show one of the two stains. Made by
`{command}`.
"""


def page(found: Record) -> str:
    """Everything that is written."""
    width, height = found["window_px"]
    main = next(record for record in found["ours"] if record.get("cells") == found["main_cells"])
    introduction = INTRODUCTION.format(
        width=width, height=height, cpus=found["cpus"], cells=found["main_cells"], command=found["command"]
    )
    sections = [
        introduction,
        f"## {found['main_cells']:,} cells\n\n{beside_peers(main, found['peers'])}",
        f"## Growth with the number of cells\n\nmedian / 95th percentile, ms\n\n{growth(found['ours'])}",
        f"## Viewers\n\n{viewers([main, *found['peers']])}",
    ]
    failed = [f"- {record['viewer']}: {record['missing']}" for record in found["ours"] if "missing" in record]
    if failed:
        sections.append("Slides without times:\n\n" + "\n".join(failed) + "\n")
    return "\n".join(sections)


def beside_peers(ours: Record, peers: Sequence[Record]) -> str:
    """Each step of ours and of the peers that were measured, with what is asked for."""
    peers = [peer for peer in peers if "missing" not in peer]
    head = ["step", ours["viewer"], "longest GUI block"]
    for peer in peers:
        head += [peer["viewer"], "×"]
    rows = [[*head, "asked for", "reach"]]
    named = [*ours["steps"], *(step for peer in peers for step in peer["steps"])]
    unmeasured = [reach.step for reach in REACH if not any(step.startswith(reach.step) for step in named)]
    for step in [*dict.fromkeys(named), *unmeasured]:
        rows.append(_step_row(step, ours, peers))
    rows.append(_whole_row("longest GUI block of all steps, ms", _longest_block(ours), ours, peers, MOST_BLOCK_MS))
    rows.append(
        _whole_row(
            "resident memory over the bare viewer, MB", ours["over_bare_mb"], ours, peers, MOST_OVER_BARE_MB, "MB"
        )
    )
    return _table(rows)


def _step_row(step: str, ours: Record, peers: Sequence[Record]) -> list[str]:
    own = ours["steps"].get(step, {})
    cells = [step, _times(ours, step), _verdict(own.get("longest_gui_block_ms"), MOST_BLOCK_MS, with_value=True)]
    for peer in peers:
        cells += [_times(peer, step), _ratio(peer["steps"].get(step, {}).get("p50_ms"), own.get("p50_ms"))]
    reach = next((reach for reach in REACH if step.startswith(reach.step)), None)
    if reach is None:
        return [*cells, "", ""]
    return [*cells, f"≤ {reach.most_ms:,.0f} ms", _verdict(own.get("p95_ms"), reach.most_ms)]


def _whole_row(
    name: str, own: float, ours: Record, peers: Sequence[Record], most: float, unit: str = "ms"
) -> list[str]:
    cells = [name, f"{own:,.0f}", ""]
    for peer in peers:
        value = _longest_block(peer) if unit == "ms" else peer["over_bare_mb"]
        cells += [f"{value:,.0f}", _ratio(value, own)]
    return [*cells, f"≤ {most:,.0f} {unit}", _verdict(own, most)]


def growth(ours: Sequence[Record]) -> str:
    """Ours on slides of several sizes; the widest view of each is the whole slide."""
    sizes = sorted((record for record in ours if "missing" not in record), key=lambda record: record["cells"])
    renamed = [{**record, "steps": _whole_slide_named(record["steps"])} for record in sizes]
    rows = [["step", *(f"{record['cells']:,} cells" for record in renamed)]]
    for step in dict.fromkeys(step for record in reversed(renamed) for step in record["steps"]):
        rows.append([step, *(_times(record, step) for record in renamed)])
    rows.append(["longest GUI block of all steps, ms", *(f"{_longest_block(record):,.0f}" for record in sizes)])
    rows.append(["resident memory over the bare viewer, MB", *(f"{record['over_bare_mb']:,}" for record in sizes)])
    return _table(rows)


def _whole_slide_named(steps: Record) -> Record:
    width = f"{max((_width_um(step) for step in steps if step.startswith(PAN)), default=0):,} µm wide"
    return {step.replace(width, WHOLE) if step.startswith(PAN) else step: found for step, found in steps.items()}


def _width_um(step: str) -> int:
    return int("".join(letter for letter in step if letter.isdigit()))


def viewers(records: Sequence[Record]) -> str:
    """Versions and canvas of each viewer, or why it is not there."""
    rows = [["viewer", "version", "napari", "Python", "canvas, px", "bare, MB", "note"]]
    for record in records:
        if "missing" in record:
            rows.append([record["viewer"], NONE, NONE, NONE, NONE, NONE, record["missing"]])
            continue
        width, height = record["canvas_px"]
        versions = [record[key] for key in ("viewer", "version", "napari", "python")]
        stopped = f"stopped at: {record['stopped_at']}" if "stopped_at" in record else ""
        rows.append([*versions, f"{width:,} × {height:,}", f"{record['bare_mb']:,}", stopped])
    return _table(rows)


def _times(record: Record, step: str) -> str:
    found = record["steps"].get(step)
    if found is None:
        return "not reached" if "stopped_at" in record else NONE
    gave_up = f"gave up {found['gave_up']}" if "gave_up" in found else ""
    if "p50_ms" not in found:
        return gave_up
    text = f"{_ms(found['p50_ms'])} / {_ms(found['p95_ms'])}" if found["times"] > 1 else _ms(found["p50_ms"])
    return f"{text} ({gave_up}, {found['times']} times)" if gave_up else text


def _longest_block(record: Record) -> float:
    return max((step.get("longest_gui_block_ms", 0.0) for step in record["steps"].values()), default=0.0)


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _ratio(value: float | None, own: float | None) -> str:
    if value is None or not own:
        return NONE
    ratio = value / own
    return f"× {ratio:,.0f}" if ratio >= 10 else f"× {ratio:.1f}"


def _verdict(value: float | None, most: float, with_value: bool = False) -> str:
    if value is None:
        return NONE if with_value else "not measured"
    verdict = "met" if value <= most else "missed"
    return f"{_ms(value)} {verdict}" if with_value else verdict


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
