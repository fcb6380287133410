"""Verbs of single transcripts: those of chosen genes in the part of the slide that is in view."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data.colors import palette_color
from napari_spatia.data.density import bin_places
from napari_spatia.data.transcripts import TILE_UM, TranscriptIndex, open_transcripts
from napari_spatia.progress import Progress
from napari_spatia.session.looking import LookVerbs
from napari_spatia.session.state import TranscriptGene, TranscriptPicture, Window

MOST_POINTS = 10_000
"""More transcripts than this in view are shown as a density: this many fill a window, and napari takes some 10 µs to
take over each."""
BRIGHT_PERCENTILE = 99.5
"""Of the bins that hold any of a gene, those above this percentile are in its full colour."""
DENSITY_PX = 512
"""Bins along the longer side of a density."""


class TranscriptVerbs(LookVerbs):
    """What is shown follows the view. The index of a slide is made in the background, once."""

    def genes_with_transcripts(self) -> tuple[str, ...]:
        """Genes whose transcripts can be asked for; until the index is there, those of the panel."""
        if self._opened is None or not self._opened.points:
            return ()
        return self.slide.panel.genes if self._transcripts is None else self._transcripts.genes

    def show_transcripts(self, genes: Sequence[str]) -> None:
        """Show the transcripts of these genes and of no others, each in a colour that it keeps.

        Raises `SlideError` where the slide has no transcripts, `PanelError` for a gene that has none.
        """
        if not self.opened.points:
            open_transcripts(self.slide)  # says what is expected
        if self._transcripts is not None:
            for gene in genes:
                self._transcripts.gene_idx(gene)
        known = {entry.name: entry for entry in self.state.transcript_genes}
        for gene in dict.fromkeys(genes):
            taken = {entry.colour for entry in known.values()}
            free = (colour for colour in map(palette_color, range(len(taken) + 1)) if colour not in taken)
            known[gene] = known.get(gene) or TranscriptGene(gene, next(free))
        self.state.transcript_genes = tuple(known[gene] for gene in dict.fromkeys(genes))
        self._draw_transcripts()

    def hide_transcripts(self) -> None:
        """Show no transcripts."""
        self.jobs.cancel("transcripts")
        self.state.transcript_genes, self.state.transcripts = (), None

    def see(self, window_um: Window) -> None:
        """As `LookVerbs.see`; the transcripts follow."""
        super().see(window_um)
        if self.state.transcript_genes and self._transcripts is not None:
            self._draw_transcripts()

    def _draw_transcripts(self) -> None:
        genes, opened, index = self.state.transcript_genes, self.opened, self._transcripts
        window = self.state.view_um or opened.slide.image.extent_um
        if not genes:
            self.hide_transcripts()
            return
        if index is None:
            self._index_transcripts()
            return

        def accept(picture: TranscriptPicture) -> None:
            if self._transcripts is index and self.state.transcript_genes == genes:
                self.state.transcripts = picture

        self.jobs.submit("transcripts", lambda progress: read_transcripts(index, genes, window, progress), accept)

    def _index_transcripts(self) -> None:
        """Make or open the index, then show what is asked for by then."""
        opened, status = self.opened, self.state.jobs.get("index")
        if status is not None and status.running:
            return

        def accept(index: TranscriptIndex) -> None:
            if self._opened is opened:
                self._transcripts = index
                missing = [entry.name for entry in self.state.transcript_genes if entry.name not in index.genes]
                self.show_transcripts([e.name for e in self.state.transcript_genes if e.name not in missing])
                if missing:
                    self.tell_error(f"No transcripts of {', '.join(missing)} are on this slide.")

        self.jobs.submit("index", lambda progress: open_transcripts(opened.slide, progress), accept)

    def _forget_transcripts(self) -> None:
        self.jobs.cancel("index")
        self.hide_transcripts()
        self._transcripts = None


def read_transcripts(
    index: TranscriptIndex, genes: Sequence[TranscriptGene], window_um: Window, progress: Progress
) -> TranscriptPicture:
    """The transcripts of some genes in a window, as points, or as a density of each gene where they are too many."""
    (y0, x0, y1, x1), (oy, ox), (down, across) = window_um, index.origin_um, index.grid
    shown = (max(y0, oy), max(x0, ox), min(y1, oy + down * TILE_UM), min(x1, ox + across * TILE_UM))
    places, densities, counts = [], [], []
    for number, entry in enumerate(genes):
        progress(number / len(genes), "reading transcripts")
        found = index.read(entry.name, window_um)
        counts.append(len(found))
        densities.append(bin_places(found, shown, bin_um(shown)))
        if sum(counts) <= MOST_POINTS:
            places.append(found)
    if sum(counts) > MOST_POINTS:
        density = np.stack(densities)
        return TranscriptPicture(tuple(genes), tuple(counts), shown, density=density, rgb=paint_density(density, genes))
    of_gene = np.repeat(np.arange(len(genes)), counts)
    return TranscriptPicture(tuple(genes), tuple(counts), shown, np.concatenate(places), of_gene)


def paint_density(density: NDArray[np.float32], genes: Sequence[TranscriptGene]) -> NDArray[np.uint8]:
    """`(H, W, 3)` uint8: the genes' colours added, each as bright as its `(G, H, W)` transcripts are many."""
    total = np.zeros((*density.shape[1:], 3))
    for entry, held in zip(genes, density, strict=True):
        bright = float(np.percentile(held[held > 0], BRIGHT_PERCENTILE)) if held.any() else 1.0
        total += np.clip(held / bright, 0, 1)[..., None] * np.asarray(entry.colour, float)
    return np.clip(total, 0, 255).astype(np.uint8)


def bin_um(window_um: Window) -> float:
    """Edge of a bin of a window's density, µm."""
    y0, x0, y1, x1 = window_um
    return max(y1 - y0, x1 - x0, 1e-6) / DENSITY_PX
