"""What the first slide of a window would otherwise wait for: done in the background while nobody waits."""

import gc
import threading

import numpy as np
from napari.layers import Image, Labels, Shapes
from vispy.visuals.line.dash_atlas import DashAtlas

from napari_spatia.viewer.layers import UNITS

_once = threading.Lock()
_done = threading.Event()


def is_warm() -> bool:
    """Whether all of `warm_up` is there."""
    return _done.is_set()


def warm_up() -> None:
    """Load what napari and dask load at first use: the units, compiled colours and lines, the schedulers.

    Together they would keep the window from answering for seconds when the first layers are added. Whoever adds layers
    calls this first, in a job: a table of units that another thread is still loading has no units for a new layer.
    """
    with _once:
        if _done.is_set():
            return
        import distributed  # noqa: F401  dask imports it with its first array
        import zarrs  # noqa: F401  as zarr does with the first table that is read

        stain = [np.zeros((size, size), np.uint16) for size in (4, 2)]
        Image(stain, multiscale=True, colormap="#0000ff", contrast_limits=(0, 1), units=UNITS)
        Labels(np.eye(4, dtype=np.int32), units=UNITS)
        Shapes([np.eye(3, 2)], shape_type="path", units=UNITS)
        DashAtlas()  # the patterns of dashed lines, which every labels layer asks for and vispy keeps once made
        gc.freeze()  # no search for garbage looks through a million objects of modules again, 0.3 s each time
        _done.set()
