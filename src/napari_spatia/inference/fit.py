"""How a slide fits a checkpoint: its counts on the model's panel, its channels, and the cells that can be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.data.counts import align_counts, log2_counts
from napari_spatia.data.panel import Panel
from napari_spatia.data.slide import Slide
from napari_spatia.errors import CheckpointError, PanelError

LEAST_SHARED_GENES = 0.3
"""Share of the model's genes that a slide must have measured; below it the slide is another panel's."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A slide of N cells and the checkpoint called ``name``; ``notes`` gathers what is not as the model expects."""

    slide: Slide
    name: str
    reads_genes: bool
    reads_image: bool
    notes: list[str] = field(default_factory=list)

    def genes(self, panel: Panel, hidden_idx: NDArray[np.intp]) -> csr_matrix:
        """`(N, G)` log2(1 + counts) on the model's ``panel``, without the slide's genes ``hidden_idx``.

        Raises `PanelError` when the slide has measured too few of them.
        """
        slide = self.slide
        position = panel.align(slide.panel)
        missing = [gene for gene, at in zip(panel.genes, position, strict=True) if at < 0]
        shared = len(panel) - len(missing)
        if self.reads_genes and shared < LEAST_SHARED_GENES * len(panel):
            raise PanelError(
                f"Checkpoint '{self.name}' reads {len(panel)} genes; slide '{slide.name}' has measured {shared} "
                f"of them (at least {LEAST_SHARED_GENES:.0%} are needed). Missing are {', '.join(missing[:5])}, …. "
                "Use a checkpoint of this slide's panel (`napari-spatia models list`), train one, or have `predict` "
                "read the image alone (--inputs image)."
            )
        if missing:
            named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            self.notes.append(
                f"{len(missing)} of the model's {len(panel)} genes are not on the slide: {named}. They count as not "
                "expressed; `predict` imputes them."
            )
        keep = np.ones(len(slide.panel), np.float32)
        keep[hidden_idx] = 0
        counts = slide.counts.multiply(keep).tocsr() if len(hidden_idx) else slide.counts
        values = log2_counts(align_counts(counts, slide.panel, panel))
        values.eliminate_zeros()
        return values

    def channels(self, channels: tuple[str, ...], channel_map: Mapping[str, str]) -> NDArray[np.intp]:
        """`(C,)` the slide's channel for each of the model's, -1 where it has none. Raises `CheckpointError` when a
        name is unknown, or when none is there.
        """
        there = self.slide.channels
        unknown = [name for name in channel_map if name not in channels]
        unknown += [name for name in channel_map.values() if name not in there]
        if unknown:
            raise CheckpointError(
                f"--channel-map names {', '.join(unknown)}; the checkpoint has channels {', '.join(channels)} and "
                f"image '{self.slide.image_name}' has {', '.join(there)}. Write CHECKPOINT_CHANNEL=IMAGE_CHANNEL."
            )
        names = [channel_map.get(channel, channel) for channel in channels]
        index = np.array([there.index(name) if name in there else -1 for name in names], np.intp)
        missing = [channel for channel, at in zip(channels, index, strict=True) if at < 0]
        found = (
            f"Checkpoint '{self.name}' reads channels {', '.join(channels)}; image '{self.slide.image_name}' has "
            f"{', '.join(there)}."
        )
        if len(missing) == len(channels) and self.reads_image:
            raise CheckpointError(
                f"{found} None of them is there. Name stand-ins with --channel-map, or leave the image out (--inputs)."
            )
        if missing:
            self.notes.append(
                f"{found} Missing: {', '.join(missing)}. They are not read, and pictures show what the model expects "
                "of them. If the slide names them otherwise, name stand-ins with --channel-map."
            )
        return index

    def readable_cells(self, values: csr_matrix) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """`(N,)` whether a cell's genes are read, and whether its image is; always one of them at least."""
        y0, x0, y1, x1 = self.slide.image.extent_um
        y, x = self.slide.centers_um.T
        has_genes = np.full(self.slide.num_cells, self.reads_genes)
        has_image = np.full(self.slide.num_cells, self.reads_image)
        no_counts = np.diff(values.indptr) == 0
        outside = (y < y0) | (y >= y1) | (x < x0) | (x >= x1)
        image_only, genes_only = no_counts & has_genes & has_image & ~outside, outside & has_genes & has_image
        for cells, lack, read in (
            (image_only, "have no count of a gene that the model reads", "image"),
            (genes_only, "lie outside the image", "genes"),
        ):
            if cells.any():
                self.notes.append(f"{cells.sum()} of {len(cells)} cells {lack}: their {read} alone is read.")
        return has_genes & ~image_only, has_image & ~genes_only
