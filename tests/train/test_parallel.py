"""Processes that share a batch: the same losses and weights as one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from app_fakes import make_slide
from napari_spatia.data.splits import Split
from napari_spatia.model.checkpoint import load_checkpoint
from napari_spatia.train import readings
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train

HERE = Path(__file__).parent
OPTIONS = TrainConfig(
    name="t", preset="tiny", precision="float32", device="cpu", image_steps=4, image_crops=5, encoder_steps=12,
    decoder_steps=8, encoder_groups=2, encoder_group_size=3, encoder_crops=3, decoder_groups=5, decoder_group_size=1,
    validate_every=4, few_step_after=0.5, few_step_share=0.5, one_pass_steps=6, one_pass_cells=5, noise_cells=4,
)  # fmt: skip
SOLVED = "readings.type_weight"
"""Regressions on features that tell nothing of the types here: weights of up to 20, with small ones among them."""
PENALTIES = (1e-3,)
"""One alone: which of several is best on a few cells whose types nothing tells, the last bit of a loss decides."""
SPLIT = Split(validation=((0.0, 110.0, 999.0, 999.0),), margin_um=5.0)


def curve(folder: Path) -> list[tuple[str, int, str, float]]:
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [
        (entry["stage"], entry.get("step"), name, value)
        for entry in entries
        for kind in ("loss", "held_out")
        for name, value in entry.get(kind, {}).items()
    ]


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path, monkeypatch):
    """Batches of 6 and of 5 cells, so that the shares differ; every objective and the few-step term take part."""
    together = tmp_path / "two"
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
            *(HERE / "two_processes.py", together, OPTIONS.model_dump_json(), SPLIT.model_dump_json()),
            json.dumps(PENALTIES),
        ],
        check=True,
        timeout=500,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    monkeypatch.setattr(readings, "PENALTIES", PENALTIES)
    alone = train([make_slide(tmp_path / "s.zarr", grid=22)], tmp_path / "one", OPTIONS, SPLIT)
    one, two = curve(alone), curve(together)
    objectives = {"genes", "type", "picture", "patches", "contrast", "crops", "flow", "few_steps", "one_pass"}
    assert {name for _, _, name, _ in one} >= objectives
    assert [point[:3] for point in two] == [point[:3] for point in one]
    assert [value for *_, value in two] == pytest.approx([value for *_, value in one], rel=1e-3, abs=1e-5)
    weights = load_checkpoint(together)[0].state_dict()
    for name, value in load_checkpoint(alone)[0].state_dict().items():
        atol = 5e-3 * value.abs().max().item() if name == SOLVED else 2e-3
        torch.testing.assert_close(
            weights[name], value, rtol=2e-2, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )
