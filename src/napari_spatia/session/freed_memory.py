"""Memory that was freed and not given back."""

import ctypes
import sys
from functools import cache


def give_back_freed() -> None:
    """Gives the system what the allocator keeps for later; a few ms, from any thread. Only glibc keeps so much.

    It keeps what each thread frees below the last block in use: tens of MB after a slide was read or a cell was drawn,
    and more as the blocks of different threads come to lie in each other's way.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> "ctypes._FuncPointer | None":
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
