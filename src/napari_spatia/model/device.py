"""Which device the model runs on, and in which number format it trains there."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch

from napari_spatia.errors import SpatiaError

DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]
PrecisionChoice = Literal["auto", "float32", "bfloat16"]
Item = TypeVar("Item")
Made = TypeVar("Made")
MOST_CORES = 8


def pick_device(choice: str = "auto") -> str:
    """Name of the device, cpu, cuda or mps; ``auto`` takes a GPU where torch can use one.

    Raises `SpatiaError` for a device that is not there.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if choice not in available:
        raise SpatiaError(f"Device '{choice}' is unknown; expected auto, {', '.join(available)}.")
    if not available[choice]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise SpatiaError(f"Device '{choice}' was asked for, but torch finds only {there} here. Use --device auto.")
    return choice


def pick_precision(choice: PrecisionChoice, device: str) -> PrecisionChoice:
    """``auto`` is bfloat16 where ``device`` has units for its products, float32 elsewhere; other choices stay."""
    if choice != "auto":
        return choice
    if device == "cpu":
        units = torch.cpu.get_capabilities()
        fast = units.get("avx512_bf16", False) or units.get("amx_bf16", False)
    else:
        fast = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if fast else "float32"


@contextmanager
def one_thread() -> Iterator[None]:
    """One CPU thread for work on a single cell.

    So little work gains nothing from a second thread, and where a window draws on the other core the two would wait for
    each other: on two cores a picture took 265 ms with two threads beside a busy core, 77 ms with one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def mapped_on_cores(
    work: Callable[[Item], Made],
    items: Sequence[Item],
    done: Callable[[int], None],
    num_cores: int | None = None,
) -> list[Made]:
    """``work`` of each item, in their order, several at once on a thread each; by default on all cores.

    So work in small steps scales where torch's own threads wait for each other at each step: on two busy cores 16
    pictures took 0.5 s with one thread of torch and 2 s with two. ``done`` is called here with how many are made; what
    it raises stops the rest.
    """
    num_cores = min(os.cpu_count() or 1, MOST_CORES) if num_cores is None else num_cores
    with (
        one_thread(),
        ThreadPoolExecutor(num_cores, "spatia-core", initializer=torch.set_num_threads, initargs=(1,)) as cores,
    ):
        waiting = [cores.submit(work, item) for item in items]
        made: list[Made] = []
        try:
            for one in waiting:
                made.append(one.result())
                done(len(made))
        finally:
            for one in waiting:
                one.cancel()
    return made
