"""A ``.npz`` that is filled block by block, so that its arrays never have to fit into memory."""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_spatia.files import staged_file


class NpzWriter:
    """Arrays on disk under their names in the archive; those of `growing` are written into slice by slice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, arrays: Mapping[str, NDArray | tuple | list | float | str]) -> None:
        for name, array in arrays.items():
            np.save(self.folder / f"{name}.npy", np.asarray(array), allow_pickle=False)

    def growing(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A float32 array of zeros on disk, to be filled."""
        return open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=shape)


@contextmanager
def npz_writer(path: Path) -> Iterator[NpzWriter]:
    """Write ``path`` whole or not at all; `numpy.load` reads it."""
    with staged_file(path) as staged, tempfile.TemporaryDirectory(dir=path.parent, prefix=".npz-") as folder:
        yield NpzWriter(Path(folder))
        with zipfile.ZipFile(staged, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for file in sorted(Path(folder).glob("*.npy")):
                archive.write(file, file.name)
                file.unlink()
