"""A trained model's weights for another panel, other stains and other types: fine-tuning starts from them.

Which axis of which weight runs over genes, channels or types is found by building the model's shapes with one more of
each. Rows of names that both models have are carried over by name; what is new starts as the mean of what is known. The
readings and the linear picture are left out: they are solved anew in every training.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.spatia import SpatiaModel

MASK = ""
"""The last drawn channel, which no stain is called."""
PER_CHANNEL = re.compile(r"(image\.patch)\.\d+\.(.+)")
"""Weights of a module per channel, which are taken together as one."""
ROUNDS = {"decoder.stem.weight": 2, "one_pass.stem.weight": 2}
"""How often a weight goes through all names, where not once: a stem reads two pictures, one after the other."""
SOLVED = ("readings.", "linear_prior.", "linear_outline.")
"""Weights that are not carried over."""


@dataclass(frozen=True, slots=True)
class NamedAxis:
    """An axis of a weight whose last entries are ``block`` a name of ``kind``, a field of `ModelConfig`, name by name;
    and that ``rounds`` times over.
    """

    kind: str
    axis: int
    rounds: int
    block: int


@torch.no_grad()
def carry_over(source: SpatiaModel, target: SpatiaModel) -> dict[str, dict[str, Any]]:
    """Copies ``source`` into ``target``, a model of the same shape but for panel, channels and cell types.

    Returns for each of these how many names were carried over, which are new and which are gone.
    """
    before, after = _names(source.config), _names(target.config)
    weights = _together(source.state_dict())
    for name, axes in _named_axes(source.config).items():
        for axis in axes:
            weights[name] = _renamed(weights[name], axis, before[axis.kind], after[axis.kind])
    target.load_state_dict(_apart(weights, target.state_dict()), strict=False)
    return {
        kind: {
            "carried_over": len(set(before[kind]) & set(after[kind]) - {MASK}),
            "new": [name for name in after[kind] if name not in before[kind]],
            "gone": [name for name in before[kind] if name not in after[kind]],
        }
        for kind in before
    }


def _names(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    return {"panel": config.panel, "channels": (*config.channels, MASK), "cell_types": config.cell_types}


def _named_axes(config: ModelConfig) -> dict[str, list[NamedAxis]]:
    axes: dict[str, list[NamedAxis]] = {}
    shapes = _shapes(config)
    for kind in _names(config):
        wider = _shapes(config.model_copy(update={kind: (*getattr(config, kind), "one more")}))
        for name, shape in shapes.items():
            grown = [b - a for a, b in zip(shape, wider[name], strict=True)]
            rounds = ROUNDS.get(name, 1)
            axes.setdefault(name, []).extend(
                NamedAxis(kind, axis, rounds, size // rounds) for axis, size in enumerate(grown) if size
            )
    return axes


def _shapes(config: ModelConfig) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: value.shape for name, value in _together(SpatiaModel(config).state_dict()).items()}


def _renamed(value: Tensor, named: NamedAxis, before: Sequence[str], after: Sequence[str]) -> Tensor:
    axis, size = named.axis, named.rounds * len(before) * named.block
    others, known = value.split([value.shape[axis] - size, size], axis)
    known = known.unflatten(axis, (named.rounds, len(before), named.block))
    by_name = axis + 1
    mean = known.narrow(by_name, 0, len(before) - (MASK in before)).mean(by_name, keepdim=True)
    position = {name: row for row, name in enumerate(before)}
    rows = torch.tensor([position.get(name, len(before)) for name in after])
    renamed = torch.cat([known, mean], by_name).index_select(by_name, rows)
    return torch.cat([others, renamed.flatten(axis, axis + 2)], axis)


def _together(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    weights = {name: value for name, value in weights.items() if not name.startswith(SOLVED)}
    per_channel: dict[str, list[Tensor]] = {}
    for name, value in weights.items():
        if match := PER_CHANNEL.fullmatch(name):
            per_channel.setdefault(f"{match[1]}.{match[2]}", []).append(value)
    single = {name: value for name, value in weights.items() if not PER_CHANNEL.fullmatch(name)}
    return single | {name: torch.stack(values) for name, values in per_channel.items()}


def _apart(weights: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    apart = {name: value for name, value in weights.items() if name in like}
    per_channel = {name: iter(value) for name, value in weights.items() if name not in like}
    for name in like:
        if match := PER_CHANNEL.fullmatch(name):
            apart[name] = next(per_channel[f"{match[1]}.{match[2]}"])
    return apart
