"""``perturb``: one cell, redrawn with edited expression or in other surroundings."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_spatia.cli.bound import bind, record
from napari_spatia.cli.options import (
    ChannelMap,
    Device,
    DeviceOption,
    Json,
    Nfe,
    ProgrammesFile,
    name_pairs,
)
from napari_spatia.cli.report import Report, as_lines, reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts
from napari_spatia.errors import SpatiaError
from napari_spatia.progress import part

if TYPE_CHECKING:
    from napari_spatia.inference.edits import Edit, NicheEdit
    from napari_spatia.inference.programmes import Programme
    from napari_spatia.inference.recipe import Recipe


READ = (
    "slide", "checkpoint", "device", "cell_id", "changed", "niche", "stopped_at_zero", "edit_notes", "notes",
    "counterfactual_types", "reach_percentile", "zero_edit_psnr_db", "identical_to_recipe",
)  # fmt: skip
"""Of the values of perturb.json, those that are printed."""


def _strengths(items: list[str], option: str, form: str) -> dict[str, float]:
    """``NAME=NUMBER`` items as a mapping; anything else is wrong usage."""
    strengths = {}
    for item in items:
        name, _, value = item.rpartition("=")
        try:
            strengths[name] = float(value)
        except ValueError:
            name = ""
        if not name:
            raise typer.BadParameter(f"'{item}' is not {form}.", param_hint=option)
    return strengths


def _niche(text: str | None) -> "NicheEdit | None":
    from napari_spatia.inference.edits import NicheEdit

    try:
        return None if text is None else NicheEdit.parse(text)
    except SpatiaError as error:
        raise typer.BadParameter(str(error), param_hint="--niche") from error


def _edit(genes: list[str], programmes: list[str], towards: list[str], coexpressed: bool, niche: str | None) -> "Edit":
    """The options as an edit."""
    from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit

    parts = _strengths(towards, "--towards", "TYPE=PART, such as ductal=0.5")
    if any(not 0 <= part <= 1 for part in parts.values()):
        raise typer.BadParameter("The part of the way lies in 0 to 1.", param_hint="--towards")
    terms = _strengths(genes, "--set", "GENE=LOG2FC, such as EPCAM=1.5")
    moved = _strengths(programmes, "--programme", "NAME=LOG2FC, such as proliferation=1")
    terms |= {f"{PROGRAMME}{name}": value for name, value in moved.items()}
    terms |= {f"{TOWARDS}{name}": part for name, part in parts.items()}
    return Edit(tuple(terms.items()), coexpressed, _niche(niche))


def _after(saved: "Edit", edit: "Edit") -> "Edit":
    """The edit of a file with the options added; where both name a thing, the option counts."""
    return replace(
        saved,
        terms=tuple({**dict(saved.terms), **dict(edit.terms)}.items()),
        coexpressed=saved.coexpressed or edit.coexpressed,
        niche=edit.niche or saved.niche,
    )


def _filled(parts: SlideParts, kept: "Recipe") -> SlideParts:
    """The parts of the slide that the line names, and else those of a recipe."""
    found: dict[str, Any] = {name: value for name, value in kept.parts.items() if getattr(parts, name) is None}
    return replace(parts, **found)


def _programmes(file: Path | None, kept: "Recipe | None") -> "dict[str, Programme]":
    """The programmes that are known here, and in their places those that a recipe brings."""
    from napari_spatia.inference.programmes import load_programmes

    return {**load_programmes(file), **({} if kept is None else kept.programmes)}


def _compare(kept: "Recipe", sha256: str, values: Mapping[str, Any], report: Report) -> bool:
    """Whether the picture is the recipe's, bit for bit; what may have made it another one is said."""
    if sha256 == kept.sha256:
        return True
    asked = ", ".join(f"{key} {value}" for key, value in kept.made_with.items())
    now = ", ".join(f"{key} {values[key]}" for key in kept.made_with)
    report.note(f"the picture is not that of the recipe, bit for bit. Recipe: {asked}. Now: {now}.")
    return False


def in_words(values: Mapping[str, Any]) -> str:
    """The part of the result that a person reads: what was edited, what that changed, and how far it reaches."""
    features = {
        each["feature"]: f"{each['zero_edit']:.4g} → {each['counterfactual']:.4g} {each['unit']}".rstrip()
        for each in values["features"]
        if each["changed"]
    }
    told = {key: values[key] for key in READ if values.get(key) is not None}
    told["features_changed"] = features or "none by more than noise"
    return as_lines(told | {"files": values["files"]})


@with_slide_parts
def perturb(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.", show_default=False)],
    slide: Annotated[Path | None, typer.Argument(metavar="SLIDE", help="A SpatialData zarr store.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="NAME|DIR", help="A shipped model or a checkpoint folder.")
    ] = None,
    cell: Annotated[str | None, typer.Option("--cell", metavar="ID", help="The cell, as in the table's index.")] = None,
    set_genes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="GENE=LOG2FC", help="One gene's log2 fold change; may be repeated."),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="GENE=LOG2FC", help="Further genes after one --set.")
    ] = None,
    programme: Annotated[
        list[str] | None,
        typer.Option(
            "--programme",
            metavar="NAME=LOG2FC",
            help="Log2 fold change of each gene of a programme (`napari-spatia programmes list`); may be repeated.",
        ),
    ] = None,
    towards: Annotated[
        list[str] | None,
        typer.Option(
            "--towards",
            metavar="TYPE=PART",
            help="Part, 0 to 1, of the way from the mean of the cell's type to that of another; may be repeated.",
        ),
    ] = None,
    coexpressed: Annotated[
        bool,
        typer.Option(
            "--coexpressed/--no-coexpressed",
            help="Let the other genes follow the edited genes and programmes as they do on this slide.",
        ),
    ] = False,
    niche: Annotated[
        str | None,
        typer.Option(
            "--niche",
            metavar="CHANGE",
            help="remove (all neighbours), remove=TYPE, replace=TYPE (each neighbour expresses what a cell of the type "
            "does), both with @ID,ID… for some neighbours, cell=ID or domain=NAME (take the surroundings of another "
            "cell, or of a niche domain).",
        ),
    ] = None,
    edit_file: Annotated[
        Path | None,
        typer.Option(
            "--edit",
            metavar="FILE",
            help="An edit saved in the window, or a `perturb.json`; other options are added to it, or take its place.",
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="Draw again what a recipe of the Cell dock, or a `perturb.json`, says: slide, checkpoint, cell, edit "
            "and passes come from it where the line names none; the picture is compared with the recipe's.",
        ),
    ] = None,
    programmes: ProgrammesFile = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep", metavar="GENE", help="Also draw the cell at seven doses of this gene, or of programme:NAME."
        ),
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
    """Redraw one cell with edited genes or in another niche, beside the real cell and its zero edit.

    Writes `perturb.png`, `perturb.json` (what was asked, what it changed, how far it lies from anything seen, and how
    much the change depends on the noise) and `perturb.npz`; with `--sweep` also `sweep.png`. The pictures are
    counterfactuals: what the model draws, not what the cell would become. Cell types are those of the slide, or those
    that `predict` wrote.

    Example: `napari-spatia perturb tissue.zarr --checkpoint sim-small --cell cell-001552 --set LMNB1=2 --sweep VIM
    --out edit`

    Example: `napari-spatia perturb tissue.zarr --checkpoint sim-small --cell cell-001552
    --programme proliferation=1.5 --coexpressed --niche replace=fibroblast --out edit`

    Example: `napari-spatia perturb tissue.zarr --checkpoint sim-small --cell cell-001550 --edit edit/perturb.json
    --out again`

    Example: `napari-spatia perturb --recipe cell-001552-counterfactual.json --out again`
    """
    edit = _edit([*(set_genes or ()), *(more or ())], programme or [], towards or [], coexpressed, niche)
    channels = name_pairs(channel_map, "--channel-map") or None
    if recipe is None and None in (slide, checkpoint, cell):
        named = {"SLIDE": slide, "--checkpoint NAME": checkpoint, "--cell ID": cell}
        missing = [name for name, value in named.items() if value is None]
        raise typer.BadParameter(
            f"Missing {', '.join(missing)}; or give a --recipe that names them.", param_hint=missing
        )
    if not (edit.terms or edit.niche or sweep or edit_file or recipe):
        raise typer.BadParameter(
            "Name an edit: --set GENE=LOG2FC, --programme, --towards, --niche, --edit FILE or --sweep GENE.",
            param_hint="--set",
        )
    with reporting(json) as report:
        from napari_spatia.cli.edit_files import SWEEP_LOG2_FC, EditedCell, display_limits_of
        from napari_spatia.data.cell_names import cell_name
        from napari_spatia.inference.edit_file import read_edit
        from napari_spatia.inference.perturb import CellEditor
        from napari_spatia.inference.recipe import digest, read_recipe, recipe_of
        from napari_spatia.inference.resolve import EditResolver
        from napari_spatia.inference.write import read_prediction

        kept = None if recipe is None else read_recipe(recipe)
        if kept is not None:
            slide, checkpoint, cell = slide or kept.slide, checkpoint or kept.checkpoint_to_load(), cell or kept.cell_id
            nfe, channels, parts = nfe or kept.nfe, channels or dict(kept.channel_map), _filled(parts, kept)
        assert slide is not None and checkpoint is not None and cell is not None, "checked above"
        edit = edit if edit_file is None else _after(read_edit(edit_file), edit)
        edit = edit if kept is None else _after(kept.edit, edit)
        known = _programmes(programmes, kept)
        opened, predictor, bound = bind(slide, parts, checkpoint, device, report, channel_map=channels)
        if kept is not None:
            kept.check_checkpoint(predictor.info)
        resolver, row = EditResolver(bound, read_prediction(opened)), opened.cell_idx(cell)
        asked = [edit, *(edit.with_term(sweep, dose) for dose in SWEEP_LOG2_FC if sweep)]
        resolved = [resolver.resolve(row, each, known) for each in asked]
        for note in resolved[0].notes:
            report.note(note)
        editor = CellEditor(bound)
        report.progress(0.2, f"encoding {cell_name(cell)}")
        selected = editor.select(cell) if nfe is None else editor.select(cell, nfe)
        editor.prepare(part(report.progress, 0.6, 0.7))
        edited, *doses = (editor.render(selected, each.log2_fc, each.around) for each in resolved)
        evidence = editor.examine(selected, edited, seeds, part(report.progress, 0.8, 1.0))
        limits = display_limits_of(selected, opened, channels or {})
        redo = recipe_of(bound, edited, resolved[0], known)
        made = EditedCell(selected, resolved[0], edited, evidence, sweep, doses, limits, redo)
        values = record(slide, predictor, made.values(predictor.info.cell_types)) | {"notes": list(bound.notes)}
        if kept is not None:
            values["identical_to_recipe"] = _compare(kept, digest(edited.image), values, report)
        values["files"] = [str(file) for file in made.write(out, values)]
        report.result(values, text=in_words(values))
