"""Pictures of the real window, as the pages of the documentation show them.

``python -m napari_spatia.widgets.screenshots OUT [SLIDE] [--of states|controls] [--checkpoint NAME] [--size 1366x768]
[--theme dark]`` writes one PNG a state of the Cell and Screens docks, or one a control of the viewer. Those of
`docs/images` are made by the defaults, on a simulated tissue, in the window of a small screen.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.errors import SpatiaError
from napari_spatia.widgets.control_pictures import ControlPictures
from napari_spatia.widgets.state_pictures import StatePictures

SERIES: dict[str, type[StatePictures] | type[ControlPictures]] = {"states": StatePictures, "controls": ControlPictures}
SMALL_SCREEN = "1366x768"
SIMULATED_CELLS, SIMULATED_SEED = 600, 4207


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures; exit code 1 with one clear message when the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("slide", type=Path, nargs="?", help="a slide; a simulated tissue by default")
    parser.add_argument("--of", choices=SERIES, default="states", help="which pictures")
    parser.add_argument("--checkpoint", default="sim-small")
    parser.add_argument("--size", default=SMALL_SCREEN, help="of the window")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    width, _, height = asked.size.partition("x")
    shots = None
    with tempfile.TemporaryDirectory() as folder:
        slide = asked.slide
        if slide is None:
            slide = Path(folder) / "tissue.zarr"
            simulate_slide(slide, num_cells=SIMULATED_CELLS, seed=SIMULATED_SEED, transcripts=True)
        try:
            size_px = int(width), int(height)
            shots = SERIES[asked.of](asked.out.resolve(), Path(folder) / "journal", size_px, asked.theme)
            shots.run(slide, asked.checkpoint)
        except SpatiaError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            if shots is not None:
                shots.driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
