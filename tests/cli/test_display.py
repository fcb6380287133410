"""A screen of one's own for the window, and none left behind."""

import os
import shutil
import subprocess
import sys

import pytest

from napari_spatia.cli import display
from napari_spatia.cli.report import Report
from napari_spatia.errors import SpatiaError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is for Linux")
needs_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")


@linux
@needs_xvfb
def test_two_virtual_displays_get_two_numbers_and_go_away():
    with display.virtual_display() as first, display.virtual_display() as second:
        numbers = {env["DISPLAY"] for env in (first, second)}
        assert len(numbers) == 2
        assert all(os.path.exists(f"/tmp/.X11-unix/X{number[1:]}") for number in numbers)
        assert first["QT_QPA_PLATFORM"] == "xcb"
        assert "WAYLAND_DISPLAY" not in first
    assert not any(os.path.exists(f"/tmp/.X11-unix/X{number[1:]}") for number in numbers)


@linux
def test_missing_xvfb_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpatiaError, match="apt-get install xvfb"), display.virtual_display():
        pass


@linux
def test_xvfb_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path):
    broken = tmp_path / "Xvfb"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(SpatiaError, match="exit code 3"), display.virtual_display():
        pass


@linux
def test_has_display_reads_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not display.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert display.has_display()


def test_window_runs_in_its_own_process_and_gives_its_exit_code(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "window_of_a_test.py").write_text("import sys\nprint('drawn')\nraise SystemExit(len(sys.argv))\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    # Its prints go to our stderr; under pytest that is no file of the system's, so run it from a script.
    script = (
        "import os; from napari_spatia.cli.display import run_window; from napari_spatia.cli.report import Report\n"
        "raise SystemExit(run_window('window_of_a_test', ['a', 'b'], os.environ, Report(True)))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "drawn" in done.stderr


def test_window_that_is_interrupted_is_stopped(monkeypatch: pytest.MonkeyPatch):
    class Child:
        def __init__(self, *_args: object, **_options: object) -> None:
            self.stopped: list[str] = []
            children.append(self)

        def wait(self) -> int:
            if not self.stopped:
                raise KeyboardInterrupt
            return 0

        def poll(self) -> int | None:
            return None

        def terminate(self) -> None:
            self.stopped.append("terminated")

    children: list[Child] = []
    monkeypatch.setattr(display.subprocess, "Popen", Child)
    with pytest.raises(KeyboardInterrupt):
        display.run_window("any", [], os.environ, Report(True))
    assert children[0].stopped == ["terminated"]
