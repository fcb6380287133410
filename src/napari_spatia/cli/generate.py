"""``generate``: cells drawn from their expression, niche and tissue, never from their own pixels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_spatia.data.slide import Slide


@with_slide_parts
def generate(
    slide: SlidePath,
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The file to write.", show_default=False)],
    cells: Annotated[
        str, typer.Option("--cells", metavar="FILE|all", help="Cell ids, one a line, or all cells of the slide.")
    ] = "all",
    samples: Annotated[int, typer.Option("--samples", min=1, help="Pictures a cell, each from its own noise.")] = 1,
    nfe: Nfe = None,
    merge_ratio: Annotated[
        float, typer.Option("--merge-ratio", min=0.0, max=0.9, help="Part of the decoder's tokens that is merged.")
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
        from napari_spatia.cli.npz import npz_writer

        opened, predictor, bound = bind(slide, parts, checkpoint, device, report, channel_map=channels)
        info = predictor.info
        rows = _rows(opened, cells)
        shape = (len(rows), samples, len(info.channels), info.crop_px, info.crop_px)
        options = {"samples": samples, "seed": seed, "merge_ratio": merge_ratio, "shuffle": shuffle}
        passes = {} if nfe is None else {"nfe": nfe}
        with npz_writer(out) as writer:
            images, masks = writer.growing("images", shape), writer.growing("masks", (*shape[:2], *shape[3:]))
            images[:], masks[:] = bound.generate(rows, **options, **passes, progress=report.progress)
            writer.add({"cell_id": opened.cell_id[rows], "um_per_px": info.um_per_px, "channels": info.channels})
        report.result({"file": str(out), "cells": len(rows), "shape": list(shape), **record(slide, predictor, options)})


def _rows(slide: "Slide", cells: str) -> "NDArray[np.intp]":
    import numpy as np

    if cells == "all":
        return np.arange(slide.num_cells)
    return np.array([slide.cell_idx(name) for name in read_names(Path(cells), "cell ids")], dtype=np.intp)
