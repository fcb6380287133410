"""What a training run is: one frozen description that the command line fills and the checkpoint records."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_spatia.model.config import Preset
from napari_spatia.model.device import DeviceChoice, PrecisionChoice
from napari_spatia.train.few_steps import FewStepObjective

StageName = Literal["encoder", "decoder", "one_pass"]
"""What can be trained alone; the encoders in two steps, of which the first is the image encoder's own."""
Part = Literal["image", "genes", "niche", "tissue", "modality_dropout", "masked_cells"]


class TrainConfig(BaseModel):
    """Options of one run. A stage ends after its steps or its share of ``max_minutes``, whichever comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("my-slide", description="name that the checkpoint goes by")
    preset: Preset = Field("small", description="size of the model")
    seed: int = Field(0, ge=0, description="seed of the weights, the batches and the noise")
    device: DeviceChoice = Field("auto", description="where to train; auto takes a GPU if there is one")
    precision: PrecisionChoice = Field(
        "auto", description="format of the network's products; auto: bfloat16 where it is fast. Weights are float32"
    )
    stages: tuple[StageName, ...] = Field(
        ("encoder", "decoder", "one_pass"), description="what to train; the rest stays as it is"
    )
    max_minutes: float | None = Field(None, gt=0, description="stop after this many minutes of training")
    label_column: str = Field("cell_type", description="obs column with known cell types, if any")
    channels: tuple[str, ...] | None = Field(None, description="stains to learn; all of the first slide's if left out")

    image_steps: int = Field(4500, ge=0, description="steps of the image encoder alone, before the others join it")
    image_share: float = Field(0.4, ge=0, lt=1, description="share of the encoders' time for the image encoder alone")
    image_crops: int = Field(64, gt=0, description="crops a batch of the image encoder alone")
    encoder_steps: int = Field(4000, gt=0, description="steps of all encoders together")
    encoder_share: float = Field(0.45, gt=0, lt=1, description="share of max_minutes for the encoders")
    encoder_groups: int = Field(8, gt=0, description="neighbourhoods in an encoder batch")
    encoder_group_size: int = Field(12, gt=0, description="cells in each of them")
    encoder_crops: int = Field(48, ge=0, description="further crops a batch, which the image encoder learns from alone")
    encoder_lr: float = Field(1e-3, gt=0, description="peak learning rate of the encoder stage")
    decoder_steps: int = Field(8000, gt=0, description="steps of the decoder stage")
    decoder_groups: int = Field(32, gt=0, description="neighbourhoods in a decoder batch")
    decoder_group_size: int = Field(1, gt=0, description="cells in each of them")
    decoder_lr: float = Field(2e-3, gt=0, description="peak learning rate of the decoder stage")
    few_step_objective: FewStepObjective = Field("shortcut", description="what teaches the decoder to take long steps")
    few_step_after: float = Field(0.7, ge=0, le=1, description="share of the decoder stage before few-step training")
    few_step_share: float = Field(0.25, ge=0, le=1, description="share of each batch that learns longer steps")
    guidance: float = Field(0.0, ge=0, description="share by which the decoder overstates what its condition changes")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the decoder's averaged weights, per step")

    one_pass_steps: int = Field(2000, gt=0, description="steps of the small decoder of one pass")
    one_pass_share: float = Field(0.15, gt=0, lt=1, description="share of max_minutes for the decoder of one pass")
    one_pass_cells: int = Field(16, gt=0, description="cells in a batch of the decoder of one pass")
    one_pass_lr: float = Field(2e-3, gt=0, description="peak learning rate of the decoder of one pass")

    noise_cells: int = Field(64, gt=0, description="cells of a slide on which the samplers' noise is measured")

    mask_weight: float = Field(1.0, ge=0, description="weight of masked patches (0 switches the objective off)")
    gene_weight: float = Field(4.0, ge=0, description="weight of masked genes")
    contrast_weight: float = Field(0.1, ge=0, description="weight of the image–gene contrast")
    image_weight: float = Field(0.5, ge=0, description="weight of types and expression from the crop alone")
    type_weight: float = Field(0.5, ge=0, description="weight of cell types where they are known")
    picture_weight: float = Field(3.0, ge=0, description="weight of the expected picture")
    without: tuple[Part, ...] = Field((), description="parts that are left out, to see what they are worth")
    validate_every: int = Field(250, gt=0, description="steps between validations and resumable states")

    @model_validator(mode="after")
    def _targets_agree(self) -> Self:
        if self.guidance and self.few_step_objective in ("consistency", "mean_flow"):
            raise ValueError(
                f"guidance is {self.guidance}, and {self.few_step_objective} learns long steps from the path without "
                "it. Use shortcut or flow_map, whose long steps are made of the network's own short ones."
            )
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.encoder_share + self.one_pass_share >= 1:
            raise ValueError(
                f"encoder_share is {self.encoder_share} and one_pass_share {self.one_pass_share}: nothing is left for "
                "the decoder. Give shares that add up to less than 1."
            )
        return self

    @classmethod
    def fine_tuning(cls, **options: Any) -> Self:
        """Defaults for going on from a trained checkpoint: fewer and smaller steps, few-step training throughout."""
        return cls(**(FINE_TUNING | options))

    def share(self, stage: Literal["image", "encoder", "decoder", "one_pass"]) -> float:
        """The stage's share of the run's time, 0 when it is not trained; image and encoder share the encoders' time."""
        shares = {
            "encoder": self.encoder_share,
            "decoder": 1 - self.encoder_share - self.one_pass_share,
            "one_pass": self.one_pass_share,
        }
        image = self.image_share if self.image_steps and self.image_weight else 0.0
        part = {"image": image, "encoder": 1 - image}.get(stage, 1.0)
        whole = "encoder" if stage == "image" else stage
        if whole not in self.stages:
            return 0.0
        return part * shares[whole] / sum(shares[name] for name in self.stages)


FINE_TUNING: dict[str, Any] = dict(
    image_steps=600,
    encoder_steps=600,
    decoder_steps=600,
    one_pass_steps=600,
    encoder_lr=3e-4,
    decoder_lr=3e-4,
    one_pass_lr=3e-4,
    few_step_after=0.0,
)
