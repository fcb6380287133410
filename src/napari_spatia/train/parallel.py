"""Several processes train one model on one batch (``torchrun``); alone, a process does everything and asks nobody.

Every process draws the same batch, computes its share of the rows (`by_share`) and gets the rows of the others. What
follows - heads, losses, means over masked elements, contrasts of pairs - is computed by every process on the whole
batch, so that the losses are those of one process and no objective knows of this module.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from napari_spatia.model.inputs import Rows

Result = TypeVar("Result")
PATIENCE = timedelta(hours=12)
"""How long a process waits for the others: the first reads the crops of whole slides alone."""


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Joins the processes that torchrun started, each with a GPU of its own on ``cuda``; without torchrun, nothing."""
    if not distributed.is_torchelastic_launched():
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def is_first() -> bool:
    """Whether this process is the one that writes, logs and tells."""
    return os.environ.get("RANK", "0") == "0" or not distributed.is_torchelastic_launched()


def wait() -> None:
    """Until every process is here."""
    if distributed.is_initialized():
        distributed.barrier()


def first_says(value: float) -> float:
    """The first process's ``value``: clocks differ, and all must stop at one step."""
    if not distributed.is_initialized():
        return value
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    said = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(said, 0)
    return said.item()


def by_share(function: Callable[..., Result], num: int, *batch: Any) -> Result:
    """``function(*batch)`` of a function that treats cells one by one, each process computing its share of the ``num``.

    ``batch`` are tensors, `Rows`, arrays or None, ``num`` rows each, at least one for every process; the result is a
    float tensor, `Rows` or a tuple of them with as many rows, through which gradients find their way back.
    """
    if not distributed.is_initialized():
        return function(*batch)
    world, rank = distributed.get_world_size(), distributed.get_rank()
    assert num >= world, f"{num} rows for {world} processes"
    mine = slice(num * rank // world, num * (rank + 1) // world)
    share = function(*(_each(value, lambda rows: rows[mine]) for value in batch))
    return cast(Result, _each(share, lambda rows: _Gather.apply(rows, mine, num)))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Makes the gradients of all processes their mean: right for rows computed by share, and for what all computed."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class _Gather(torch.autograd.Function):
    """The rows of all processes. Backward, each takes the gradient of its own rows, as often as there are processes,
    since `average_gradients` divides by that.
    """

    @staticmethod
    def forward(ctx: Any, share: Tensor, mine: slice, num: int) -> Tensor:
        ctx.mine = mine
        whole = share.new_zeros(num, *share.shape[1:])
        whole[mine] = share
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[0][ctx.mine] * distributed.get_world_size(), None, None


def _each(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(_each(item, function) for item in value)
    if isinstance(value, Rows):
        return value.map(function)
    return None if value is None else function(value)
