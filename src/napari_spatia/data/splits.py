"""Which cells are learned from and which are kept out, by rectangles of tissue with a margin around them."""

import json
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from napari_spatia.errors import SpatiaError

Rectangle = tuple[float, float, float, float]
"""(y0, x0, y1, x1) in µm of the slide's frame."""


class Split(BaseModel):
    """A written split. ``test`` is reported and never tuned on, ``validation`` is watched during training.

    Cells within ``margin_um`` of either are left out of training, so that no crop or niche reaches across.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: tuple[Rectangle, ...] = ()
    validation: tuple[Rectangle, ...] = ()
    margin_um: float = 100.0

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a JSON file with the fields above. Raises `SpatiaError` when it is missing or malformed."""
        try:
            return cls.model_validate_json(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise SpatiaError(
                f"Split file '{path}' cannot be read: {error}. Expected JSON with test, validation (lists of "
                "[y0, x0, y1, x1] in µm) and margin_um."
            ) from error

    @classmethod
    def blocks(cls, centers_um: NDArray, *, block_um: float = 300.0, every: int = 6, margin_um: float = 100.0) -> Self:
        """Every ``every``-th stripe of ``block_um`` along the slide's longer side is the validation set."""
        low, high = np.min(centers_um, axis=0), np.max(centers_um, axis=0) + 1e-3
        axis = int(np.argmax(high - low))
        block_um = min(block_um, float(high[axis] - low[axis]) / every)
        margin_um = min(margin_um, block_um / 2)
        stripes = []
        for start in np.arange(low[axis] + (every // 2) * block_um, high[axis], every * block_um):
            near, far = list(low), list(high)
            near[axis], far[axis] = start, start + block_um
            stripes.append(tuple(map(float, (*near, *far))))
        return cls(validation=tuple(stripes), margin_um=margin_um)

    def to_json(self) -> str:
        return json.dumps(self.model_dump(), indent=1)

    def inside_test(self, centers_um: NDArray) -> NDArray[np.bool_]:
        """`(N,)` cells in a test rectangle."""
        return _inside(centers_um, self.test, 0)

    def inside_validation(self, centers_um: NDArray) -> NDArray[np.bool_]:
        """`(N,)` cells in a validation rectangle that no test rectangle's margin reaches."""
        return _inside(centers_um, self.validation, 0) & ~_inside(centers_um, self.test, self.margin_um)

    def inside_training(self, centers_um: NDArray) -> NDArray[np.bool_]:
        """`(N,)` cells farther than the margin from every rectangle."""
        return ~_inside(centers_um, self.test + self.validation, self.margin_um)


def _inside(centers_um: NDArray, rectangles: tuple[Rectangle, ...], margin_um: float) -> NDArray[np.bool_]:
    y, x = np.asarray(centers_um).T
    inside = np.zeros(len(y), bool)
    for y0, x0, y1, x1 in rectangles:
        inside |= (y >= y0 - margin_um) & (y < y1 + margin_um) & (x >= x0 - margin_um) & (x < x1 + margin_um)
    return inside
