"""Progress, notes, results and the ends of a command."""

import json
import os
import signal
import subprocess
import sys
import warnings

import pytest
import typer

from napari_spatia.cli import report as report_module
from napari_spatia.cli.report import Report, as_lines, reporting
from napari_spatia.errors import Cancelled, SlideError


def test_result_is_lines_or_one_json_object(capsys: pytest.CaptureFixture[str]):
    values = {"cells": 3, "types": {"T cell": 2}, "channels": ["DAPI", "18S"], "empty": {}}
    Report(as_json=False).result(values)
    assert capsys.readouterr().out.splitlines() == ["cells: 3", "types:", "  T cell: 2", "channels: DAPI, 18S"]
    Report(as_json=True).result(values)
    assert json.loads(capsys.readouterr().out) == values


def test_as_lines_indents_what_is_nested():
    assert as_lines({"a": {"b": {"c": 1}}}) == "a:\n  b:\n    c: 1"


def test_as_lines_gives_each_mapping_of_a_list_a_line_and_leaves_out_what_is_empty():
    features = [{"feature": "cell_area", "unit": "µm²", "change": 1.5}, {"feature": "cell_roundness", "unit": ""}]
    said = as_lines({"features": features, "notes": []})
    assert said == "features:\n  feature cell_area, unit µm², change 1.5\n  feature cell_roundness"


def test_as_lines_counts_many_numbers_and_lists_few():
    assert as_lines({"r2": [0.1] * 200, "size": [3, 4]}) == "r2: 200 numbers (--json lists them)\nsize: 3, 4"
    assert as_lines({"genes": ["A"] * 30}) == "genes: " + ", ".join(["A"] * 30)


def test_progress_goes_to_stderr_as_few_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    clock = iter(range(1000))
    monkeypatch.setattr(report_module.time, "monotonic", lambda: next(clock) * 0.1)
    report = Report(as_json=True)
    for step in range(500):
        report.progress(step / 500, f"step {step}")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert 10 < len(shown.err.splitlines()) < 60


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with reporting() as report:
        report.progress(0.5, "embedding cells")
        assert report._bar is not None
    assert report._bar is None, "the bar is gone when the command ends"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [SlideError("No table."), PermissionError(13, "denied", "x")])
def test_clear_errors_are_a_message_and_exit_code_1(error: Exception, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as stop, reporting():
        raise error
    assert stop.value.exit_code == 1
    assert capsys.readouterr().err == f"Error: {error}\n"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_ctrl_c_is_said_and_is_no_success(stop: type[BaseException], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as ended, reporting():
        raise stop
    assert ended.value.exit_code == 130
    assert "Stopped" in capsys.readouterr().err


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), reporting():
        _ = 1 / 0


def test_sigterm_unwinds_like_ctrl_c():
    with pytest.raises(typer.Exit) as ended, reporting():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.exit_code == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.fixture
def listening():
    """Ctrl-C is heard, also where the tests themselves were started in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_swallows_stops_at_the_next_progress(number: signal.Signals, listening: None):
    went_on = []
    with pytest.raises(typer.Exit) as ended, reporting() as report:
        try:
            os.kill(os.getpid(), number)
        except BaseException:  # as some libraries do around an import
            went_on.append("swallowed")
        report.progress(0.5, "drawing cells")
        went_on.append("drawn")
    assert ended.value.exit_code == 130 and went_on == ["swallowed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_command_in_the_background_ignores_ctrl_c(listening: None):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts it
    with reporting() as report:
        os.kill(os.getpid(), signal.SIGINT)
        report.progress(1.0, "done")


def test_own_warnings_are_notes_and_others_are_silent(capsys: pytest.CaptureFixture[str]):
    with reporting():
        warnings.warn_explicit("3 cells have no centre.", UserWarning, "io.py", 1, module="napari_spatia.data.io")
        warnings.warn_explicit("old api", UserWarning, "lib.py", 1, module="somelib")
    assert capsys.readouterr().err == "note: 3 cells have no centre.\n"


def test_interrupted_simulation_leaves_nothing(tmp_path, listening):
    out = tmp_path / "tissue.zarr"
    command = [sys.executable, "-m", "napari_spatia", "simulate", str(out), "--cells", "4000"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    child.stderr.readline()  # it has begun
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Stopped" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
