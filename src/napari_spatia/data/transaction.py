"""Changing a zarr store so that a crash at any moment leaves the old or the new state, never a mixture.

New elements are written into a staging folder beside the store. A journal beside them, renamed into place, is the
commit: before it the staged files are waste, after it they will be moved in, by this process or by the next that opens
the store. A reader in between sees a whole store: an element that is being replaced is first taken off the lists
(``column-order``, consolidated metadata), then exchanged, then listed again.
"""

import errno
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import zarr

from napari_spatia.data.elements import is_zarr_group
from napari_spatia.errors import SlideError

try:
    import fcntl
except ImportError:  # Windows: no advisory lock on a folder; two writers at once are not told apart there
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL)
_JOURNAL = "journal.json"
_NODE_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_V2_INDICES = (".zmetadata", "zmetadata")


def staging_path(store: Path) -> Path:
    """The folder beside a store in which changes are staged; there only while one is under way or was cut off."""
    store = store.resolve()
    return store.with_name(f".{store.name}.spatia-staging")


@dataclass
class Transaction:
    """Elements to be placed into a store together. Made by `transaction`."""

    store: Path
    staging: Path
    group: zarr.Group
    targets: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)

    def stage(self, target: str) -> str:
        """Announce an element at ``target``, a path within the store; returns the key to write in ``group``."""
        key = f"element-{len(self.targets)}"
        self.targets.append(target)
        return key

    def list_column(self, frame: str, column: str) -> None:
        """Have ``column`` listed by the dataframe group at path ``frame``."""
        self.columns.setdefault(frame, []).append(column)


@contextmanager
def transaction(store: Path) -> Iterator[Transaction]:
    """Stage elements in the body; they are placed when it ends, and forgotten when it raises.

    Raises
    ------
    SlideError
        When the store is read-only, or another process is writing into it.
    """
    refuse_read_only(store)
    with _only_writer(store):
        staging = staging_path(store)
        _finish(store, staging)
        try:
            staging.mkdir()
        except OSError as error:
            raise SlideError(
                f"Cannot write into slide '{store}': changes are staged beside it, and '{staging.parent}' refuses a "
                f"new folder ({error.strerror}). Make that folder writable, or copy the slide. Nothing was changed."
            ) from error
        try:
            group = zarr.open_group(staging / "new", mode="w", zarr_format=zarr_format(store))
            change = Transaction(store, staging, group)
            yield change
            _commit(change)
        except BaseException:
            if not (staging / _JOURNAL).exists():
                shutil.rmtree(staging, ignore_errors=True)
            raise
        _finish(store, staging)


def recover(store: Path) -> None:
    """Finish or forget a change that was cut off. Does nothing when there is none, or when its writer still lives."""
    staging = staging_path(store)
    if not staging.exists() or is_read_only(store):
        return
    try:
        with _only_writer(store):
            _finish(store, staging)
    except _BusyError:
        return


def zarr_format(store: Path) -> int:
    """2 or 3."""
    return 3 if (store / "zarr.json").is_file() else 2


def is_read_only(store: Path) -> bool:
    """Whether a store may not be written; a folder without any write permission counts, whoever the user is."""
    return not os.access(store, os.W_OK) or not store.stat().st_mode & 0o222


def refuse_read_only(store: Path) -> None:
    """Raise `SlideError` when the store may not be written."""
    if is_read_only(store):
        raise SlideError(
            f"Slide '{store}' is read-only. Expected write permission; copy the slide to a folder of your own and "
            "open the copy, or write the results elsewhere (--out). Nothing was changed."
        )


class _BusyError(SlideError):
    pass


@contextmanager
def _only_writer(store: Path) -> Iterator[None]:
    """Hold the store's lock, which the system takes back when the process ends, however it ends."""
    handle = os.open(store, os.O_RDONLY) if fcntl is not None else None
    try:
        if handle is not None:
            _lock(handle, store)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int, store: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _BusyError(
            f"Slide '{store}' is being written by another process. Try again when it has finished. Nothing was changed."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"The file system of '{store}' has no locks; let one program at a time write into it.", stacklevel=4
        )


def _commit(change: Transaction) -> None:
    for file in sorted(change.staging.rglob("*")):
        if file.is_file():
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
    journal = {"targets": change.targets, "columns": change.columns}
    _write_json(change.staging / _JOURNAL, journal, change.staging)


def _finish(store: Path, staging: Path) -> None:
    """Carry out a committed journal, or throw away what was staged without one. Safe to repeat after any cut."""
    if not staging.exists():
        return
    journal_file = staging / _JOURNAL
    if journal_file.exists():
        journal = json.loads(journal_file.read_text())
        targets, columns = journal["targets"], journal["columns"]
        sources = {target: staging / "new" / f"element-{idx}" for idx, target in enumerate(targets)}
        pending = [target for target in targets if sources[target].exists()]
        if any((store / target).exists() for target in pending):
            _list_columns(store, staging, columns, hidden=pending)
            _index(store, staging, pending, columns, hidden=True)
        for idx, target in enumerate(targets):
            _place(sources[target], store / target, staging / f"replaced-{idx}")
        _list_columns(store, staging, columns, hidden=())
        _index(store, staging, targets, columns, hidden=False)
        journal_file.unlink()
    shutil.rmtree(staging)


def _place(source: Path, target: Path, old: Path) -> None:
    """Move a staged element in; what stood there goes to ``old``."""
    if not source.exists():
        return
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.rename(target, old)
    os.rename(source, target)


def _list_columns(store: Path, staging: Path, columns: Mapping[str, Sequence[str]], hidden: Sequence[str]) -> None:
    """Let each dataframe group list its new columns, except those whose path is in ``hidden``."""
    for frame, names in columns.items():
        file = store / frame / ("zarr.json" if zarr_format(store) == 3 else ".zattrs")
        document = json.loads(file.read_text())
        attrs = document["attributes"] if file.name == "zarr.json" else document
        listed = [name for name in attrs["column-order"] if f"{frame}/{name}" not in hidden]
        listed += [name for name in names if name not in listed and f"{frame}/{name}" not in hidden]
        if listed != attrs["column-order"]:
            attrs["column-order"] = listed
            _write_json(file, document, staging)


def _index(store: Path, staging: Path, elements: Sequence[str], frames: Iterable[str], hidden: bool) -> None:
    """Bring consolidated metadata, the store's and that of groups below it, in line with the files.

    ``elements`` are indexed with all that is below them, or dropped when ``hidden``; ``frames`` without what is below.
    """
    frames = tuple(frames)
    above = {parent for path in (*elements, *frames) for parent in PurePosixPath(path).parents}
    for parent in sorted(above, key=lambda path: -len(path.parts)):
        for name in ("zarr.json", *_V2_INDICES):
            file = store / parent / name
            document = json.loads(file.read_text()) if file.is_file() else {}
            index = document.get("consolidated_metadata") or {} if name == "zarr.json" else document
            nodes = index.get("metadata")
            if not nodes:
                continue
            before = dict(nodes)
            for path in (
                PurePosixPath(element) for element in elements if PurePosixPath(element).is_relative_to(parent)
            ):
                _drop(nodes, path.relative_to(parent).as_posix())
                if not hidden:
                    _add(nodes, store / parent, store / path, below=True)
            for path in (PurePosixPath(frame) for frame in frames if PurePosixPath(frame).is_relative_to(parent)):
                _add(nodes, store / parent, store / path, below=False)
            if nodes != before:
                # zarr reads siblings only where they stand together, the upper levels first
                index["metadata"] = {key: nodes[key] for key in sorted(nodes, key=lambda key: (key.count("/"), key))}
                _write_json(file, document, staging)


def _drop(nodes: dict[str, Any], path: str) -> None:
    for key in [key for key in nodes if key == path or key.startswith(f"{path}/")]:
        del nodes[key]


def _add(nodes: dict[str, Any], root: Path, folder: Path, below: bool) -> None:
    """Index one node, and the nodes below it, as the files say."""
    for name in _NODE_FILES:
        if not (folder / name).is_file():
            continue
        node = json.loads((folder / name).read_text())
        relative = folder.relative_to(root).as_posix()
        if name != "zarr.json":
            nodes[f"{relative}/{name}"] = node
            continue
        if node["node_type"] == "group":
            node["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": {}}
        nodes[relative] = node
    if below:
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and is_node(entry):
                _add(nodes, root, entry, below=True)


def is_node(folder: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return is_zarr_group(folder) or (folder / ".zarray").is_file()


def _write_json(file: Path, document: Any, staging: Path) -> None:
    """Write a file of the store whole: in the staging folder first, then renamed over the old one."""
    part = staging / f"part-{file.name}"
    with part.open("w") as handle:
        json.dump(document, handle, indent=2)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(part, file)
