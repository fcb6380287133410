"""Verbs of the map of cells: which embedding is shown in two dimensions.

A key names it: ``obsm:<key>`` of the slide's table, ``pca:<scale>`` or ``tsne:<scale>`` of the prediction's embedding
of ``cell``, ``niche`` or ``tissue``.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data import keys
from napari_spatia.data.obsm import read_obsm
from napari_spatia.errors import SpatiaError
from napari_spatia.progress import Progress
from napari_spatia.session.base import SessionBase
from napari_spatia.session.scatter import Plot

if TYPE_CHECKING:
    from napari_spatia.inference.prediction import Prediction

OBSM, PCA, TSNE = "obsm", "pca", "tsne"
SCANPY_OBSM = f"{OBSM}:X_"
PREFERRED = ("umap", "tsne")
"""Parts of the names of obsm arrays that are maps already."""
NOT_PLOTTED = (keys.OBSM_SPATIAL, keys.OBSM_TYPE_PROBABILITY, *keys.EMBEDDINGS.values())
"""Places on the slide, probabilities, and the embeddings that belong to a prediction."""


class PlotVerbs(SessionBase):
    """The embedding on screen: ``state.plot``."""

    def plot_choices(self) -> dict[str, str]:
        """Key → label of all that `show_plot` takes, in the order of the list on screen."""
        if self._opened is None:
            return {}
        stored = {
            f"{OBSM}:{key}": _obsm_label(key, width)
            for key, width in self._opened.obsm.items()
            if width >= 2 and key not in NOT_PLOTTED
        }
        scales = self.map_scales()
        mapped = {f"{TSNE}:{scale}": _label(TSNE, scale) for scale in scales if scale in self._maps}
        return {**stored, **mapped, **{f"{PCA}:{scale}": _label(PCA, scale) for scale in scales}}

    def map_scales(self) -> tuple[str, ...]:
        """What the prediction has embeddings of: cell, niche, tissue."""
        prediction = self.state.prediction
        return () if prediction is None else tuple(prediction.embedding)

    def show_plot(self, key: str) -> None:
        """Show the cells in one of `plot_choices`."""
        choices = self.plot_choices()
        if key not in choices:
            raise SpatiaError(
                f"There is no embedding '{key}' to show. Expected one of {', '.join(choices) or 'none yet'}. "
                "Predict first, or put an array into the obsm of the slide's table."
            )
        source, _, name = key.partition(":")
        slide, prediction, places = self.slide, self.state.prediction, self._maps.get(name)

        def work(progress: Progress) -> Plot:
            if source == OBSM:
                return Plot(key, choices[key], read_obsm(slide, name)[:, :2])
            if source == TSNE and places is not None:
                return Plot(key, choices[key], places)
            from napari_spatia.inference.maps import first_components

            assert prediction is not None, "a scale comes from a prediction"
            return Plot(key, choices[key], first_components(prediction.embedding[name]))

        def accept(plot: Plot) -> None:
            if self._fits(slide, None if source == OBSM else prediction):
                self.state.plot = plot

        self.jobs.submit("plot", work, accept)

    def compute_map(self, scale: str = "cell", seed: int = 0) -> None:
        """Lay the prediction's embedding of ``scale`` out in two dimensions by t-SNE, and show it."""
        slide, prediction = self.slide, self.state.prediction
        if prediction is None or scale not in prediction.embedding:
            found = ", ".join(self.map_scales()) or "no prediction with embeddings"
            raise SpatiaError(f"There is no embedding of '{scale}' to map; there is {found}. Predict first.")
        embedding = prediction.embedding[scale]

        def work(progress: Progress) -> NDArray[np.float32]:
            from napari_spatia.inference.maps import map_cells

            return map_cells(embedding, seed, progress)

        def accept(places: NDArray[np.float32]) -> None:
            if self._fits(slide, prediction):
                self._maps = {**self._maps, scale: places}
                self.show_plot(f"{TSNE}:{scale}")

        self.jobs.submit("map", work, accept)

    def _fits(self, slide: object, prediction: "Prediction | None") -> bool:
        """Whether what was computed from these is still about what is open."""
        is_same = prediction is None or self.state.prediction is prediction
        return is_same and self._opened is not None and self._opened.slide is slide

    def _forget_maps(self) -> None:
        """Before a new slide or prediction is shown: what was made of the old prediction goes."""
        for kind in ("plot", "map"):
            self.jobs.cancel(kind)
        self._maps = {}
        if self.state.plot is not None and not self.state.plot.key.startswith(OBSM):
            self.state.plot = None

    def _show_first_plot(self) -> None:
        """Where nothing is shown, show what is surely an embedding: a map of the slide, else its or our components."""
        keys = tuple(self.plot_choices())
        maps = [key for key in keys if any(part in key.lower() for part in PREFERRED)]
        embeddings = [key for key in keys if key.startswith((SCANPY_OBSM, PCA))]
        if self.state.plot is None and (maps or embeddings):
            self.show_plot((maps or embeddings)[0])


def _obsm_label(key: str, width: int) -> str:
    return key if width == 2 else f"{key} 1, 2"


def _label(source: str, scale: str) -> str:
    return f"Predicted {scale} embedding, {'t-SNE' if source == TSNE else 'PCA 1, 2'}"
