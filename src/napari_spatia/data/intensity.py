"""Stain intensities with their variance stabilised: the square root, centred and scaled per channel.

Camera counts have a variance that grows with the mean, so the square root makes noise about equal everywhere.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.crops import read_crops
from napari_spatia.data.slide import Slide

SAMPLE_CELLS = 1000


@dataclass(frozen=True, slots=True)
class IntensityScale:
    """Per channel, in the slide's units: ``black`` level, mean and standard deviation of sqrt(intensity - black)."""

    black: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of_slide(cls, slide: Slide, um_per_px: float, size_px: int, cell_idx: NDArray | None = None) -> Self:
        """Measured on the crops of up to `SAMPLE_CELLS` cells, always the same ones, of ``cell_idx`` (all)."""
        cell_idx = np.arange(slide.num_cells) if cell_idx is None else cell_idx
        sample = cell_idx[np.linspace(0, len(cell_idx) - 1, min(SAMPLE_CELLS, len(cell_idx))).astype(int)]
        return cls.of_crops(read_crops(slide.image, slide.centers_um[sample], um_per_px, size_px))

    @classmethod
    def of_crops(cls, crops: NDArray) -> Self:
        """Measured on crops `(n, C, H, W)` in the slide's units."""
        pixels = crops.transpose(1, 0, 2, 3).reshape(crops.shape[1], -1)
        black = np.percentile(pixels, 0.5, axis=1)
        root = np.sqrt(np.maximum(pixels - black[:, None], 0))
        std = np.maximum(root.std(axis=1), 1e-3)
        return cls(*(tuple(map(float, values)) for values in (black, root.mean(axis=1), std)))

    def pick(self, channel_idx: NDArray) -> Self:
        """The scale of some channels, in the order of ``channel_idx``."""
        return type(self)(*(tuple(values[i] for i in channel_idx) for values in (self.black, self.mean, self.std)))

    def standardise(self, images: NDArray) -> NDArray[np.float32]:
        """`(..., C, H, W)` intensities → about zero mean and unit variance, float32."""
        black, mean, std = self._columns()
        return ((np.sqrt(np.maximum(images - black, 0)) - mean) / std).astype(np.float32)

    def restore(self, values: NDArray) -> NDArray[np.float32]:
        """The inverse of `standardise`; never below the black level."""
        black, mean, std = self._columns()
        return (np.maximum(values * std + mean, 0) ** 2 + black).astype(np.float32)

    def agrees_with(self, other: "IntensityScale") -> bool:
        """Whether two slides were exposed alike: means within one deviation, deviations within a factor of two."""
        mean, std = np.array(self.mean), np.array(self.std)
        ratio = np.array(other.std) / std
        return bool(np.all(np.abs(np.array(other.mean) - mean) <= std) and np.all((ratio > 0.5) & (ratio < 2)))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(*(tuple(map(float, values[name])) for name in ("black", "mean", "std")))

    def _columns(self) -> tuple[NDArray, NDArray, NDArray]:
        black, mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.black, self.mean, self.std))
        return black, mean, std
