"""Files and folders that appear whole or not at all, and journals whose lines do."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to: renamed to ``path`` at the end, removed when the body raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield staged
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` to fill: takes its place at the end, removed when the body raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    staged.chmod(0o755)
    try:
        yield staged
        if path.exists():
            shutil.rmtree(path)
        staged.rename(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Add lines at the end of a file, on disk when this returns; a last line that a kill cut short goes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.truncate(path.read_bytes().rfind(b"\n") + 1)
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[str]:
    """The lines of a file, without a last one that was cut short; none where there is no file."""
    if not path.exists():
        return []
    whole, newline, _torn = path.read_bytes().rpartition(b"\n")
    return whole.decode().split("\n") if newline else []
