"""A simulated tissue with known truth: look, genes and the rules between them.

- `rules`: which gene drives which feature (the table that the documentation prints)
- `catalogue`: types, niches, regions, the gene panel
- `layout`: the tissue map, its structures and fibres; `placement`: cells on it
- `expression`: counts from type, niche and state; `outlines`: the numbers that describe each cell's look
- `territory`: who owns which pixel; `stains`: what the dyes bind to; `optics`: what the camera sees
- `drawing`: any window of the slide; `slide`: all of it, written by `write`
- `simulation`: the same cell with edited genes
"""

from napari_spatia.data.simulate.rules import FEATURES, RULE_GENES, RULES
from napari_spatia.data.simulate.simulation import Simulation, load_simulation
from napari_spatia.data.simulate.slide import DEFAULT_UM_PER_PX, simulate_slide

__all__ = ["DEFAULT_UM_PER_PX", "FEATURES", "RULES", "RULE_GENES", "Simulation", "load_simulation", "simulate_slide"]
