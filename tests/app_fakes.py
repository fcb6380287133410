"""A small slide in memory and a model without a network, for the tests of session, viewer and widgets."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from napari_spatia.data.morphology import features_of
from napari_spatia.data.panel import Panel
from napari_spatia.data.slide import Raster, Slide
from napari_spatia.errors import CheckpointError
from napari_spatia.inference.edits import Edit
from napari_spatia.inference.evidence import Evidence, MeasuredChange, RealCell, Spread
from napari_spatia.inference.groups import Groups
from napari_spatia.inference.screen import (
    ComparedCell,
    Drawn,
    Grid,
    Screen,
    ScreenPlan,
    SideBySide,
    Strip,
    readable_features,
)
from napari_spatia.inference.sensitivity import Sensitivity
from napari_spatia.progress import silent

GENES = tuple(f"GENE{idx}" for idx in range(12))
CHANNELS = ("DAPI", "boundary")
TYPES = ("acinar", "T_cell", "ductal")
UM_PER_PX = 0.5
CELL_PX = 16
CROP_PX = 32


def make_slide(path: Path, grid: int = 4, id_step: int = 1, first_id: int = 1, origin_um: tuple = (0.0, 0.0)) -> Slide:
    """``grid`` × ``grid`` square cells of 12 px in tiles of 16 px; ids with any gap."""
    num, size = grid * grid, grid * CELL_PX
    ids = first_id + id_step * np.arange(num, dtype=np.int64)
    labels = np.zeros((size, size), dtype=np.int64)
    centers = np.zeros((num, 2))
    for idx in range(num):
        row, col = divmod(idx, grid)
        labels[row * CELL_PX + 2 : row * CELL_PX + 14, col * CELL_PX + 2 : col * CELL_PX + 14] = ids[idx]
        centers[idx] = ((row + 0.5) * CELL_PX * UM_PER_PX, (col + 0.5) * CELL_PX * UM_PER_PX)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (len(CHANNELS), size, size)).astype(np.uint8)
    image[0][labels > 0] += 60
    counts = rng.poisson(2.0, (num, len(GENES))).astype(np.float32)
    counts[:, 0] = np.arange(num)
    cell_id = np.array([f"cell-{idx}" for idx in range(num)])
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical([TYPES[idx % 3] for idx in range(num)]),
            "area": np.linspace(10.0, 20.0, num),
            "name": cell_id,
        },
        index=cell_id,
    )
    return Slide(
        path=path,
        name="small",
        coordinate_system="global",
        image_name="image",
        labels_name="labels",
        table_name="table",
        image=_raster(image, origin_um),
        channels=CHANNELS,
        labels=_raster(labels, origin_um),
        cell_id=cell_id,
        instance_id=ids,
        centers_um=centers + np.array(origin_um),
        counts=csr_matrix(counts),
        panel=Panel(GENES),
        obs=obs,
    )


def _raster(array: np.ndarray, origin_um: tuple[float, float]) -> Raster:
    levels = (da.from_array(array, chunks=-1), da.from_array(array[..., ::2, ::2], chunks=-1))
    return Raster(levels=levels, um_per_px=UM_PER_PX, origin_um=origin_um)


def drawn_mask() -> np.ndarray:
    """A square cell of 16 px in the middle of a crop."""
    mask = np.zeros((CROP_PX, CROP_PX), np.float32)
    mask[CROP_PX // 4 : -CROP_PX // 4, CROP_PX // 4 : -CROP_PX // 4] = 1
    return mask


@dataclass
class FakeEditor:
    """Brightens the picture by the sum of the edits; each render waits while ``gate`` is closed."""

    slide: Slide
    gate: threading.Event
    rendered: list[dict[str, float]] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    examined: list[dict[str, float]] = field(default_factory=list)
    screened: list[tuple[ScreenPlan, Path | None]] = field(default_factory=list)

    def preview(self, cell_id: str, progress: Any = None) -> Any:
        return self.select(cell_id, 2)

    def select(self, cell_id: str, nfe: int = 4, progress: Any = None) -> Any:
        idx = self.slide.cell_idx(cell_id)
        real = np.full((len(CHANNELS), CROP_PX, CROP_PX), 10.0 + idx, dtype=np.float32)
        return SimpleNamespace(
            cell_id=cell_id, cell_idx=idx, real=real, zero_edit=real + 1, zero_edit_psnr_db=35.0,
            um_per_px=0.32, channels=CHANNELS, nfe=nfe, mask=drawn_mask() >= 0.5,
        )  # fmt: skip

    def render(
        self, cell: Any, log2_fc: dict, around: Any = None, *, merge_ratio: float = 0.0, progress: Any = None
    ) -> Any:
        self.rendered.append(dict(log2_fc))
        self.passes.append(cell.nfe)
        assert self.gate.wait(10)
        (progress or silent)(0.5, "drawing")
        return SimpleNamespace(
            cell=cell, image=cell.zero_edit + np.float32(10 * sum(log2_fc.values())),
            mask=drawn_mask(),
            type_probability=np.array([0.7, 0.2, 0.1], np.float32), reach_percentile=42.0, nfe=cell.nfe, ms=1.5,
            log2_fc=dict(log2_fc),
        )  # fmt: skip

    def render_many(self, cell: Any, edits: Any, *, nfe: Any = None, progress: Any = None) -> list[Any]:
        return [self.render(cell, edit.log2_fc, edit.around, progress=progress) for edit in edits]

    def examine(self, cell: Any, edited: Any, progress: Any) -> Evidence:
        progress(0.5, "drawing from other noise")
        self.examined.append(dict(edited.log2_fc))
        change = float(sum(edited.log2_fc.values()))
        crop = np.full((len(CHANNELS), CROP_PX, CROP_PX), 20, np.float32)
        nearest = tuple(RealCell(f"cell-{idx}", 0.5 + idx, crop + idx, CHANNELS) for idx in range(2))
        measured = tuple(
            MeasuredChange(feature, 40.0, 40.0 + change, Spread(40.0, 0.25, 0.9 * change, 0.5 * change, 8))
            for feature in features_of(CHANNELS)
        )
        spread = {"cell_area": Spread(6.0, 0.25, change, 0.5 * change, 8)}
        return Evidence(measured, spread, np.array([0.35, 0.5, 0.15], np.float32), nearest, 16, 42.0)


class FakeResolver:
    """Takes each term of an edit for a gene; its slide has the types that it came with and one domain, and a cell's
    neighbours are the two after it.
    """

    def __init__(self, slide: Slide) -> None:
        self.num_cells = slide.num_cells
        self.types = Groups.of("cell type", slide.known_types())
        self.domains = Groups.of("niche domain", np.full(slide.num_cells, "1"))
        self.resolved: list[Edit] = []

    def neighbours(self, cell_idx: int) -> np.ndarray:
        return (cell_idx + np.array([1, 2])) % self.num_cells

    def resolve(self, cell_idx: int, edit: Edit, programmes: dict) -> Any:
        edit = edit.active()
        self.resolved.append(edit)
        log2_fc = dict(edit.terms)
        return SimpleNamespace(
            edit=edit, log2_fc=log2_fc, changed=log2_fc, stopped=(), following=(), around=None, notes=("a note",)
        )


class FakeScreener:
    """Draws by its editor; of each picture every feature is 40 and the sum of the edit. Noise alone makes ± 1 of it."""

    def __init__(self, editor: FakeEditor) -> None:
        self.editor = editor
        self.features = readable_features(CHANNELS, TYPES)

    def _draw(self, cell: Any, edit: Edit, progress: Any = silent) -> Drawn:
        log2_fc = dict(edit.active().terms)
        picture = self.editor.render(cell, log2_fc, progress=progress)
        features = {feature.key: 40.0 + sum(log2_fc.values()) for feature in self.features}
        return Drawn(edit, picture.image, picture.mask, features, 42.0)

    def sweep(self, cell: Any, edit: Edit, key: str, doses: tuple, progress: Any) -> Strip:
        drawn = tuple(self._draw(cell, edit.with_term(key, dose), progress) for dose in doses)
        return Strip(cell, edit, key, doses, self._draw(cell, Edit()), drawn, self.features, (-2.0, 1.0))

    def grid(self, cell: Any, edit: Edit, keys: tuple, doses_a: tuple, doses_b: tuple, progress: Any) -> Grid:
        drawn = tuple(
            tuple(self._draw(cell, edit.with_term(keys[0], a).with_term(keys[1], b), progress) for b in doses_b)
            for a in doses_a
        )
        return Grid(cell, edit, *keys, doses_a, doses_b, self._draw(cell, Edit()), drawn, self.features)

    def set_beside(self, cell: Any, other_id: str, edit: Edit, progress: Any) -> SideBySide:
        pairs = [
            ComparedCell(one, self._draw(one, Edit(), progress), self._draw(one, edit, progress))
            for one in (cell, self.editor.select(other_id, cell.nfe))
        ]
        return SideBySide(edit, (pairs[0], pairs[1]), self.features)

    def screen(self, plan: ScreenPlan, folder: Path | None, progress: Any) -> Screen:
        """The gene number g of the plan changes every feature by g / 2 × (-1)^g."""
        self.editor.screened.append((plan, folder))
        for step in range(10):
            progress(step / 10, "drawing")
            assert self.editor.gate.wait(10)
        num = np.arange(len(plan.genes))
        effect = np.broadcast_to((num / 2 * (-1.0) ** num)[:, None], (len(plan.cells), len(num), len(self.features)))
        before = np.full((len(plan.cells), len(self.features)), 40.0)
        reach = np.full((len(plan.cells), len(num)), 42.0)
        return Screen(plan, self.features, before, 40.0 + effect, np.ones_like(before), reach)


class FakeBackend:
    """Answers like the real backend. ``gate`` and ``predict_gate`` hold its work; ``written`` is what it stored."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.predict_gate = threading.Event()
        self.predict_gate.set()
        self.written: list[Path] = []
        self.editors: list[FakeEditor] = []
        self.resolvers: list[FakeResolver] = []
        self.predicted_seeds: list[int] = []
        self.predicted_from: list[tuple[tuple[str, ...], Path | None]] = []
        self.rank_gate = threading.Event()
        self.rank_gate.set()

    def load(self, checkpoint: str, device: str) -> Any:
        if checkpoint != "fake":
            raise CheckpointError(f"There is no checkpoint '{checkpoint}'. Shipped: fake.")
        info = SimpleNamespace(
            name="fake", panel=Panel(GENES[:10]), channels=CHANNELS, cell_types=TYPES, crop_px=CROP_PX, um_per_px=0.32,
            num_parameters=12, sha256="0" * 64, path=Path("fake"),
        )  # fmt: skip
        return SimpleNamespace(info=info, device="cpu", precision="float32")

    def bind(self, predictor: Any, slide: Slide, channel_map: Any) -> Any:
        return SimpleNamespace(
            slide=slide, predictor=predictor, notes=("2 genes of the slide are not read.",),
            channel_map=dict(channel_map or {}),
        )  # fmt: skip

    def edit(self, bound: Any) -> FakeEditor:
        self.editors.append(FakeEditor(bound.slide, self.gate))
        return self.editors[-1]

    def resolver(self, bound: Any, prediction: Any) -> FakeResolver:
        self.resolvers.append(FakeResolver(bound.slide))
        return self.resolvers[-1]

    def edit_cells(
        self, bound: Any, resolver: Any, cell_idx: Any, edit: Edit, programmes: Any, nfe: Any, progress: Any
    ) -> Any:
        """Each cell is as bright as its row, and brighter by the sum of its edit."""
        shape = (len(cell_idx), len(CHANNELS), CROP_PX, CROP_PX)
        before = np.broadcast_to(10.0 + cell_idx[:, None, None, None], shape).astype(np.float32)
        masks = np.stack([drawn_mask()] * len(cell_idx))
        for row in cell_idx:
            progress(0.5, "drawing")
            assert self.gate.wait(10)
            resolver.resolve(int(row), edit, programmes)
        after = before + np.float32(10 * sum(dict(edit.terms).values()))
        return SimpleNamespace(
            cell_idx=cell_idx, channels=CHANNELS, um_per_px=0.32, before=before, after=after,
            was_cell=masks >= 0.5, mask=masks,
        )  # fmt: skip

    def rank_genes(self, editor: FakeEditor, resolver: FakeResolver, cell: Any, progress: Any) -> Sensitivity:
        """GENE9 first; only GENE9 and GENE8 are expressed."""
        for step in range(10):
            progress(step / 10, "drawing edits")
            assert self.rank_gate.wait(10)
        genes, moved = GENES[9::-1], np.linspace(0.5, 0.05, 10, dtype=np.float32)
        knocked_out = np.full(10, np.nan, np.float32)
        knocked_out[:2] = 0.25, 0.125
        return Sensitivity(cell.cell_id, genes, moved, knocked_out, np.arange(10), 300, cell.nfe)

    def screener(self, editor: FakeEditor, resolver: Any, programmes: Any) -> FakeScreener:
        return FakeScreener(editor)

    def predict(self, bound: Any, tasks: Any, genes: Any, seed: int, progress: Any, inputs: Any, reference: Any) -> Any:
        self.predicted_seeds.append(seed)
        self.predicted_from.append((tuple(inputs), reference))
        for step in range(20):
            progress(step / 20, "reading cells")
            assert self.predict_gate.wait(10)
        num = bound.slide.num_cells
        return SimpleNamespace(
            cell_id=bound.slide.cell_id, cell_type=np.array([TYPES[i % 3] for i in range(num)]),
            confidence=np.linspace(0.5, 1.0, num).astype(np.float32),
            cluster=np.array([str(i % 4) for i in range(num)]),
            domain=np.array([str(i // 8) for i in range(num)]), imputed_genes=("GENE1", "HIDDEN"),
            imputed=np.ones((num, 2), np.float32), provenance={"seed": seed},
            embedding={"cell": np.arange(num * 12, dtype=np.float32).reshape(num, 12)},
            of_imputed={"held_out_pearson": np.array([0.414, np.nan])},
        )  # fmt: skip

    def read_prediction(self, slide: Slide) -> None:
        return None

    def write_prediction(self, slide: Slide, prediction: Any, out: Path | None) -> Path:
        self.written.append(out or slide.path)
        return out or slide.path
