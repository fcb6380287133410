"""The truth behind a simulated slide: the same cell, redrawn with edited genes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.keys import OBSM_SPATIAL
from napari_spatia.data.panel import Panel
from napari_spatia.data.simulate.catalogue import CHANNELS
from napari_spatia.data.simulate.drawing import Drawing, Scene, draw_window
from napari_spatia.data.simulate.noise import Field
from napari_spatia.data.simulate.optics import margin_px
from napari_spatia.data.simulate.outlines import PLAN_COLUMNS, make_outlines, values_of
from napari_spatia.data.simulate.rules import RULE_GENES
from napari_spatia.errors import CellError, SlideError


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated slide that can be drawn again. Made by `load_simulation`.

    ``center_um`` `(N, 2)` is (y, x) of the middle of each cell's crops; ``plan`` `(N, len(PLAN_COLUMNS))` is what
    expression does not explain; ``values`` `(N, len(RULE_GENES))` are log2(1 + counts) of the rule genes; ``reach_um``
    `(N,)` bounds how far each cell is drawn from where the plan puts it.
    """

    scene: Scene
    panel: Panel
    cell_id: NDArray[np.str_]
    center_um: Field
    plan: Field
    values: Field
    reach_um: Field

    @property
    def um_per_px(self) -> float:
        return self.scene.um_per_px

    def redraw(self, cell_id: str, log2_fc: Mapping[str, float], *, size_px: int = 64) -> NDArray[np.uint16]:
        """The exact counterfactual crop of one cell.

        Everything but the edited genes stays: position, orientation, texture, neighbours, focus, camera noise. With no
        edit the crop equals the slide's stored pixels bit for bit.

        Parameters
        ----------
        cell_id
            The cell, as in the table's index.
        log2_fc
            For each edited gene, what is added to log2(1 + counts); the sum is cut at 0. A gene without a rule may be
            edited and changes nothing.
        size_px
            Edge of the square crop in pixels of the slide, centred on the cell's ``obsm["spatial"]``.

        Returns
        -------
        numpy.ndarray
            `(C, size_px, size_px)` uint16, the slide's own units; 0 outside the slide.
        """
        return self.draw(cell_id, log2_fc, size_px=size_px).image

    def draw(self, cell_id: str, log2_fc: Mapping[str, float], *, size_px: int = 64) -> Drawing:
        """As `redraw`, with who owns each pixel (row of the table, −1 for nobody) and where the nuclei are."""
        row = self._row(cell_id)
        center_px = np.rint(self.center_um[row] / self.um_per_px).astype(np.int64)
        origin = (int(center_px[0]) - size_px // 2, int(center_px[1]) - size_px // 2)
        near = self._near(row, size_px)
        values = self.values[near]
        values[np.searchsorted(near, row)] = self._edited(row, log2_fc)
        inside = tuple(
            (max(first, 0), min(first + size_px, length))
            for first, length in zip(origin, self.scene.shape_px, strict=True)
        )
        (top, bottom), (left, right) = inside
        drawn = draw_window(
            self.scene, make_outlines(self.plan[near], values), (top, left), (bottom - top, right - left)
        )
        drawn = replace(drawn, owner=np.where(drawn.owner >= 0, near[drawn.owner], -1))
        return _pad(drawn, origin, size_px)

    def surrounded(self, taken: Mapping[int, int]) -> "Simulation":
        """The same tissue where some cells are others: the truth of an edited niche.

        ``taken`` names rows of the table. A cell takes the expression and the type of the row that it is given, and
        keeps its place, orientation and textures; one that is given -1 is gone.
        """
        plan, values, reach_um = self.plan.copy(), self.values.copy(), self.reach_um.copy()
        gone = [row for row, other in taken.items() if other < 0]
        changed = [row for row, other in taken.items() if other >= 0]
        others = [taken[row] for row in changed]
        plan[gone, PLAN_COLUMNS.index("y_um")] = np.inf  # near no window
        plan[changed, PLAN_COLUMNS.index("type_idx")] = self.plan[others, PLAN_COLUMNS.index("type_idx")]
        values[changed] = self.values[others]
        reach_um[changed] = make_outlines(plan[changed], values[changed]).radius
        return replace(self, plan=plan, values=values, reach_um=reach_um)

    def features(self, cell_id: str, log2_fc: Mapping[str, float]) -> dict[str, float]:
        """The features that the rules give one cell under an edit: what it would be, before neighbours press on it."""
        row = self._row(cell_id)
        outlines = make_outlines(self.plan[[row]], self._edited(row, log2_fc)[None])
        return {name: float(values[0]) for name, values in outlines.features.items()}

    def _row(self, cell_id: str) -> int:
        found = np.flatnonzero(self.cell_id == cell_id)
        if not len(found):
            raise CellError(
                f"Cell '{cell_id}' is not on this simulated slide of {len(self.cell_id)} cells, "
                f"such as '{self.cell_id[0]}'."
            )
        return int(found[0])

    def _near(self, row: int, size_px: int) -> NDArray[np.int64]:
        """Rows, ascending, of every cell that can reach a crop around ``row``, its margin included."""
        half_um = (size_px / 2 + margin_px(self.um_per_px) + 2) * self.um_per_px
        drawn_at = self.plan[:, [PLAN_COLUMNS.index("y_um"), PLAN_COLUMNS.index("x_um")]]
        apart = np.abs(drawn_at - self.center_um[row]).max(axis=1)
        reaches = apart < half_um + self.reach_um
        reaches[row] = True
        return np.flatnonzero(reaches)

    def _edited(self, row: int, log2_fc: Mapping[str, float]) -> Field:
        """`(len(RULE_GENES),)` edited values of one cell."""
        values: Field = self.values[row].copy()
        for gene, change in log2_fc.items():
            self.panel.index(gene)
            if gene in RULE_GENES and change:
                rule = RULE_GENES.index(gene)
                values[rule] = max(0.0, values[rule] + change)
        return values


def load_simulation(path: str | Path) -> Simulation:
    """The truth of a slide that `simulate_slide` wrote. Raises `SlideError` for any other slide."""
    from napari_spatia.data.simulate.write import FORMAT_VERSION, PLAN_KEY, TABLE, UNS_KEY

    folder = Path(path) / "tables" / TABLE
    if not folder.is_dir():
        raise SlideError(f"'{path}' is not a simulated slide: it has no table '{TABLE}'.")
    table = ad.read_zarr(folder)
    if UNS_KEY not in table.uns or PLAN_KEY not in table.obsm:
        raise SlideError(f"'{path}' was not made by simulate: its table has no uns['{UNS_KEY}']. Only there is truth.")
    facts = table.uns[UNS_KEY]
    if int(facts["version"]) != FORMAT_VERSION or tuple(facts["plan_columns"]) != PLAN_COLUMNS:
        raise SlideError(
            f"'{path}' was simulated by version {int(facts['version'])} of the rules; this is version "
            f"{FORMAT_VERSION}. Simulate it again with the same seed."
        )
    height, width = (int(length) for length in facts["shape_px"])
    scene = Scene(np.asarray(facts["matrix"]), float(facts["um_per_px"]), int(facts["seed"]), (height, width))
    panel = Panel(tuple(table.var_names))
    plan = np.asarray(table.obsm[PLAN_KEY], dtype=np.float64)
    values = values_of(table.X[:, panel.indices(RULE_GENES)].toarray())
    return Simulation(
        scene=scene,
        panel=panel,
        cell_id=table.obs_names.to_numpy(dtype=str),
        center_um=np.asarray(table.obsm[OBSM_SPATIAL], dtype=np.float64)[:, ::-1],
        plan=plan,
        values=values,
        reach_um=make_outlines(plan, values).radius,
    )


def _pad(drawn: Drawing, origin: tuple[int, int], size_px: int) -> Drawing:
    """A full square where the crop runs over the slide's edge: zeros, nobody, no nucleus."""
    top, left = drawn.origin_px[0] - origin[0], drawn.origin_px[1] - origin[1]
    where = (slice(top, top + drawn.owner.shape[0]), slice(left, left + drawn.owner.shape[1]))
    image = np.zeros((len(CHANNELS), size_px, size_px), np.uint16)
    owner, nucleus = np.full((size_px, size_px), -1, np.int64), np.zeros((size_px, size_px), bool)
    image[(slice(None), *where)], owner[where], nucleus[where] = drawn.image, drawn.owner, drawn.nucleus
    return Drawing(image, owner, nucleus, origin)
