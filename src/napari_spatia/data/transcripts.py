"""Single transcripts of a slide: where its points elements are, and an index of one that answers for any window.

The index lies in the cache folder, never in the store: the transcripts sorted by tile and gene, as arrays that are
mapped and not read. It is found again by the points' files (path, time, size) and placement; changed ones are indexed
anew. Letters: n transcripts, T tiles, G genes.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_spatia.data import ngff
from napari_spatia.data.elements import SlideStore, damage_named, is_zarr_group, open_store
from napari_spatia.data.ngff import Placement
from napari_spatia.data.rasterize import cache_folder
from napari_spatia.data.registered import placement_um
from napari_spatia.data.slide import Slide
from napari_spatia.errors import PanelError, SlideError
from napari_spatia.files import staged_folder
from napari_spatia.progress import Progress, silent

TILE_UM = 250.0
GENE_COLUMNS = ("feature_name", "gene", "gene_name", "target")
"""What platforms call the column with the gene, where the element does not say."""
_FILE = "points.parquet"
_VERSION = 1

Window = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PointsElement:
    """One points element with a gene column. ``placement`` leads from its frame to the slide's µm."""

    name: str
    path: Path
    gene_column: str
    placement: Placement
    extent_um: Window


@dataclass(frozen=True, slots=True)
class TranscriptIndex:
    """Transcripts by tile and gene.

    ``y``, ``x`` `(n,)` float32 µm; ``offsets`` `(T · G + 1,)` int64: those of gene g in tile t are
    ``offsets[t · G + g]`` to ``offsets[t · G + g + 1]``; ``grid`` are the tiles down and across, from ``origin_um``.
    """

    genes: tuple[str, ...]
    origin_um: tuple[float, float]
    grid: tuple[int, int]
    offsets: NDArray[np.int64]
    y: NDArray[np.float32]
    x: NDArray[np.float32]

    def gene_idx(self, gene: str) -> int:
        """Position of one gene. Raises `PanelError` for one without a transcript."""
        if gene not in self.genes:
            raise PanelError(f"Gene '{gene}' has no transcript on this slide; {len(self.genes)} genes have.")
        return self.genes.index(gene)

    def slices(self, gene: str, window_um: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and past-the-last transcript of a gene in each tile that a window touches."""
        (y0, x0, y1, x1), (oy, ox), (down, across) = window_um, self.origin_um, self.grid
        rows = np.arange(down)[_touched(y0 - oy, y1 - oy, down)]
        columns = np.arange(across)[_touched(x0 - ox, x1 - ox, across)]
        tiles = (rows[:, None] * across + columns).ravel()
        place = tiles * len(self.genes) + self.gene_idx(gene)
        return self.offsets[place], self.offsets[place + 1]

    def read(self, gene: str, window_um: Window) -> NDArray[np.float32]:
        """`(k, 2)` places (y, x) in µm of a gene's transcripts within a window (y0, x0, y1, x1)."""
        parts = [slice(int(a), int(b)) for a, b in zip(*self.slices(gene, window_um), strict=True) if b > a]
        if not parts:
            return np.zeros((0, 2), np.float32)
        y, x = (np.concatenate([axis[part] for part in parts]) for axis in (self.y, self.x))
        y0, x0, y1, x1 = window_um
        inside = (y >= y0) & (y <= y1) & (x >= x0) & (x <= x1)
        return np.stack([y[inside], x[inside]], axis=1)


def _touched(first_um: float, last_um: float, num: int) -> slice:
    """Tiles along one axis that a window touches; the outermost hold what lies beyond the slide too."""
    first, last = np.clip(np.floor(np.array([first_um, last_um]) / TILE_UM), 0, num - 1).astype(int)
    return slice(int(first), int(last) + 1)


def points_names(slide: Slide) -> tuple[str, ...]:
    """Names of the points elements of a slide's store, which stay closed; none without a store."""
    folder = slide.path / "points"
    return tuple(sorted(entry.name for entry in folder.iterdir() if is_zarr_group(entry))) if folder.is_dir() else ()


def open_transcripts(slide: Slide, progress: Progress = silent) -> TranscriptIndex:
    """The index of the slide's first points element with a gene column. Raises `SlideError` where it has none."""
    elements = points_elements(slide)
    if not elements:
        raise SlideError(
            f"Slide '{slide.name}' has no transcripts. Expected a points element with x, y and a gene column "
            f"({', '.join(GENE_COLUMNS)}) in coordinate system '{slide.coordinate_system}'; found "
            f"{', '.join(points_names(slide)) or 'no points'}. Read the slide again with its transcripts."
        )
    return open_index(elements[0], progress)


def points_elements(slide: Slide) -> tuple[PointsElement, ...]:
    """The points elements of a slide's store that have a gene column. Reads attributes only; none without a store."""
    if not points_names(slide):
        return ()
    store = open_store(slide.path)
    with damage_named(slide.path, "the points"):
        found = (_element(store, slide, name) for name in store.names("points"))
        return tuple(element for element in found if element is not None)


def _element(store: SlideStore, slide: Slide, name: str) -> PointsElement | None:
    path = points_file(store, name)
    if slide.coordinate_system not in ngff.coordinate_systems(store.transforms("points", name)) or not path.exists():
        return None
    named = store.attrs("points", name).get("spatialdata_attrs", {}).get("feature_key")
    columns = _columns(path)
    gene_column = next((column for column in (named, *GENE_COLUMNS) if column in columns), None)
    if gene_column is None or not {"x", "y"} <= set(columns):
        return None
    placement = placement_um(store, slide, "points", name)
    return PointsElement(name, path, gene_column, placement, slide.image.extent_um)


def points_file(store: SlideStore, name: str) -> Path:
    """Where one points element keeps its points: a parquet file, or a folder of them."""
    return store.path / "points" / name / _FILE


def _columns(path: Path) -> tuple[str, ...]:
    import dask.dataframe as dd

    return tuple(str(column) for column in dd.read_parquet(path).columns)


def open_index(element: PointsElement, progress: Progress = silent) -> TranscriptIndex:
    """The index of one points element, from the cache or made now, one partition of the points in memory at a time."""
    folder = cache_folder() / "transcripts" / _key(element)
    if not folder.is_dir():
        with damage_named(element.path, "transcripts"), staged_folder(folder) as staged:
            _make_index(element, staged, progress)
    facts = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    offsets, y, x = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("offsets", "y", "x"))
    return TranscriptIndex(tuple(facts["genes"]), tuple(facts["origin_um"]), tuple(facts["grid"]), offsets, y, x)


def _key(element: PointsElement) -> str:
    files = sorted(element.path.rglob("*.parquet")) if element.path.is_dir() else [element.path]
    stats = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    facts = (_VERSION, TILE_UM, str(element.path.resolve()), element.gene_column, element.placement,
             element.extent_um, stats)  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _make_index(element: PointsElement, folder: Path, progress: Progress) -> None:
    """Count what each tile holds of each gene, then put every transcript into its place."""
    y0, x0, y1, x1 = element.extent_um
    grid = max(1, int(np.ceil((y1 - y0) / TILE_UM))), max(1, int(np.ceil((x1 - x0) / TILE_UM)))
    position: dict[str, int] = {}
    counts = np.zeros((0, grid[0] * grid[1]), np.int64)  # (G, T), a row more for each new gene
    for done, (names, codes, yx) in _parts(element):
        progress(0.4 * done, "counting transcripts")
        gene = _positions(names, position)[codes]
        counts = np.concatenate([counts, np.zeros((len(position) - len(counts), counts.shape[1]), np.int64)])
        counts += np.bincount(
            gene * counts.shape[1] + _tiles(yx, element.extent_um, grid), minlength=counts.size
        ).reshape(counts.shape)
    offsets = np.concatenate([[0], np.cumsum(counts.T.ravel())])
    y, x = (
        open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=(int(offsets[-1]),))
        for name in ("y", "x")
    )
    free = offsets[:-1].copy()
    for done, (names, codes, yx) in _parts(element):
        progress(0.4 + 0.6 * done, "sorting transcripts")
        gene = _positions(names, position)[codes]
        place = _tiles(yx, element.extent_um, grid) * len(position) + gene
        order = np.argsort(place, kind="stable")
        first, num = np.unique(place[order], return_index=True, return_counts=True)[1:]
        groups = place[order[first]]
        target = np.repeat(free[groups] - first, num) + np.arange(len(order))
        y[target], x[target] = yx[order, 0], yx[order, 1]
        free[groups] += num
    y.flush()
    x.flush()
    np.save(folder / "offsets.npy", offsets)
    facts = {"genes": list(position), "origin_um": [y0, x0], "grid": grid, "element": element.name}
    (folder / "index.json").write_text(json.dumps(facts), encoding="utf-8")


def _parts(
    element: PointsElement,
) -> Iterator[tuple[float, tuple[Sequence[str], NDArray[np.intp], NDArray[np.float32]]]]:
    """Part by part: how much is done; names of genes, and of each transcript the gene's code and (y, x) in µm."""
    import dask
    import dask.dataframe as dd

    frame = dd.read_parquet(element.path, columns=["x", "y", element.gene_column])
    for number in range(frame.npartitions):
        with dask.config.set(scheduler="synchronous"):
            part = frame.partitions[number].compute()
        genes = pd.Categorical(part[element.gene_column])
        known = np.asarray(genes.codes, np.intp) >= 0
        yx = element.placement.apply(part[["y", "x"]].to_numpy(np.float64)[known]).astype(np.float32)
        names = [str(name) for name in genes.categories]
        yield number / frame.npartitions, (names, np.asarray(genes.codes, np.intp)[known], yx)


def _positions(names: Sequence[str], position: dict[str, int]) -> NDArray[np.intp]:
    """The number of each name; a new name gets the next one."""
    return np.array([position.setdefault(name, len(position)) for name in names], np.intp)


def _tiles(yx: NDArray[np.float32], extent_um: Window, grid: tuple[int, int]) -> NDArray[np.intp]:
    """`(k,)` tile of each place; what lies beyond the slide is in its outermost tiles."""
    tile = np.floor((yx - np.asarray(extent_um[:2])) / TILE_UM).astype(np.intp)
    row, column = (np.clip(tile[:, axis], 0, grid[axis] - 1) for axis in (0, 1))
    return np.asarray(row * grid[1] + column)
