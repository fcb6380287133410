"""What token merging saves in larger pictures: the time of a decoder pass at 128 and 256 px.

    python -m napari_spatia.benchmark.merging --preset base --crop-px 128 256

The core's tokens grow with the picture's area, so merging saves more the larger it is. Time does not depend on what a
network has learned: this one is not trained, and says nothing of pictures (`sampling` does, for shipped weights).
Ratios are timed in turn, so that what else the machine does falls on all of them. ``core`` is the share of the pass's
operations in the transformer, ``share_of_matmul_rate`` the pass's operations a second over those of a large matrix
product in the same run.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from napari_spatia.benchmark.metrics import plain
from napari_spatia.benchmark.report import printed_progress, report_errors
from napari_spatia.benchmark.sampling import MERGE_RATIOS
from napari_spatia.benchmark.timing import elapsed_ms, matmul_gflops, median_and_p95
from napari_spatia.model.config import ModelConfig, Preset
from napari_spatia.model.device import one_thread, pick_device
from napari_spatia.model.flow_decoder import FlowDecoder
from napari_spatia.model.inputs import Condition
from napari_spatia.progress import Progress, silent

STAINS = ("DAPI", "boundary", "rna_18S", "aSMA_vimentin")
CONDITION_TOKENS = 18
"""As many as the base preset's gene latents, a niche and a tissue token."""


@one_thread()
@torch.no_grad()
def merging(
    preset: Preset, crop_px: Sequence[int], times: int, device: str = "cpu", progress: Progress = silent
) -> dict[str, Any]:
    """Times of one picture's pass for each size and ratio; see the top of this file."""
    found: dict[str, Any] = {}
    for number, size in enumerate(crop_px):
        config = ModelConfig.from_preset(preset, ("gene",), STAINS, ("cell",)).model_copy(update={"crop_px": size})
        decoder = FlowDecoder(config, config.decoder_shape).eval().to(device)
        draw = partial(_pass, decoder, config, device)
        ms: dict[float, list[NDArray]] = {ratio: [] for ratio in MERGE_RATIOS}
        for ratio in MERGE_RATIOS:  # the first pass allocates
            draw(ratio)
        for time in range(times):
            for ratio in MERGE_RATIOS:
                ms[ratio].append(elapsed_ms(partial(draw, ratio)))
            progress((number + (time + 1) / times) / len(crop_px), f"timing {size} px")
        whole, rate = float(np.median(ms[0.0])), matmul_gflops()
        operations = {ratio: _operations(partial(draw, ratio)) for ratio in MERGE_RATIOS}
        found[str(size)] = {
            "tokens": decoder.grid_px**2,
            "parameters": sum(p.numel() for p in decoder.parameters()),
            "core": plain(operations[0.0][1] / operations[0.0][0]),
            "ratios": {
                f"{ratio:.0%}": {
                    **median_and_p95(np.array(ms[ratio])),
                    "times_faster": plain(whole / float(np.median(ms[ratio]))),
                    "gflop": plain(operations[ratio][0]),
                    "share_of_matmul_rate": plain(operations[ratio][0] / float(np.median(ms[ratio])) * 1000 / rate),
                }
                for ratio in MERGE_RATIOS
            },
        }
    return found


def _pass(decoder: FlowDecoder, config: ModelConfig, device: str, merge_ratio: float) -> None:
    picture = torch.randn(1, config.drawn_channels, config.crop_px, config.crop_px, device=device)
    tokens = torch.randn(1, CONDITION_TOKENS, config.width, device=device)
    clock = torch.full((1,), 0.25, device=device)
    decoder(picture, clock, clock, Condition(tokens, tokens[:, 0], picture), merge_ratio)


def _operations(call: "partial[None]") -> tuple[float, float]:
    """All of a pass's floating-point operations and those of its core, in 10⁹."""
    with FlopCounterMode(display=False) as counter:
        call()
    by_module = counter.get_flop_counts()
    core = sum(sum(flops.values()) for name, flops in by_module.items() if name.split(".")[-2:-1] == ["core"])
    return counter.get_total_flops() / 1e9, core / 1e9


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m napari_spatia.benchmark.merging", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--preset", default="base", choices=("tiny", "small", "base"))
    parser.add_argument("--crop-px", type=int, nargs="+", default=(128, 256), metavar="PX")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="passes to time of each (default 5)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    options = parser.parse_args(arguments)
    with report_errors():
        device = pick_device(options.device)
        found = merging(options.preset, options.crop_px, options.times, device, printed_progress())
        print(json.dumps({"benchmark": "merging", "preset": options.preset, "device": device, "sizes": found}))


if __name__ == "__main__":
    main()
