"""How long pictures take, one cell at a time, as in the live window: drawn on one thread; the cells around one that is
clicked are read on all cores.

    python -m napari_spatia.benchmark.timing SLIDE --checkpoint sim-small

prints what a click (encode and invert) and an edit cost, as the window does them: in few passes while a hand moves, and
refined in all of them once it rests; and a screen, every gene of the panel edited in one cell, in few passes and on all
cores. Beside them two yardsticks measured in the same run: the machine's rate of matrix
products, and the sampler of the published release (400 passes of midpoint steps) with this network.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from napari_spatia.benchmark.metrics import plain, psnr_summary
from napari_spatia.benchmark.report import benchmark_parser, printed_progress, report_errors
from napari_spatia.data.io import open_slide
from napari_spatia.inference.perturb import CellEditor
from napari_spatia.inference.predictor import DEFAULT_NFE, PREVIEW_NFE, BoundSlide, Predictor
from napari_spatia.inference.resolve import EditResolver
from napari_spatia.inference.screen import ScreenPlan
from napari_spatia.inference.screener import Screener
from napari_spatia.model.device import one_thread
from napari_spatia.progress import Progress, part, silent

MIDPOINT_PASSES = 400
MIDPOINT_STEPS_MEASURED = 10
MATMUL_SIZE = 768
LOG2_FC = 1.0


def matmul_gflops() -> float:
    """The median rate of float32 matrix products of one thread."""
    left, right = torch.randn(2, MATMUL_SIZE, MATMUL_SIZE)
    ms = elapsed_ms(lambda: left @ right, 20)
    return float(2 * MATMUL_SIZE**3 / np.median(ms) / 1e6)


def decoder_gflop(bound: BoundSlide, cell: int, nfe: int, merge_ratio: float = 0.0) -> float:
    """Floating-point operations of ``nfe`` decoder passes over a picture, in 10⁹; what a counter of torch's can see."""
    with FlopCounterMode(display=False) as counter:
        _draw(bound, cell, nfe, merge_ratio)
    with FlopCounterMode(display=False) as beside:
        _condition(bound, cell)
    return (counter.get_total_flops() - beside.get_total_flops()) / 1e9


def picture_times_ms(
    bound: BoundSlide, cells: NDArray[np.intp], nfe: int, merge_ratio: float = 0.0
) -> NDArray[np.float64]:
    """`(n,)` from a cell's genes to its picture in the slide's units."""
    _draw(bound, int(cells[0]), nfe, merge_ratio)  # the first pass allocates
    return np.concatenate([elapsed_ms(partial(_draw, bound, int(cell), nfe, merge_ratio)) for cell in cells])


def midpoint_ms(bound: BoundSlide, cell: int) -> float:
    """One picture by `MIDPOINT_PASSES` passes of midpoint steps, estimated from `MIDPOINT_STEPS_MEASURED` of them."""
    condition = _condition(bound, cell)
    white = torch.from_numpy(bound.noise(cell, 0)[None]).to(bound.predictor.device)
    step, at_a_step = 2 / MIDPOINT_PASSES, bound.velocity(condition)

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        clock = torch.full((1,), t, device=x.device)
        return at_a_step(x, clock, torch.zeros_like(clock))

    @torch.no_grad()
    def walk() -> None:
        x = bound.model.start(white, condition)
        for number in range(MIDPOINT_STEPS_MEASURED):
            t = number * step
            half_way = x + step / 2 * velocity(x, t)
            x = x + step * velocity(half_way, t + step / 2)

    return float(np.median(elapsed_ms(walk, 3))) * MIDPOINT_PASSES / (2 * MIDPOINT_STEPS_MEASURED)


def elapsed_ms(call: Callable[[], object], times: int = 1) -> NDArray[np.float64]:
    """`(times,)` milliseconds of wall clock."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(1000 * (time.perf_counter() - began))
    return np.array(found)


def median_and_p95(ms: NDArray[np.float64]) -> dict[str, float | None]:
    """Both, ready for JSON."""
    return {"p50_ms": plain(np.median(ms)), "p95_ms": plain(np.percentile(ms, 95))}


@one_thread()
def live_times(bound: BoundSlide, num_cells: int, nfe: int, seed: int = 0, progress: Progress = silent) -> dict:
    """A click and an edit of one expressed gene on each of ``num_cells`` random cells, and the yardsticks.

    A refined click is the whole of it, from the click to the picture in ``nfe`` passes. ``preview_agrees`` is the
    correlation over pixels and stains of what the edit changes in the preview and in the refined picture.
    """
    slide, editor = bound.slide, CellEditor(bound)
    random = np.random.default_rng(seed)
    expressing = expressed_cells(bound)
    cells = random.choice(expressing, min(num_cells + 1, len(expressing)), replace=False)
    panel = bound.predictor.info.panel.genes
    clicks, edits, psnr, same = (np.zeros((len(cells), 2)) for _ in range(4))  # columns: preview, refined
    agrees = np.zeros(len(cells))
    for row, cell in enumerate(cells):
        cell_id, gene = str(slide.cell_id[cell]), panel[int(random.choice(bound.values[cell].indices))]
        began, changes = time.perf_counter(), []
        for column, passes in enumerate((PREVIEW_NFE, nfe)):
            selected = editor.select(cell_id, passes)
            clicks[row, column] = 1000 * (time.perf_counter() - began)
            psnr[row, column] = selected.zero_edit_psnr_db
            pause = time.perf_counter()
            edited = editor.render(selected, {gene: LOG2_FC})
            edits[row, column] = edited.ms
            changes.append(bound.scale.standardise(edited.image) - bound.scale.standardise(selected.zero_edit))
            same[row, column] = np.array_equal(editor.render(selected, {}).image, selected.zero_edit)
            began += time.perf_counter() - pause
        agrees[row] = np.corrcoef(np.stack(changes).reshape(2, -1))[0, 1]
        progress((row + 1) / len(cells), "clicking and editing")
    midpoint = midpoint_ms(bound, int(cells[0]))
    # The first click also reads the cells that stand for "seen"; it is reported, not averaged away.
    return {
        "cells": len(cells) - 1,
        "nfe": nfe,
        "first_click_ms": plain(clicks[0, 0]),
        "click": median_and_p95(clicks[1:, 0]),
        "edit": median_and_p95(edits[1:, 0]),
        "refined_click": median_and_p95(clicks[1:, 1]),
        "refined_edit": median_and_p95(edits[1:, 1]),
        "preview_nfe": PREVIEW_NFE,
        "preview_agrees": {"median": plain(np.median(agrees)), "lowest": plain(agrees.min())},
        "preview_psnr_db": psnr_summary(psnr[:, 0]),
        "zero_edit_psnr_db": psnr_summary(psnr[:, 1]),
        "zero_edit_bit_identical": plain(float(same.mean())),
        "midpoint_ms": plain(midpoint),
        "midpoint_passes": MIDPOINT_PASSES,
        "midpoint_estimated_from_passes": 2 * MIDPOINT_STEPS_MEASURED,
        "fewer_passes": plain(MIDPOINT_PASSES / nfe),
        "matmul_gflops": plain(matmul_gflops()),
        "preview_gflop": plain(decoder_gflop(bound, int(cells[0]), PREVIEW_NFE)),
        "gflop_per_pass": plain(decoder_gflop(bound, int(cells[0]), nfe) / nfe),
    }


def expressed_cells(bound: BoundSlide) -> NDArray[np.intp]:
    """Rows of the cells that have a count of a gene that the model reads."""
    return np.flatnonzero(np.diff(bound.values.indptr) > 0)


def screen_time(bound: BoundSlide, cell: int, progress: Progress = silent) -> dict:
    """Seconds of a screen of all panel genes on one cell: of the clock, and of all cores together.

    The real cells that edits are compared with are read before, as they are in a window once an edit has rested.
    """
    editor = CellEditor(bound)
    editor.prepare(part(progress, 0.0, 0.2))
    screener = Screener(editor, EditResolver(bound))
    plan = ScreenPlan((str(bound.slide.cell_id[cell]),), bound.predictor.info.panel.genes)
    began, began_cpu = time.perf_counter(), time.process_time()
    screener.screen(plan, progress=part(progress, 0.2, 1.0))
    return {
        "screen_genes": len(plan.genes),
        "screen_s": plain(time.perf_counter() - began),
        "screen_cpu_s": plain(time.process_time() - began_cpu),
    }


def _condition(bound: BoundSlide, cell: int) -> Any:
    row = np.array([cell])
    return bound.condition(row, bound.genes_of(row))


def _draw(bound: BoundSlide, cell: int, nfe: int, merge_ratio: float) -> None:
    white = torch.from_numpy(bound.noise(cell, 0)[None]).to(bound.predictor.device)
    bound.restore(bound.draw(white, _condition(bound, cell), nfe, merge_ratio))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = benchmark_parser("timing", __doc__)
    parser.add_argument("--cells", type=int, default=50, metavar="N", help="cells to click (default 50)")
    parser.add_argument(
        "--nfe", type=int, default=DEFAULT_NFE, help=f"decoder passes a picture (default {DEFAULT_NFE})"
    )
    options = parser.parse_args(arguments)
    with report_errors():
        slide = open_slide(options.slide)
        bound = Predictor.load(options.checkpoint, options.device, options.precision).bind(slide)
        found = live_times(bound, options.cells, options.nfe, options.seed, printed_progress())
        found |= screen_time(bound, expressed_cells(bound)[0], printed_progress())
        info = bound.predictor.info
        print(
            json.dumps(
                {
                    "benchmark": "timing",
                    "slide": slide.name,
                    "checkpoint": info.name,
                    "sha256": info.sha256,
                    "precision": bound.predictor.precision,
                    **found,
                }
            )
        )


if __name__ == "__main__":
    main()
