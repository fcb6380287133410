"""What a training run is: one frozen description that the command line fills and the checkpoint records."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_spatia.model.config import Preset


class TrainConfig(BaseModel):
    """Options of one run. A stage ends after its steps or its share of ``max_minutes``, whichever comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("my-slide", description="name that the checkpoint goes by")
    preset: Preset = Field("small", description="size of the model")
    seed: int = Field(0, ge=0, description="seed of the weights, the batches and the noise")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto and cpu: the CPU; no other yet")
    max_minutes: float | None = Field(None, gt=0, description="stop after this many minutes of training")
    label_column: str = Field("cell_type", description="obs column with known cell types, if any")
    channels: tuple[str, ...] | None = Field(None, description="stains to learn; all of the first slide's if left out")

    encoder_steps: int = Field(4000, gt=0, description="steps of the encoder stage")
    encoder_share: float = Field(0.35, gt=0, lt=1, description="share of max_minutes for the encoder stage")
    encoder_groups: int = Field(8, gt=0, description="neighbourhoods in an encoder batch")
    encoder_group_size: int = Field(12, gt=0, description="cells in each of them")
    encoder_lr: float = Field(1e-3, gt=0, description="peak learning rate of the encoder stage")
    decoder_steps: int = Field(8000, gt=0, description="steps of the decoder stage")
    decoder_groups: int = Field(32, gt=0, description="neighbourhoods in a decoder batch")
    decoder_group_size: int = Field(1, gt=0, description="cells in each of them")
    decoder_lr: float = Field(8e-4, gt=0, description="peak learning rate of the decoder stage")
    shortcut_after: float = Field(0.4, ge=0, le=1, description="share of the decoder stage before few-step training")
    shortcut_share: float = Field(0.25, ge=0, le=1, description="share of each batch that learns longer steps")
    ema: float = Field(0.998, ge=0, lt=1, description="decay of the decoder's averaged weights, per step")

    mask_weight: float = Field(1.0, ge=0, description="weight of masked patches (0 switches the objective off)")
    gene_weight: float = Field(4.0, ge=0, description="weight of masked genes")
    contrast_weight: float = Field(0.1, ge=0, description="weight of the image–gene contrast")
    image_weight: float = Field(0.5, ge=0, description="weight of types and expression from the crop alone")
    type_weight: float = Field(0.5, ge=0, description="weight of cell types where they are known")
    picture_weight: float = Field(3.0, ge=0, description="weight of the expected picture")
    validate_every: int = Field(250, gt=0, description="steps between validations and resumable states")
