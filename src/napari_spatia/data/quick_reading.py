"""A table's arrays are read on all cores, by threads that wait for each other a tenth as long."""

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import zarr

INTERVAL_S = 0.0005
"""Python's own is ten times that."""
CODECS = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}
"""zarrs reads an array's chunks on all cores without the interpreter's lock; texts, which it cannot, as zarr does."""
warnings.filterwarnings("ignore", message="Array is unsupported by ZarrsCodecPipeline")
_lock = threading.Lock()
_inside = 0
_usual = ExitStack()


@contextmanager
def quick_reading() -> Iterator[None]:
    """While any thread is inside, arrays that are opened are read by `CODECS`, and threads give the interpreter's lock
    to each other after `INTERVAL_S`.

    zarr alone decodes chunk by chunk through one loop that needs the lock for each, and copies them there: 21 million
    counts take 0.43 s on two cores, by zarrs 0.11. Beside a thread that holds the lock that loop waits for a whole
    interval each time.
    """
    global _inside
    with _lock:
        if not _inside:
            _usual.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(min(INTERVAL_S, sys.getswitchinterval()))
            _usual.enter_context(zarr.config.set(CODECS))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _usual.close()
