"""What torchrun starts in test_parallel: trains on a slide made in memory, into the folder named first."""

import json
import sys
from pathlib import Path

from app_fakes import make_slide
from napari_spatia.data.splits import Split
from napari_spatia.train import readings
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.run import train

out = Path(sys.argv[1])
readings.PENALTIES = tuple(json.loads(sys.argv[4]))
train(
    [make_slide(out / "s.zarr", grid=22)], out, TrainConfig(**json.loads(sys.argv[2])), Split(**json.loads(sys.argv[3]))
)
