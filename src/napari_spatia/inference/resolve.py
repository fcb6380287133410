"""From an edit as it is asked for to the change of each gene and the surroundings that a picture is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.cell_names import cell_name
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.coexpression import LEAST_CELLS, LEAST_CHANGE, Coexpression
from napari_spatia.inference.edits import PROGRAMME, TOWARDS, Edit, NicheChange, NicheEdit
from napari_spatia.inference.groups import Groups
from napari_spatia.inference.niche_edits import most_typical, with_neighbours_of, without_neighbours
from napari_spatia.inference.predictor import BoundSlide
from napari_spatia.inference.programmes import Programme, find_programme
from napari_spatia.model.inputs import Around

if TYPE_CHECKING:
    from napari_spatia.inference.prediction import Prediction

PREDICT_FIRST = "The slide has none: predict first."
ALL_CELLS = -1
"""In place of a type's code: the whole slide."""


@dataclass(frozen=True, slots=True)
class ResolvedEdit:
    """What an edit does to one cell.

    ``log2_fc`` is what is added to log2(1 + counts) of each gene, all kinds of edits together, and ``changed`` what is
    left of it as expression ends at 0; ``stopped`` names the genes that it ended. ``following`` are the genes that are
    changed only because they go with edited ones. ``around`` is None where the cell keeps its surroundings. ``notes``
    say what a person should know.
    """

    edit: Edit
    log2_fc: dict[str, float]
    changed: dict[str, float]
    stopped: tuple[str, ...]
    following: tuple[str, ...]
    around: Around | None
    notes: tuple[str, ...]


class EditResolver:
    """Resolves edits of cells of one bound slide; what is learned from the slide is learned when first needed.

    Types are those that the slide came with, or the predicted ones where it has none. Niche domains are predicted.
    """

    def __init__(self, bound: BoundSlide, prediction: "Prediction | None" = None):
        self.bound = bound
        self._panel = bound.predictor.info.panel
        nowhere = np.full(bound.slide.num_cells, "")
        known = bound.slide.known_types()
        if prediction is not None and prediction.cell_type is not None and not (known != "").any():
            known = prediction.cell_type
        domain = None if prediction is None else prediction.domain
        self.types = Groups.of("cell type", known, PREDICT_FIRST)
        self.domains = Groups.of("niche domain", nowhere if domain is None else domain, PREDICT_FIRST)
        self._niche = {} if prediction is None else prediction.embedding
        self._coexpression = lru_cache(None)(self._learn)
        self._around = lru_cache(8)(self._surround)

    def resolve(self, cell_idx: int, edit: Edit, programmes: Mapping[str, Programme]) -> ResolvedEdit:
        """What ``edit`` does to the cell in row ``cell_idx``.

        Raises `PanelError` for a gene that the model does not read, `SpatiaError` for another name that is unknown.
        """
        edit = edit.active()
        asked, notes = self._asked(edit, programmes)
        change = np.zeros(len(self._panel))
        following: NDArray[np.intp] = np.empty(0, np.intp)
        if edit.coexpressed and asked:
            change, note = self._completed(cell_idx, asked)
            following = np.setdiff1d(np.flatnonzero(change), list(asked))
            notes.append(note)
        else:
            change[list(asked)] = list(asked.values())
        for name, part in edit.named(TOWARDS).items():
            change += part * self._direction(cell_idx, name)
        around, note = (None, "") if edit.niche is None else self._around(cell_idx, edit.niche)
        log2_fc, changed, stopped = self._applied(cell_idx, change)
        names = self._panel.genes
        return ResolvedEdit(
            edit, log2_fc, changed, stopped, tuple(names[gene] for gene in following), around,
            (*notes, note) if note else tuple(notes),
        )  # fmt: skip

    def _asked(self, edit: Edit, programmes: Mapping[str, Programme]) -> tuple[dict[int, float], list[str]]:
        """log2_fc by gene index of single genes and programmes; genes in several of them get the sum."""
        parts, notes = [edit.genes()], []
        for name, strength in edit.named(PROGRAMME).items():
            programme = find_programme(name, programmes)
            parts.append(programme.log2_fc(strength, self._panel))
            missing = programme.missing(self._panel)
            absent = f"; not on it: {', '.join(missing[:4])}{', …' * (len(missing) > 4)}" if missing else ""
            notes.append(f"{name}: {len(parts[-1])} of {len(programme.genes)} genes are on the panel{absent}.")
        asked: dict[int, float] = {}
        for gene, log2_fc in (item for part in parts for item in part.items()):
            index = self._panel.index(gene)
            asked[index] = asked.get(index, 0.0) + log2_fc
        return asked, notes

    def _completed(self, cell_idx: int, asked: Mapping[int, float]) -> tuple[NDArray[np.float64], str]:
        """`(G,)` log2_fc of all genes, and what they were learned from: the cell's type if it has cells enough."""
        code = int(self.types.code[cell_idx])
        num_cells = self.bound.slide.num_cells if code < 0 else int((self.types.code == code).sum())
        if code < 0 or num_cells < LEAST_CELLS:
            code, num_cells = ALL_CELLS, self.bound.slide.num_cells
        learned = self._coexpression(code)
        silent = [self._panel.genes[gene] for gene in asked if not learned.tells(gene)]
        group = "cells of the slide" if code == ALL_CELLS else f"{self.types.names[code]} cells"
        note = f"Co-expression learned from {num_cells:,} {group}."
        return learned.follow(asked), f"{note} Too rare to tell: {', '.join(silent)}." if silent else note

    def _learn(self, code: int) -> Coexpression:
        return Coexpression(self.bound.values if code == ALL_CELLS else self.bound.values[self.types.code == code])

    def _direction(self, cell_idx: int, name: str) -> NDArray[np.float64]:
        """`(G,)` from the mean of the cell's type, or of all cells where it has none, to the mean of another type."""
        target, own = self._type_means[self.types.find(name)], int(self.types.code[cell_idx])
        direction = target - (self._slide_mean if own < 0 else self._type_means[own])
        return np.where(np.abs(direction) < LEAST_CHANGE, 0.0, direction)

    @cached_property
    def _type_means(self) -> NDArray[np.float64]:
        return self.types.means(self.bound.values)

    @cached_property
    def _slide_mean(self) -> NDArray[np.float64]:
        return np.asarray(self.bound.values.mean(axis=0), np.float64).ravel()

    def _applied(
        self, cell_idx: int, change: NDArray[np.float64]
    ) -> tuple[dict[str, float], dict[str, float], tuple[str, ...]]:
        """log2_fc, what is left of it, and the genes that end at 0, by name."""
        before = self.bound.values[cell_idx].toarray().ravel().astype(np.float64)
        left = np.maximum(before + change, 0.0) - before
        names, genes = self._panel.genes, np.flatnonzero(change)
        return (
            {names[gene]: float(change[gene]) for gene in genes},
            {names[gene]: float(left[gene]) for gene in genes if left[gene]},
            tuple(names[gene] for gene in genes if before[gene] + change[gene] < 0),
        )

    def _surround(self, cell_idx: int, niche: NicheEdit) -> tuple[Around, str]:
        """The surroundings after an edit of the niche, and what became of them."""
        if "niche" not in self.bound.inputs:
            raise SpatiaError("The niche cannot be edited: it is not among the inputs that were asked for (--inputs).")
        slide, neighbour = self.bound.slide, self.neighbours(cell_idx)
        if niche.change in (NicheChange.CELL, NicheChange.DOMAIN):
            there = slide.cell_idx(niche.name) if niche.change == NicheChange.CELL else self._medoid(niche.name)
            note = f"The cell is drawn in the surroundings of {cell_name(slide.cell_id[there])}."
            return self.bound.around(np.array([there])), note
        meant, strangers = self._meant(neighbour, niche.cells)
        of_type = self.types.code == self.types.find(niche.name) if niche.name else np.ones(slide.num_cells, bool)
        if niche.change == NicheChange.REMOVE:
            note = f"{int((meant & of_type)[neighbour].sum())} of {len(neighbour)} neighbours are removed.{strangers}"
            return without_neighbours(self.bound, cell_idx, meant & of_type), note
        changed = meant & ~of_type
        note = f"{int(changed[neighbour].sum())} of {len(neighbour)} neighbours express what {niche.name} cells do."
        return with_neighbours_of(self.bound, cell_idx, np.flatnonzero(of_type), changed), note + strangers

    def neighbours(self, cell_idx: int) -> NDArray[np.int64]:
        """Rows of the cells that the model reads as a cell's neighbours, nearest first."""
        neighbour = self.bound.surroundings.neighbour[cell_idx]
        return neighbour[neighbour >= 0]

    def _meant(self, neighbour: NDArray[np.int64], cells: tuple[str, ...]) -> tuple[NDArray[np.bool_], str]:
        """`(N,)` the cells that an edit of the niche means, all where it names none; and which of them are too far."""
        slide = self.bound.slide
        if not cells:
            return np.ones(slide.num_cells, bool), ""
        meant = np.zeros(slide.num_cells, bool)
        rows = [slide.cell_idx(cell_id) for cell_id in cells]
        meant[rows] = True
        far = [str(slide.cell_id[row]) for row in rows if row not in neighbour]
        return meant, f" No neighbours of this cell: {', '.join(far)}." if far else ""

    def _medoid(self, domain: str) -> int:
        cells = self.domains.cells(domain)
        if "niche" not in self._niche:
            raise SpatiaError("The prediction has no niche embeddings to find a typical cell by. Predict with embed.")
        return most_typical(self._niche["niche"], cells)
