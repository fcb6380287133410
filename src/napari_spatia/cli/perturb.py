"""``perturb``: one cell, redrawn with edited expression."""

from pathlib import Path
from typing import Annotated

import typer

from napari_spatia.cli.bound import bind, record
from napari_spatia.cli.options import ChannelMap, Checkpoint, Device, DeviceOption, Json, Nfe, SlidePath, name_pairs
from napari_spatia.cli.report import reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts
from napari_spatia.progress import part


def _edits(items: list[str]) -> dict[str, float]:
    """``GENE=LOG2FC`` items as a mapping; anything else is wrong usage."""
    edits = {}
    for item in items:
        gene, _, value = item.rpartition("=")
        try:
            edits[gene] = float(value)
        except ValueError:
            gene = ""
        if not gene:
            raise typer.BadParameter(f"'{item}' is not GENE=LOG2FC, such as EPCAM=1.5.", param_hint="--set")
    return edits


@with_slide_parts
def perturb(
    slide: SlidePath,
    checkpoint: Checkpoint,
    cell: Annotated[str, typer.Option("--cell", metavar="ID", help="The cell, as in the table's index.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.", show_default=False)],
    set_genes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="GENE=LOG2FC", help="One gene's log2 fold change; may be repeated."),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="GENE=LOG2FC", help="Further genes after one --set.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", metavar="GENE", help="Also draw the cell at seven doses of this gene.")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=2, help="Noise seeds over which the spread of the change is measured.")
    ] = 8,
    nfe: Nfe = None,
    channel_map: ChannelMap = None,
    device: DeviceOption = Device.auto,
    json: Json = False,
    *,
    parts: SlideParts,
) -> None:
    """Redraw one cell with edited genes, beside the real cell and its zero edit.

    Writes `perturb.png`, `perturb.json` (what was asked, how far it lies from anything seen, what changes and how much
    that depends on the noise) and `perturb.npz`; with `--sweep` also `sweep.png`. The pictures are counterfactuals:
    what the model draws, not what the cell would become.

    Example: `napari-spatia perturb tissue.zarr --checkpoint sim-small --cell 12 --set MKI67=2 --sweep VIM --out edit`
    """
    edits = _edits([*(set_genes or ()), *(more or ())])
    channels = name_pairs(channel_map, "--channel-map") or None
    if not edits and sweep is None:
        raise typer.BadParameter("Name at least one gene with --set GENE=LOG2FC or --sweep GENE.", param_hint="--set")
    with reporting(json) as report:
        from napari_spatia.cli.edit_files import SWEEP_LOG2_FC, Edit, display_limits_of
        from napari_spatia.inference.perturb import CellEditor

        opened, predictor, bound = bind(slide, parts, checkpoint, device, report, channel_map=channels)
        predictor.info.panel.indices([*edits, *([sweep] if sweep else [])])
        editor = CellEditor(bound)
        report.progress(0.2, f"encoding cell {cell}")
        selected = editor.select(cell) if nfe is None else editor.select(cell, nfe)
        editor.prepare(part(report.progress, 0.6, 0.7))
        edited = editor.render(selected, edits)
        doses = [editor.render(selected, edits | {sweep: dose}) for dose in SWEEP_LOG2_FC] if sweep else []
        evidence = editor.examine(selected, edited, seeds, part(report.progress, 0.8, 1.0))
        edit = Edit(selected, edited, evidence, sweep, doses, display_limits_of(selected, opened, channels or {}))
        values = record(slide, predictor, edit.values(predictor.info.cell_types)) | {"notes": list(bound.notes)}
        report.result(values | {"files": [str(file) for file in edit.write(out, values)]})
