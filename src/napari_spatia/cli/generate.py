"""``generate``: cells drawn from their expression, niche and tissue, never from their own pixels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spatia.cli.bound import bind, record
from napari_spatia.cli.options import (
    ChannelMap,
    Checkpoint,
    Device,
    DeviceOption,
    Json,
    Nfe,
    Seed,
    SlidePath,
    name_pairs,
    read_names,
)
from napari_spatia.cli.report import reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts


@with_slide_parts
def generate(
    slide: SlidePath,
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The file to write.", show_default=False)],
    cells: Annotated[
        str, typer.Option("--cells", metavar="FILE|all", help="Cell ids, one a line, or all cells of the slide.")
    ] = "all",
    samples: Annotated[int, typer.Option("--samples", min=1, help="Pictures a cell, in pairs of opposite noise.")] = 1,
    nfe: Nfe = None,
    merge_ratio: Annotated[
        float, typer.Option("--merge-ratio", min=0.0, max=0.75, help="Part of the decoder's tokens that is merged.")
    ] = 0.0,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Give each cell another cell's expression.")] = False,
    channel_map: ChannelMap = None,
    seed: Seed = 0,
    device: DeviceOption = Device.auto,
    json: Json = False,
    *,
    parts: SlideParts,
) -> None:
    """Draw cells from expression, niche and tissue alone.

    Writes `cell_id`, `images` (cells, samples, C, H, W) in the slide's units, `masks`, `um_per_px`, `channels`.

    Example: `napari-spatia generate tissue.zarr --checkpoint sim-small --samples 4 --out cells.npz`
    """
    channels = name_pairs(channel_map, "--channel-map") or None
    with reporting(json) as report:
        from napari_spatia.inference.generate import generate_to_npz

        named = None if cells == "all" else read_names(Path(cells), "cell ids")
        opened, predictor, bound = bind(slide, parts, checkpoint, device, report, channel_map=channels)
        options: dict[str, Any] = {"samples": samples, "merge_ratio": merge_ratio, "shuffle": shuffle, "seed": seed}
        options |= {} if nfe is None else {"nfe": nfe}
        generate_to_npz(bound, out, named, **options, progress=report.progress)
        num_cells = opened.num_cells if named is None else len(named)
        report.result({"file": str(out), "cells": num_cells, **record(slide, predictor, options)})
