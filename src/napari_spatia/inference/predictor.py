"""A checkpoint made ready to predict: `Predictor` holds the model, `BoundSlide` one slide as that model sees it.

Numpy in, numpy out. Loading and binding are costly and done once; the calls after them are cheap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_spatia.batching.features import around_expression, normalised_values, own_expression
from napari_spatia.batching.tensors import gene_tokens, look_around
from napari_spatia.batching.training_slide import surroundings_for
from napari_spatia.data.crops import read_crops, read_masks
from napari_spatia.data.intensity import IntensityScale
from napari_spatia.data.panel import Panel
from napari_spatia.data.slide import Slide
from napari_spatia.errors import CheckpointError
from napari_spatia.inference.cache import GeneEmbeddings
from napari_spatia.inference.drawing import Drawn, Read, one_call, velocity_under
from napari_spatia.inference.drawn import in_the_middle, one_piece
from napari_spatia.inference.fit import Fit
from napari_spatia.inference.noise import white_noise
from napari_spatia.inference.registry import find_checkpoint
from napari_spatia.inference.tasks import INPUTS
from napari_spatia.model.checkpoint import load_checkpoint
from napari_spatia.model.device import PrecisionChoice, pick_device, pick_precision
from napari_spatia.model.flow_solver import Velocity, sample
from napari_spatia.model.inputs import Around, Condition, Features, GeneTokens
from napari_spatia.model.layers import hold_products_in_bfloat16
from napari_spatia.model.readings import Expectation
from napari_spatia.model.spatia import SpatiaModel
from napari_spatia.progress import Progress, silent

CELLS_AT_ONCE = 64
DEFAULT_NFE = 4
SCORED_SHARE = 0.85
"""Of the genes that the readings read: about so many were seen when the others, a tenth, were scored."""
PREVIEW_NFE = 1
"""Decoder passes of a picture that follows a moving hand."""


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What a checkpoint says of itself; ``held_out`` are its scores on cells that were never trained on."""

    name: str
    path: Path
    sha256: str
    preset: str
    panel: Panel
    channels: tuple[str, ...]
    cell_types: tuple[str, ...]
    crop_px: int
    um_per_px: float
    num_parameters: int
    intensity: IntensityScale
    held_out: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CellOutputs:
    """n cells: embeddings ``cell``, ``niche``, ``tissue``, ``fused`` `(n, D)`, ``type_probability`` `(n, T)` summing
    to 1, and ``expression`` `(n, K)` of the genes that were asked for, the expected log1p of counts scaled to
    `TARGET_LIBRARY`; all float32.
    """

    cell: NDArray[np.float32]
    niche: NDArray[np.float32]
    tissue: NDArray[np.float32]
    fused: NDArray[np.float32]
    type_probability: NDArray[np.float32]
    expression: NDArray[np.float32]


class Predictor:
    """A loaded checkpoint on a device. ``precision`` is that of the decoder's products, which draw the pictures; cells
    are always read in float32.
    """

    def __init__(self, model: SpatiaModel, info: CheckpointInfo, device: str, precision: PrecisionChoice = "float32"):
        self.model, self.info, self.device = model.to(device), info, device
        self.precision = pick_precision(precision, device)
        if self.precision == "bfloat16":
            for decoder in (self.model.decoder, self.model.sampler(1)):
                hold_products_in_bfloat16(decoder)

    @cached_property
    def preview(self) -> Callable[[Read], Drawn]:
        """Draws one cell in `PREVIEW_NFE` passes as fast as it can; made at first use, which takes a second or two."""
        return one_call(self.model, self.precision, PREVIEW_NFE)

    @classmethod
    def load(cls, checkpoint: str | Path, device: str = "auto", precision: PrecisionChoice = "float32") -> Self:
        """A folder that `train` wrote, or a shipped name. Raises `CheckpointError` when it is missing or damaged."""
        path = find_checkpoint(checkpoint)
        device = pick_device(device)
        model, config, sha256 = load_checkpoint(path)
        info = CheckpointInfo(
            name=config.name,
            path=path,
            sha256=sha256,
            preset=config.model.preset,
            panel=Panel(config.model.panel),
            channels=config.model.channels,
            cell_types=config.model.cell_types,
            crop_px=config.model.crop_px,
            um_per_px=config.model.um_per_px,
            num_parameters=sum(p.numel() for p in model.parameters()),
            intensity=IntensityScale.from_dict(config.intensity),
            held_out=config.held_out,
            provenance=config.provenance,
        )
        return cls(model, info, device, precision)

    def bind(
        self,
        slide: Slide,
        *,
        inputs: Sequence[str] = INPUTS,
        hide_genes: Sequence[str] = (),
        channel_map: Mapping[str, str] | None = None,
    ) -> "BoundSlide":
        """The slide as this model reads it.

        ``inputs`` names what is read of it, ``hide_genes`` are kept from the model, ``channel_map`` names the slide's
        channel for a channel of the checkpoint. Raises `PanelError` or `CheckpointError` when they do not fit.
        """
        unknown = [name for name in inputs if name not in INPUTS]
        if unknown or not {"image", "genes"} & set(inputs):
            raise CheckpointError(
                f"Inputs {', '.join(inputs) or '(none)'} cannot be read: expected image or genes, or both, and "
                f"optionally niche and tissue{'; unknown: ' + ', '.join(unknown) if unknown else ''}."
            )
        return BoundSlide(self, slide, tuple(inputs), tuple(hide_genes), dict(channel_map or {}))


class BoundSlide:
    """N cells of a slide on the panel and channels of one model. ``notes`` says what was not as the model expects."""

    def __init__(
        self,
        predictor: Predictor,
        slide: Slide,
        inputs: tuple[str, ...],
        hide_genes: tuple[str, ...],
        channel_map: dict[str, str],
    ):
        self.predictor, self.slide, self.inputs, self.hidden = predictor, slide, inputs, hide_genes
        self.model, info = predictor.model, predictor.info
        self.hidden_idx, self.channel_map = slide.panel.indices(hide_genes), channel_map
        fit = Fit(slide, info.name, "genes" in inputs, "image" in inputs)
        self.values = fit.genes(info.panel, self.hidden_idx)
        self.channel_idx = fit.channels(info.channels, channel_map)
        self.has_genes, self.has_image = fit.readable_cells(self.values)
        self.notes = tuple(fit.notes)
        self.surroundings = surroundings_for(self.model.config, slide.centers_um)
        self.embeddings = GeneEmbeddings(self.model, self.values, self.surroundings)
        self._around_last: tuple[Around | None, torch.Tensor] = (None, torch.empty(0))
        self._expectations: dict[tuple[bytes, bytes | None], Expectation] = {}

    def reading(self, inputs: Sequence[str]) -> "BoundSlide":
        """The same slide, of which only ``inputs`` are read. Raises `CheckpointError` where that says nothing."""
        return self if set(inputs) == set(self.inputs) else self._again(self.slide, tuple(inputs))

    def _again(self, slide: Slide, inputs: tuple[str, ...]) -> "BoundSlide":
        """Bound as this one is; the pictures are the same, and so is their intensity scale: it is measured once."""
        bound = self.predictor.bind(slide, inputs=inputs, hide_genes=self.hidden, channel_map=self.channel_map)
        bound.__dict__["scale"] = self.scale
        return bound

    def measured(self) -> Self:
        """Itself, its intensity scale measured: `notes` are complete then, and the first picture need not wait."""
        _ = self.scale
        return self

    def embed(
        self, cell_idx: NDArray | None = None, gene_idx: NDArray | None = None, progress: Progress = silent
    ) -> CellOutputs:
        """Embeddings and types of ``cell_idx`` (all cells) and their expression of the checkpoint's genes ``gene_idx``
        (all genes), from the inputs that were bound.

        A cell without counts is read by its image alone, one outside the image by its genes alone.
        """
        cell_idx = np.arange(self.slide.num_cells) if cell_idx is None else np.asarray(cell_idx)
        kind = 2 * self.has_genes[cell_idx] + self.has_image[cell_idx]
        order, chunks = np.argsort(kind, kind="stable"), []
        for alike in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
            for start in range(0, len(alike), CELLS_AT_ONCE):
                chunks.append(self._embed(cell_idx[alike[start : start + CELLS_AT_ONCE]], gene_idx))
                progress(sum(len(chunk[0]) for chunk in chunks) / len(cell_idx), "embedding cells")
        back = np.argsort(order)
        return CellOutputs(*(np.concatenate(column)[back] for column in zip(*chunks, strict=True)))

    def generate(
        self,
        cell_idx: NDArray,
        *,
        samples: int = 1,
        seed: int = 0,
        nfe: int = DEFAULT_NFE,
        merge_ratio: float = 0.0,
        progress: Progress = silent,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draws cells from expression, niche and tissue alone: counterfactual pictures, never from their own pixels.

        → pictures `(n, samples, C, H, W)` in the slide's intensity units, the cell in the middle, and masks
        `(n, samples, H, W)` in [0, 1].
        A cell's noise depends on (seed, cell id, sample) alone, however many are drawn at once. Samples come in pairs
        of opposite noise (antithetic variates, Hammersley & Morton 1956): each is a picture like any other, and the
        mean of a few is as near to what the model expects as that of several times as many.
        """
        made = []
        jobs = [(cell, sample_no) for cell in np.asarray(cell_idx) for sample_no in range(samples)]
        for start in range(0, len(jobs), CELLS_AT_ONCE):
            some = jobs[start : start + CELLS_AT_ONCE]
            cells = np.array([cell for cell, _ in some])
            condition = self.condition(cells, self.genes_of(cells))
            white = np.stack([(-1) ** number * self.noise(cell, seed, number // 2) for cell, number in some])
            drawn = self.draw(torch.from_numpy(white).to(self.predictor.device), condition, nfe, merge_ratio)
            made.append(in_the_middle(*self.restore(drawn)))
            progress(min(1.0, (start + len(cells)) / len(jobs)), "drawing cells")
        picture, mask = (np.concatenate(parts) for parts in zip(*made, strict=True))
        return picture.reshape(-1, samples, *picture.shape[1:]), mask.reshape(-1, samples, *mask.shape[1:])

    def shuffled(self, seed: int = 0) -> "BoundSlide":
        """The slide with each cell's expression given to another cell, neighbours included: the null row of scores."""
        order = np.random.default_rng(seed).permutation(self.slide.num_cells)
        return self._again(replace(self.slide, counts=self.slide.counts[order]), self.inputs)

    # What the editor and the calls above are made of; tensors, on the model's device.

    def genes_of(self, cell_idx: NDArray) -> GeneTokens:
        """The genes of some cells as the model reads them."""
        return gene_tokens(self.values[cell_idx]).to(self.predictor.device)

    def pictures_of(self, cell_idx: NDArray) -> torch.Tensor:
        """(n, C + 1, H, W) standardised crops with the cell's mask last as ±1; 0 for a channel the slide lacks."""
        config, centers = self.model.config, self.slide.centers_um[cell_idx]
        crops = read_crops(self.slide.image, centers, config.um_per_px, config.crop_px)
        mask = read_masks(
            self.slide.labels, self.slide.instance_id[cell_idx], centers, config.um_per_px, config.crop_px
        )
        there = self.channel_idx >= 0
        stains = np.zeros((len(crops), len(there), *crops.shape[2:]), np.float32)
        stains[:, there] = self.scale.pick(np.flatnonzero(there)).standardise(crops[:, self.channel_idx[there]])
        stack = np.concatenate([stains, 2.0 * mask[:, None].astype(np.float32) - 1], axis=1)
        return torch.from_numpy(stack).to(self.predictor.device)

    def around(self, cell_idx: NDArray) -> Around:
        """What lies around some cells, or nothing where niche or tissue is not read."""
        neighbour, regions = self.surroundings.neighbour[cell_idx], self.surroundings.regions_around(cell_idx)
        cells = self.embeddings.of_cells(neighbour[neighbour >= 0])
        pooled = self.embeddings.of_regions(np.unique(regions[regions >= 0]))
        around = look_around(self.surroundings, cell_idx, cells, np.arange(self.slide.num_cells), pooled)
        return around.without(niche="niche" not in self.inputs, tissue="tissue" not in self.inputs)

    @torch.no_grad()
    def condition(self, cell_idx: NDArray, genes: GeneTokens, around: Around | None = None) -> Condition:
        """What the decoder reads of some cells when they express ``genes``, in other surroundings if given."""
        encoding = self.model.encode(self.around(cell_idx) if around is None else around, genes)
        return self.model.condition(encoding, genes)

    def features(
        self, surroundings: Around, genes: GeneTokens | None, fused: torch.Tensor, image: torch.Tensor | None = None
    ) -> Features:
        """What types and expression are read off, of n cells that express ``genes`` in these ``surroundings``;
        ``fused`` (n, D) is their embedding from genes, niche and tissue, ``image`` (n, D) their pooled crop.
        """
        around = self._expression_around(surroundings) if "niche" in self.inputs else None
        own = None if genes is None else own_expression(genes, self.values.shape[1])[:, self.model.readings.read_idx]
        return Features(
            len(fused),
            self._measured.to(self.predictor.device),
            own=own,
            library=None if genes is None else genes.library[:, None],
            around=around,
            image=image,
            fused=None if genes is None else fused,
        )

    def type_probability(self, around: Around, genes: GeneTokens, fused: torch.Tensor) -> NDArray[np.float32]:
        """`(n, T)` of cells that express ``genes`` in these surroundings, without their image: what an edit makes of
        them.
        """
        logits = self.model.readings.type_logits(self.features(around, genes, fused))
        return logits.softmax(-1).cpu().numpy()

    def _expression_around(self, surroundings: Around) -> torch.Tensor:
        """(n, Q) mean of the neighbours; what was asked last is kept: under a moving slider nothing changes around."""
        kept, expression = self._around_last
        if kept is not surroundings:
            neighbour = surroundings.neighbour_idx.where(surroundings.has_neighbour, -1).cpu().numpy()
            expression = around_expression(self._read_expression, neighbour).to(self.predictor.device)
            self._around_last = surroundings, expression
        return expression

    @cached_property
    def _read_expression(self) -> csr_matrix:
        """`(N, Q)` normalised expression of the genes that the readings read."""
        return normalised_values(self.values)[:, self.model.config.read_idx]

    @cached_property
    def _measured(self) -> torch.Tensor:
        """(Q,) bool: the genes that the readings read that are on the slide and not hidden."""
        panel = self.predictor.info.panel
        position = panel.align(self.slide.panel)[self.model.config.read_idx]
        return torch.from_numpy((position >= 0) & ~np.isin(position, self.hidden_idx))

    @property
    def seen_as_scored(self) -> bool:
        """Whether as much is read as when the checkpoint's genes got their held-out scores: every input and stain, and
        all genes but about a tenth.
        """
        genes = float(self._measured.float().mean())
        return set(self.inputs) == set(INPUTS) and bool((self.channel_idx >= 0).all()) and genes >= SCORED_SHARE

    def _given(self, features: Features, gene_idx: NDArray | None) -> Expectation:
        """The conditional expectation of some genes given what ``features`` show, solved once for each kind of cell."""
        readings = self.model.readings
        seen = readings.seen(features)
        key = seen.cpu().numpy().tobytes(), None if gene_idx is None else gene_idx.tobytes()
        if key not in self._expectations:
            self._expectations[key] = readings.given(seen, gene_idx)
        return self._expectations[key]

    def noise(self, cell_idx: int, seed: int, sample_no: int = 0) -> NDArray[np.float32]:
        """White noise `(C + 1, H, W)` of one cell."""
        size = self.model.config.crop_px
        shape = (self.model.config.drawn_channels, size, size)
        return white_noise(shape, seed, str(self.slide.cell_id[cell_idx]), sample_no)

    @torch.no_grad()
    def draw(
        self,
        white: torch.Tensor,
        condition: Condition,
        nfe: int,
        merge_ratio: float = 0.0,
        progress: Progress = silent,
    ) -> torch.Tensor:
        """White noise (n, C + 1, H, W) → standardised pictures of the same shape, in ``nfe`` passes each."""
        velocity = self.velocity(condition, nfe, merge_ratio)
        return sample(velocity, self.model.start(white, condition, nfe), nfe, progress)

    def velocity(self, condition: Condition, nfe: int | None = None, merge_ratio: float = 0.0) -> Velocity:
        """As `velocity_under` has it, in the predictor's ``precision``."""
        return velocity_under(self.model, self.predictor.precision, condition, nfe, merge_ratio)

    def restore(self, drawn: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Standardised (n, C + 1, H, W) → stains `(n, C, H, W)` in the slide's units, masks `(n, H, W)` in [0, 1].

        Each mask is one piece.
        """
        values = drawn.cpu().numpy()
        return self.scale.restore(values[:, :-1]), one_piece(np.clip((values[:, -1] + 1) / 2, 0, 1))

    @cached_property
    def scale(self) -> IntensityScale:
        """The checkpoint's intensity scale where the slide was exposed alike, else the slide's own (see `notes`)."""
        info, there = self.predictor.info, np.flatnonzero(self.channel_idx >= 0)
        own = IntensityScale.of_slide(self.slide, info.um_per_px, info.crop_px).pick(self.channel_idx[there])
        if info.intensity.pick(there).agrees_with(own):
            return info.intensity
        self.notes += ("Stain intensities differ from the training slides': the slide's own scale is used.",)
        merged = {name: list(values) for name, values in info.intensity.to_dict().items()}
        for name, values in own.to_dict().items():
            for channel, value in zip(there, values, strict=True):
                merged[name][channel] = value
        return IntensityScale.from_dict(merged)

    @torch.no_grad()
    def _embed(self, cell_idx: NDArray, gene_idx: NDArray | None) -> tuple[NDArray[np.float32], ...]:
        """``cell_idx`` are cells of which the same can be read."""
        genes = self.genes_of(cell_idx) if self.has_genes[cell_idx[0]] else None
        tokens = pooled = None
        if self.has_image[cell_idx[0]]:
            has_channel = torch.tensor([*(self.channel_idx >= 0), True])
            tokens, pooled = self.model.image(self.pictures_of(cell_idx), has_channel)
        around = self.around(cell_idx)
        encoding = self.model.encode(around, genes, tokens)
        told = encoding if tokens is None or genes is None else self.model.encode(around, genes)
        features = self.features(around, genes, told.fused, pooled)
        readings = self.model.readings
        columns = (
            encoding.cell,
            encoding.niche,
            encoding.tissue,
            encoding.fused,
            readings.type_logits(features).softmax(-1),
            readings.expression(features, self._given(features, gene_idx)),
        )
        return tuple(column.cpu().numpy() for column in columns)
