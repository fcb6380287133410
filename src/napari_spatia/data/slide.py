"""One validated region of a slide: image, labels, table and the physical size of a pixel, lazily read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data.keys import OBS_KNOWN_CELL_TYPE
from napari_spatia.data.panel import Panel
from napari_spatia.errors import CellError


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture in the slide's frame (µm, y down, x right), as a pyramid of lazy arrays, finest first.

    ``levels`` are `(C, Y, X)` for an image and `(Y, X)` for labels. ``origin_um`` is (y, x) of the outer corner of
    pixel (0, 0), so pixel i spans ``origin + i·um_per_px … origin + (i + 1)·um_per_px``. ``stored`` are the arrays on
    disk behind ``levels``, where there are any.
    """

    levels: tuple[da.Array, ...]
    um_per_px: float
    origin_um: tuple[float, float] = (0.0, 0.0)
    stored: tuple[Any, ...] = ()

    @property
    def sources(self) -> tuple[Any, ...]:
        """The levels for who reads few chunks at a time: without a task graph, which costs more than a chunk, and
        without dask's first one, for which it loads its scheduler (0.3 s).
        """
        return self.stored or self.levels

    @property
    def shape_px(self) -> tuple[int, int]:
        """(Y, X) of the finest level."""
        height, width = self.levels[0].shape[-2:]
        return height, width

    @property
    def levels_um_per_px(self) -> tuple[float, ...]:
        """Pixel size of each level in µm, from the heights of the levels."""
        height = self.levels[0].shape[-2]
        return tuple(self.um_per_px * round(height / level.shape[-2], 3) for level in self.levels)

    @property
    def extent_um(self) -> tuple[float, float, float, float]:
        """(y0, x0, y1, x1) of the whole picture in µm."""
        (y0, x0), (height, width) = self.origin_um, self.shape_px
        return y0, x0, y0 + height * self.um_per_px, x0 + width * self.um_per_px


@dataclass(frozen=True, slots=True)
class Slide:
    """One region: N cells, G genes, C channels. Made by `napari_spatia.data.io.open_slide` only.

    ``cell_id`` `(N,)` str, unique, is the table's index; ``instance_id`` `(N,)` int64 is the cell's value in the
    labels; ``centers_um`` `(N, 2)` float64 is (y, x) in the slide's frame; ``counts`` is `(N, G)` raw counts, float32
    CSR; ``obs`` is the table's obs, row by row the same cells, with the rows' numbers as its index.
    """

    path: Path
    name: str
    coordinate_system: str
    image_name: str
    labels_name: str
    table_name: str
    image: Raster
    channels: tuple[str, ...]
    labels: Raster
    cell_id: NDArray[np.str_]
    instance_id: NDArray[np.int64]
    centers_um: NDArray[np.float64]
    counts: csr_matrix
    panel: Panel
    obs: pd.DataFrame

    @property
    def num_cells(self) -> int:
        return len(self.cell_id)

    @property
    def known_type_column(self) -> str | None:
        """The obs column of the cell types that the slide came with, if any."""
        return next((name for name in OBS_KNOWN_CELL_TYPE if name in self.obs.columns), None)

    def known_types(self) -> NDArray[np.str_]:
        """`(N,)` cell types that the slide came with, "" where it has none."""
        if self.known_type_column is None:
            return np.full(self.num_cells, "")
        column = self.obs[self.known_type_column]
        return column.astype("object").where(column.notna(), "").to_numpy(dtype=str)

    def cell_idx(self, cell_id: str) -> int:
        """Row of one cell. Raises `CellError` when the slide has no such cell."""
        found = np.flatnonzero(self.cell_id == cell_id)
        if not len(found):
            raise CellError(
                f"Cell '{cell_id}' is not on slide '{self.name}' ({self.num_cells} cells, "
                f"such as '{self.cell_id[0]}'). Take an id from the table's index."
            )
        return int(found[0])
