"""Everything that fixes a model's shape, with presets. A checkpoint stores it; nothing about shape is guessed later."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

CONFIG, WEIGHTS, ONE_PASS_WEIGHTS = "config.json", "model.safetensors", "one_pass.safetensors"
"""The files of a checkpoint's folder; the last is the small decoder's, where there is one."""

Preset = Literal["tiny", "small", "base"]


class DecoderShape(BaseModel):
    """Sizes of one `FlowDecoder`: its ``channels`` at half and at a quarter of the resolution, and the ``width`` and
    ``depth`` of its transformer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[int, int]
    width: int
    depth: int


class ModelConfig(BaseModel):
    """Frozen description of one `SpatiaModel`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = "small"
    panel: tuple[str, ...]
    channels: tuple[str, ...]
    cell_types: tuple[str, ...]
    read_genes: tuple[str, ...] | None = None
    """Genes that what is solved rather than learned reads (`readings`, `linear_picture`); all of the panel if None."""

    crop_px: int = 64
    um_per_px: float = 0.32

    width: int = 160
    head_width: int = 32
    image_patch_px: int = 8
    image_stem_width: int = 0
    image_depth: int = 3
    gene_latents: int = 8
    gene_depth: int = 2
    fusion_depth: int = 2
    niche_depth: int = 2
    tissue_depth: int = 2

    num_neighbours: int = 16
    niche_radius_um: float = 60.0
    region_um: float = 200.0
    region_window: int = 5

    prior_px: int = 16
    decoder_channels: tuple[int, int] = (48, 96)
    decoder_depth: int = 4
    one_pass: DecoderShape | None = None
    """The small decoder that draws in one pass; None in a model whose decoder does that too."""

    @classmethod
    def from_preset(
        cls,
        preset: Preset,
        panel: tuple[str, ...],
        channels: tuple[str, ...],
        cell_types: tuple[str, ...],
        read_genes: tuple[str, ...] | None = None,
    ) -> Self:
        """``tiny`` for tests (seconds on two cores), ``small`` for two cores, ``base`` for a GPU (128 px)."""
        names = {"panel": panel, "channels": channels, "cell_types": cell_types, "read_genes": read_genes}
        return cls(preset=preset, **names, **_SHAPES[preset])

    @property
    def read_idx(self) -> NDArray[np.intp]:
        """`(Q,)` places of ``read_genes`` in the panel."""
        place = {gene: i for i, gene in enumerate(self.panel)}
        return np.array([place[gene] for gene in self.read_genes or self.panel], np.intp)

    @property
    def decoder_shape(self) -> DecoderShape:
        """Of the decoder that draws in any number of passes."""
        return DecoderShape(channels=self.decoder_channels, width=self.width, depth=self.decoder_depth)

    @property
    def drawn_channels(self) -> int:
        """Channels that the decoder draws: the stains and, last, the cell's own mask."""
        return len(self.channels) + 1


_SHAPES: dict[str, dict] = {
    "tiny": dict(
        width=32, head_width=16, image_depth=1, gene_latents=4, gene_depth=1, fusion_depth=1, niche_depth=1,
        tissue_depth=1, decoder_channels=(8, 16), decoder_depth=1, image_stem_width=8,
        one_pass=DecoderShape(channels=(8, 8), width=16, depth=1),
    ),
    "small": dict(image_stem_width=64, image_depth=1, one_pass=DecoderShape(channels=(24, 48), width=96, depth=1)),
    "base": dict(
        width=640, head_width=64, crop_px=128, image_depth=8, gene_latents=16, gene_depth=4, fusion_depth=4,
        niche_depth=4, tissue_depth=4, prior_px=32, decoder_channels=(96, 256), decoder_depth=8, image_stem_width=128,
        one_pass=DecoderShape(channels=(32, 96), width=256, depth=2),
    ),
}  # fmt: skip
