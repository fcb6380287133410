"""The command line is a contract: names and options stay, every help has an example, exit codes mean what they say."""

import pytest
import typer
from typer.testing import CliRunner

from napari_spatia.cli.main import app

SLIDE_PARTS = {"--image", "--labels", "--table", "--coordinate-system", "--um-per-px"}
MODEL = {"--checkpoint", "--device", "--channel-map"}
FROZEN = {
    "demo": {"--slide", "--checkpoint", "--headless", "--out", "--json"},
    "open": {"slide", "--checkpoint"} | SLIDE_PARTS,
    "simulate": {"out", "--cells", "--seed", "--transcripts", "--json"},
    "info": {"what", "--json"} | SLIDE_PARTS,
    "train": {
        *("slides", "--out", "--preset", "--holdout", "--resume", "--max-minutes"),
        *("--channels", "--label-column", "--seed", "--device", "--json"),
        *("--from", "--stages", "--precision"),
    },
    "predict": {
        *("slide", "--tasks", "--inputs", "--genes", "--hide-genes", "--reference", "--out", "--scheduler", "--seed"),
        "--json",
        *MODEL,
        *SLIDE_PARTS,
    },
    "generate": {
        *("slide", "--out", "--cells", "--samples", "--nfe", "--merge-ratio", "--shuffle", "--seed", "--json"),
        *MODEL,
        *SLIDE_PARTS,
    },
    "perturb": {
        *("slide", "more", "--cell", "--set", "--out", "--nfe", "--sweep", "--seeds", "--json"),
        *("--programme", "--towards", "--coexpressed", "--niche", "--programmes", "--edit", "--recipe"),
        *MODEL,
        *SLIDE_PARTS,
    },
    "export": {"slide", "--to", "--formats", "--json"} | SLIDE_PARTS,
    "models list": {"--json"},
    "models path": {"name", "--json"},
    "programmes list": {"--checkpoint", "--programmes", "--json"},
    "programmes show": {"name", "--checkpoint", "--programmes", "--json"},
    "programmes path": {"--json"},
}


def _commands() -> dict:
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        nested = getattr(command, "commands", None)
        found |= {f"{name} {child}": sub for child, sub in nested.items()} if nested else {name: command}
    return found


COMMANDS = _commands()


def test_no_command_was_lost_or_added_unseen():
    assert set(COMMANDS) == set(FROZEN)


@pytest.mark.parametrize("name", FROZEN)
def test_options_are_frozen(name: str):
    found = set()
    for parameter in COMMANDS[name].params:
        found |= {opt for opt in parameter.opts if opt not in ("--help", "-h")}
    assert found == FROZEN[name]


@pytest.mark.parametrize("name", FROZEN)
def test_help_has_an_example_that_names_the_command(name: str):
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    assert f"Example: napari-spatia {name}" in " ".join(shown.output.split())


def test_version_is_the_package_version():
    import napari_spatia

    assert CliRunner().invoke(app, ["--version"]).output.strip() == napari_spatia.__version__


@pytest.mark.parametrize(
    "line",
    [
        "no-such-command",
        "predict slide.zarr",
        "predict slide.zarr --checkpoint c --tasks embed,nonsense",
        "predict slide.zarr --checkpoint c --inputs ''",
        "predict slide.zarr --checkpoint c --channel-map DAPI",
        "perturb slide.zarr --checkpoint c --cell 1 --out d",
        "perturb slide.zarr --checkpoint c --cell 1 --out d --set MKI67=much",
        "perturb slide.zarr --checkpoint c --cell 1 --out d --set =2",
        "export slide.zarr --to d --formats csv,docx",
        "generate slide.zarr --checkpoint c --out f.npz --samples 0",
        "train --out m",
        "simulate out.zarr --cells -3",
    ],
)
def test_wrong_usage_is_exit_code_2(line: str):
    import shlex

    assert CliRunner().invoke(app, shlex.split(line)).exit_code == 2
