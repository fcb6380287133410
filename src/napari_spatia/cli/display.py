"""A screen for the window: the person's own, or a virtual one that lives as long as the command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from napari_spatia.cli.report import Report
from napari_spatia.errors import SpatiaError

_SCREEN = "1680x1050x24"


def has_display() -> bool:
    """Whether a window would be seen by a person."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def virtual_display() -> Iterator[Mapping[str, str]]:
    """Environment variables under which a program draws on a screen of its own.

    Where there is no X server to start (macOS, Windows) it is the person's screen.
    """
    if not sys.platform.startswith("linux"):
        yield dict(os.environ)
        return
    if shutil.which("Xvfb") is None:
        raise SpatiaError(
            "Drawing the window without a display needs Xvfb, which is not installed. "
            "Install it (Debian: apt-get install xvfb), or run without --headless on a machine with a display."
        )
    server, number = _start_server()
    env = {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"}
    try:
        yield env | {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
    finally:
        server.terminate()
        server.wait()


def _start_server() -> tuple[subprocess.Popen[bytes], int]:
    """Xvfb on a display number that it finds free itself and tells through a pipe."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", _SCREEN, "-nolisten", "tcp"]
    # A session of its own: Ctrl-C reaches the window's program first, the server is stopped last.
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        number = told.readline().strip()
    if not number:
        server.wait()
        raise SpatiaError(f"Xvfb did not start (exit code {server.returncode}). Try it by hand: Xvfb :99")
    return server, int(number)


def run_window(module: str, arguments: list[str], env: Mapping[str, str], report: Report) -> int:
    """Run ``python -m module`` in a process of its own and give back its exit code.

    A process of its own, because the window's code lies above the command line and Qt wants the main thread. What it
    prints goes to stderr: stdout is for this command's result.
    """
    report.end_progress()
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], env=dict(env), stdout=sys.stderr)
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
