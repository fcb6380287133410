import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from app_fakes import make_slide
from napari_spatia.data.panel import Panel
from napari_spatia.data.splits import Split
from napari_spatia.errors import Cancelled, CheckpointError, SlideError, SpatiaError
from napari_spatia.inference.predictor import Predictor
from napari_spatia.model.checkpoint import load_checkpoint
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.train import run
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train

OPTIONS = TrainConfig(
    name="t", preset="tiny", image_steps=6, image_crops=4, encoder_steps=6, encoder_groups=2, encoder_group_size=3,
    encoder_crops=3, decoder_steps=6, decoder_groups=2, decoder_group_size=2, validate_every=3, few_step_after=0.0,
    one_pass_steps=6, one_pass_cells=4, noise_cells=4,
)  # fmt: skip
SPLIT = Split(validation=((0.0, 110.0, 999.0, 999.0),), margin_um=5.0)


@pytest.fixture
def slide(tmp_path):
    return make_slide(tmp_path / "s.zarr", grid=22)


def losses(folder) -> list[dict]:
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in entries]


def test_training_leaves_a_checkpoint_with_scores_log_and_curves(slide, tmp_path):
    out = train([slide], tmp_path / "out", OPTIONS, SPLIT)
    model, config, _ = load_checkpoint(out)
    assert config.model.panel == slide.panel.genes and config.model.cell_types == ("T_cell", "acinar", "ductal")
    assert 0 <= config.held_out["type_accuracy_genes"] <= 1 and config.held_out["flow_held_out"] > 0
    assert config.provenance["splits"][0]["validation"] and config.provenance["options"]["seed"] == 0
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text()
    assert "Finished" in page and "step 6" in page and "flow_held_out" in page and OPTIONS.preset in page
    assert page.count("data:image/png;base64,") == 1 + 3 * 4  # curves; real cells and three steps of three stages
    assert "type_balanced_accuracy_both" in page and "imputed_gene_pearson" in page and "outline_r2" in page
    assert "://" not in page  # nothing is loaded from elsewhere
    assert not (out / "unfinished").exists()
    assert model.decoder.spectrum.picture.std() > 0.01  # measured, no longer white
    assert len(config.held_out["outline_r2"]) == 4 and model.linear_outline.weight.any()  # solved


@pytest.mark.usefixtures("report_at_the_end")
def test_of_a_large_panel_the_linear_parts_read_some_genes_and_tell_all(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "MOST_READ_GENES", 5)
    model, config, _ = load_checkpoint(train([slide], tmp_path / "out", OPTIONS, SPLIT))
    assert len(config.model.read_genes) == 5 < len(slide.panel)
    assert len(model.linear_prior.weight) == config.model.width + 5
    assert len(config.held_out["imputed_gene_pearson"]) == len(slide.panel)
    outputs = Predictor.load(tmp_path / "out", "cpu").bind(slide).embed(np.arange(4))
    assert outputs.expression.shape == (4, len(slide.panel))
    on = train([slide], tmp_path / "on", OPTIONS, SPLIT, start=tmp_path / "out")
    assert load_checkpoint(on)[1].model.read_genes == config.model.read_genes


@pytest.mark.usefixtures("report_at_the_end")
@pytest.mark.parametrize(
    ("killed_at", "precision"),
    [
        ("image: step 4", "float32"),
        ("encoder: step 4", "float32"),
        ("decoder: step 5", "bfloat16"),
        ("one_pass: step 5", "float32"),
    ],
)
def test_a_killed_run_goes_on_to_the_same_losses(slide, tmp_path, killed_at, precision):
    options = OPTIONS.model_copy(update={"precision": precision})
    whole = train([slide], tmp_path / "whole", options, SPLIT)

    def kill(fraction: float, doing: str) -> None:
        if doing == killed_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        train([slide], tmp_path / "parts", options, SPLIT, progress=kill)
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    parts = train([slide], tmp_path / "parts", options, SPLIT, resume=True)
    assert losses(parts) == losses(whole)
    weights, resumed = (load_checkpoint(folder)[0].state_dict() for folder in (whole, parts))
    for name, value in weights.items():
        assert np.array_equal(value, resumed[name]), name


@pytest.mark.usefixtures("report_at_the_end")
def test_another_models_unfinished_run_is_refused(slide, tmp_path):
    def kill(fraction: float, doing: str) -> None:
        if doing == "encoder: step 4":
            raise Cancelled

    with pytest.raises(Cancelled):
        train([slide], tmp_path / "out", OPTIONS, SPLIT, progress=kill)
    other = OPTIONS.model_copy(update={"preset": "small"})
    with pytest.raises(CheckpointError, match="started with preset = tiny; now it is small"):
        train([slide], tmp_path / "out", other, SPLIT, resume=True)
    with pytest.raises(CheckpointError, match="started with split"):
        train([slide], tmp_path / "out", OPTIONS, Split(validation=((0.0, 0.0, 50.0, 999.0),)), resume=True)
    (tmp_path / "out" / "unfinished" / "asked.json").unlink()  # as an earlier version left it
    with pytest.raises(CheckpointError, match="another model"):
        train([slide], tmp_path / "out", other, SPLIT, resume=True)
    longer = OPTIONS.model_copy(update={"max_minutes": 50.0})
    (tmp_path / "out" / "unfinished" / "asked.json").unlink()
    assert (train([slide], tmp_path / "out", longer, SPLIT, resume=True) / "config.json").exists()


@pytest.mark.usefixtures("report_at_the_end")
def test_the_image_encoder_learns_alone_first(slide, tmp_path):
    """Its stage trains it and its heads on crops, and nothing else; without its objective there is no such stage."""

    def stop(fraction: float, doing: str) -> None:
        if doing == "encoder: step 0":
            raise Cancelled

    with pytest.raises(Cancelled):
        train([slide], tmp_path / "out", OPTIONS, SPLIT, progress=stop)
    state = load_file(tmp_path / "out" / "unfinished" / "state" / "weights.safetensors")
    torch.manual_seed(OPTIONS.seed)
    before = SpatiaModel(run.model_config([slide], OPTIONS)).state_dict()
    moved = {name.split(".")[0] for name, value in before.items() if not torch.equal(value, state[f"model.{name}"])}
    assert moved == {"image", "heads"}
    assert "type_accuracy_crop" in losses(tmp_path / "out")[-2]["held_out"]
    silent = OPTIONS.model_copy(update={"image_weight": 0.0})
    assert losses(train([slide], tmp_path / "silent", silent, SPLIT))[0]["stage"] == "encoder"


def test_too_few_cells_are_said(tmp_path):
    with pytest.raises(SlideError, match="at least 100 are needed"):
        train([make_slide(tmp_path / "s.zarr", grid=4)], tmp_path / "out", OPTIONS)


def test_slides_that_do_not_fit_are_said(slide, tmp_path):
    other = replace(slide, name="other", panel=Panel(tuple(f"X{i}" for i in range(len(slide.panel)))))
    with pytest.raises(SlideError, match="different panels"):
        train([slide, other], tmp_path / "out", OPTIONS, SPLIT)
    with pytest.raises(SlideError, match="Missing: rna_18S"):
        train([slide], tmp_path / "out", OPTIONS.model_copy(update={"channels": ("DAPI", "rna_18S")}), SPLIT)


def test_a_device_that_is_not_there_is_refused(slide, tmp_path):
    with pytest.raises(SpatiaError, match="torch finds only cpu"):
        train([slide], tmp_path / "out", OPTIONS.model_copy(update={"device": "cuda"}), SPLIT)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("report_at_the_end")
def test_training_learns(slide, tmp_path):
    longer = OPTIONS.model_copy(update={"encoder_steps": 60, "encoder_lr": 1e-2, "validate_every": 60})
    out = train([slide], tmp_path / "out", longer, SPLIT)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    pictures = [entry["loss"]["picture"] for entry in lines if "picture" in entry.get("loss", {})]
    assert pictures[-1] < 0.9 * pictures[0]


@pytest.mark.usefixtures("report_at_the_end")
def test_training_goes_on_from_a_checkpoint(slide, tmp_path):
    """The decoder alone: encoders keep their weights, and the held-out loss starts where it ended."""
    longer = OPTIONS.model_copy(update={"decoder_steps": 30, "decoder_lr": 3e-3})
    first = train([slide], tmp_path / "first", longer, SPLIT)
    options = OPTIONS.model_dump() | {"stages": ("decoder",), "few_step_after": 0.0}
    then = train([slide], tmp_path / "then", TrainConfig.fine_tuning(**options), SPLIT, start=first)
    entries = losses(then)
    assert entries[0]["carried_over"]["panel"] == {"carried_over": 12, "new": [], "gone": []}
    assert not any(entry["stage"] == "encoder" for entry in entries)
    ended = [entry for entry in losses(first) if entry["stage"] == "decoder"][-1]["held_out"]
    began = entries[1]["held_out"]
    assert began["flow_held_out"] == pytest.approx(ended["flow_held_out"], rel=0.02)
    before, after = (load_checkpoint(folder)[0].state_dict() for folder in (first, then))
    assert all(np.array_equal(before[name], after[name]) for name in before if name.split(".")[0] in ("genes", "niche"))
    assert not np.array_equal(before["decoder.stem.weight"], after["decoder.stem.weight"])
    assert load_checkpoint(then)[1].provenance["from"]["name"] == "t"


@pytest.mark.usefixtures("report_at_the_end")
def test_a_checkpoint_learns_to_draw_in_one_pass_and_stays_as_it_is(slide, tmp_path):
    """As one of an earlier version does, which has no small decoder."""
    without = OPTIONS.model_copy(update={"stages": ("encoder", "decoder")})
    before = train([slide], tmp_path / "before", without, SPLIT)
    model, config, _ = load_checkpoint(before)
    assert model.one_pass is None and "one_pass_held_out" not in config.held_out
    alone = OPTIONS.model_copy(update={"stages": ("one_pass",)})
    after, then, _ = load_checkpoint(train([slide], tmp_path / "after", alone, SPLIT, start=before))
    for name, value in model.state_dict().items():
        assert torch.equal(value, after.state_dict()[name]), name
    assert after.one_pass is not None and after.one_pass.spectrum.noise[0].std() > 0  # measured
    assert then.held_out.items() > config.held_out.items() and then.held_out["one_pass_held_out"] > 0
    assert then.intensity == config.intensity
    assert then.provenance.items() > config.provenance.items() and then.provenance["one_pass"]["from"]["name"] == "t"
    assert Predictor.load(tmp_path / "after", "cpu").bind(slide).generate(np.arange(2), nfe=1)[0].shape[0] == 2


@pytest.mark.usefixtures("report_at_the_end")
def test_one_pass_cannot_be_added_on_another_panel(slide, tmp_path):
    before = train([slide], tmp_path / "before", OPTIONS, SPLIT)
    alone = OPTIONS.model_copy(update={"stages": ("one_pass",)})
    other = replace(slide, panel=Panel(tuple(f"X{i}" for i in range(len(slide.panel)))))
    with pytest.raises(SlideError, match="another panel"):
        train([other], tmp_path / "after", alone, SPLIT, start=before)


def test_the_decoder_alone_needs_a_checkpoint(slide, tmp_path):
    with pytest.raises(SpatiaError, match="--from"):
        train([slide], tmp_path / "out", OPTIONS.model_copy(update={"stages": ("decoder",)}), SPLIT)
