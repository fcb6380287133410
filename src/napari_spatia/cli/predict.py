"""``predict``: types, clusters, domains, embeddings and imputed genes for every cell of a slide."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spatia.cli.bound import bind
from napari_spatia.cli.options import (
    ChannelMap,
    Checkpoint,
    Device,
    DeviceOption,
    Json,
    Seed,
    SlidePath,
    comma_separated,
    name_pairs,
    read_names,
)
from napari_spatia.cli.report import as_lines, reporting
from napari_spatia.cli.slides import SlideParts, with_slide_parts
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.tasks import INPUTS, TASKS

SCHEDULER_TIMEOUT = "10s"


def _chosen(text: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    wanted = comma_separated(text)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise typer.BadParameter(f"'{', '.join(unknown) or text}' is not among {', '.join(known)}.", param_hint=option)
    return tuple(name for name in known if name in wanted)


@contextmanager
def _dask_scheduler(address: str | None) -> Iterator[None]:
    """Read the slide's pixels on the workers of a running dask scheduler, which must see the same path."""
    if address is None:
        yield
        return
    from distributed import Client

    try:
        client = Client(address, timeout=SCHEDULER_TIMEOUT)
    except (OSError, TimeoutError, ValueError) as error:
        raise SpatiaError(
            f"No dask scheduler answers at '{address}': {error}. Start one with: dask scheduler"
        ) from error
    with client:
        yield


@with_slide_parts
def predict(
    slide: SlidePath,
    checkpoint: Checkpoint,
    tasks: Annotated[str, typer.Option("--tasks", metavar="T1,T2,…", help="What to predict.")] = ",".join(TASKS),
    inputs: Annotated[
        str, typer.Option("--inputs", metavar="I1,I2,…", help="What the model may read; leave out what it must not.")
    ] = ",".join(INPUTS),
    genes: Annotated[
        str | None,
        typer.Option("--genes", metavar="G1,G2,…", help="Genes to impute; every gene of the model by default."),
    ] = None,
    hide_genes: Annotated[
        Path | None,
        typer.Option("--hide-genes", metavar="FILE", help="Genes, one a line, kept from the model and imputed."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference", metavar="REF.h5ad", help="Cells with more genes, from which further genes are imputed."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="A copy to write to, instead of the slide's own store.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler that reads the pixels.")
    ] = None,
    channel_map: ChannelMap = None,
    seed: Seed = 0,
    device: DeviceOption = Device.auto,
    json: Json = False,
    *,
    parts: SlideParts,
) -> None:
    """Predict on every cell and write the result back into the slide's store (or into --out).

    Example: `napari-spatia predict tissue.zarr --checkpoint sim-small --tasks embed,annotate`
    """
    wanted_tasks, wanted_inputs = _chosen(tasks, TASKS, "--tasks"), _chosen(inputs, INPUTS, "--inputs")
    channels = name_pairs(channel_map, "--channel-map") or None
    with reporting(json) as report, _dask_scheduler(scheduler):
        from napari_spatia.data.reference import read_reference
        from napari_spatia.inference.predict import predict as predict_slide
        from napari_spatia.inference.write import names_written, write_prediction

        hidden = tuple(read_names(hide_genes, "gene ids")) if hide_genes else ()
        to_impute = tuple(comma_separated(genes)) or None
        opened, predictor, bound = bind(
            slide, parts, checkpoint, device, report, inputs=wanted_inputs, hide_genes=hidden, channel_map=channels
        )
        prediction = predict_slide(
            bound,
            tasks=wanted_tasks,
            genes=to_impute,
            seed=seed,
            progress=report.progress,
            reference=None if reference is None else read_reference(reference),
        )
        written = write_prediction(opened, prediction, out)
        values = {
            "slide": str(written),
            "checkpoint": predictor.info.name,
            "device": predictor.device,
            "tasks": list(wanted_tasks),
            "cells": opened.num_cells,
            **_counts(prediction.cell_type, "cell_types"),
            **_counts(prediction.cluster, "clusters"),
            **_counts(prediction.domain, "domains"),
            "imputed_genes": len(prediction.imputed_genes or ()),
            **_summary(prediction.provenance.get("reference")),
            "notes": list(bound.notes),
        }
        told = f"written into {written}: {', '.join(names_written(opened, prediction))}"
        report.result(values, f"{as_lines(values)}\n{told}")


def _summary(carried: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """What a reference gave, without its lists; nothing where there was none."""
    if carried is None:
        return {}
    numbers = {name: value for name, value in carried.items() if not isinstance(value, list)}
    return {"reference": numbers | {"shared_genes": len(carried["shared_genes"])}}


def _counts(values: object, name: str) -> dict[str, dict[str, int]]:
    """Cells per category, the largest first; nothing where the task was not asked for."""
    if values is None:
        return {}
    return {name: dict(Counter(map(str, values)).most_common())}  # type: ignore[call-overload]
