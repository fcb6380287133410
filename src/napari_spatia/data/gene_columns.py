"""Counts by gene (columns), kept in a folder so that a large slide need not be turned round at each opening.

A store has its counts cell by cell; colouring by a gene wants them gene by gene. Turning a million cells round takes up
to a second and as much memory again. The copy is mapped, not read: a gene costs what it holds. It carries the checksum
of the counts that it was made of, so that one of other counts is never taken.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, silent

WORTH_KEEPING = 5_000_000
"""Stored counts from which a copy is kept: fewer are turned round in less than half a second."""
MAX_BYTES = 4 << 30
"""No copy is larger, and none takes more than a quarter of what is free on its disk."""
_PREFIX = "gene-columns"
_PARTS = ("data", "indices", "indptr")


def read_columns(folder: Path, name: str, counts: csr_matrix) -> csc_matrix:
    """`(N, G)` counts by column: the copy of table ``name`` in ``folder``, mapped, or without one ``counts`` turned."""
    kept = _kept(folder, name, counts) if counts.nnz >= WORTH_KEEPING else None
    if kept is None or not kept.is_dir():
        return counts.tocsc()
    try:
        data, indices, indptr = (np.load(kept / f"{part}.npy", mmap_mode="r") for part in _PARTS)
    except (OSError, ValueError):  # cut short by a full disk or a failing one: it is written again
        return counts.tocsc()
    columns = csc_matrix(counts.shape, dtype=data.dtype)
    columns.data, columns.indices, columns.indptr = data, indices, indptr  # not by the constructor, which reads them
    columns.has_sorted_indices = columns.has_canonical_format = True
    return columns


def is_kept(columns: csc_matrix) -> bool:
    """Whether these columns are a copy that is mapped, or too few to keep one."""
    return columns.nnz < WORTH_KEEPING or isinstance(columns.data, np.memmap)


def keep_columns(
    folder: Path, name: str, counts: csr_matrix, columns: csc_matrix, progress: Progress = silent
) -> Path | None:
    """Write the copy of ``columns`` of ``counts``, whole or not at all, and remove one of earlier counts.

    In the smallest whole numbers that hold them. Returns where, or None where there is no room for it.
    """
    progress(0.0, "keeping genes for the next opening")
    dtype = np.min_scalar_type(int(columns.data.max(initial=0)))
    num_bytes = columns.nnz * (dtype.itemsize + columns.indices.itemsize) + columns.indptr.nbytes
    folder.mkdir(parents=True, exist_ok=True)
    if num_bytes > min(MAX_BYTES, shutil.disk_usage(folder).free // 4):
        return None
    kept = _kept(folder, name, counts)
    progress(0.3, "keeping genes for the next opening")
    with staged_folder(kept) as staged:
        for number, part in enumerate(_PARTS):
            array = getattr(columns, part)
            np.save(staged / f"{part}.npy", array.astype(dtype) if part == "data" else array)
            progress(0.4 + 0.2 * number, "keeping genes for the next opening")
    for other in folder.glob(f"{_PREFIX}-{name}-*"):
        if other != kept:
            shutil.rmtree(other, ignore_errors=True)  # another window may still read it
    return kept


def _kept(folder: Path, name: str, counts: csr_matrix) -> Path:
    """Where the copy of these counts lies; the name holds their checksum."""
    digest = hashlib.blake2b(repr(counts.shape).encode(), digest_size=12)
    for part in (counts.indptr, counts.indices, counts.data):
        digest.update(np.ascontiguousarray(part).data)
    return folder / f"{_PREFIX}-{name}-{digest.hexdigest()}"
