"""Noise that belongs to a cell: the same in the window, on the command line, alone or in a batch."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def white_noise(shape: tuple[int, ...], seed: int, cell_id: str, sample_no: int = 0) -> NDArray[np.float32]:
    """Standard normal noise of ``shape`` that depends on (seed, cell id, sample number) alone."""
    digest = hashlib.sha256(f"{seed}/{sample_no}/{cell_id}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    return generator.standard_normal(shape, dtype=np.float32)
