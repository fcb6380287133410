"""What cells can be coloured by: one value a cell, read from the slide, a prediction or a person's annotations.

A key names it: ``type``, ``confidence``, ``cluster``, ``domain``, ``annotation``, ``obs:<column>``, ``counts`` and
``num_genes`` (all counts of a cell, and genes that it has any of), and of a gene its
measured counts ``gene:<gene>``, these normalised ``normalised:<gene>``, or ``imputed:<gene>``. Several genes at once
are ``genes:<gene>,<gene>``, ``genes-normalised:…`` and ``genes-imputed:…``. Components of embeddings count from 1:
``obsm:<array>:1`` of the table, ``embedding:<cell, niche or tissue>:1`` of the prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_spatia.data.colors import Rgb
from napari_spatia.data.counts import TARGET_LIBRARY, GeneColumns
from napari_spatia.data.ids import IdRows
from napari_spatia.data.keys import OBS_KNOWN_CELL_TYPE, VAR_HELD_OUT
from napari_spatia.data.obsm import read_obsm
from napari_spatia.data.slide import Slide
from napari_spatia.errors import PanelError, SpatiaError

if TYPE_CHECKING:
    from napari_spatia.inference.prediction import Prediction

MAX_CATEGORIES = 400
"""A text column with more values than this, or another value in each row, names cells and does not colour them."""

LOOKED_AT_FIRST = 10_000
"""Values of a column of whole numbers."""

ANNOTATION, CONFIDENCE = "annotation", "confidence"
COUNTS, NUM_GENES = "counts", "num_genes"
_MEASURED = {COUNTS: "Counts per cell", NUM_GENES: "Genes per cell"}
GENE_FORMS = {"gene": "Counts", "normalised": "Normalised", "imputed": "Imputed"}
BLEND_FORMS = {"genes": "gene", "genes-normalised": "normalised", "genes-imputed": "imputed"}
"""Starts of the keys of several genes at once, and the form in which each of them is read."""
MAX_BLENDED = 3
MAX_LISTED = 10
"""Of a wider embedding the first components are listed; `ValueSource.read` answers all."""
_PREDICTED = {"type": "Cell type (predicted)", "cluster": "Cluster", "domain": "Niche domain"}


def gene_key(genes: Sequence[str], form: str = "gene") -> str:
    """The key of one gene, or of several at once, in one of `GENE_FORMS`."""
    if len(genes) == 1:
        return f"{form}:{genes[0]}"
    source = next(source for source, of_one in BLEND_FORMS.items() if of_one == form)
    return f"{source}:{','.join(genes)}"


def genes_of(key: str | None) -> tuple[str, tuple[str, ...]]:
    """Form and genes of a key; without genes for a key of something else."""
    source, _, names = (key or "").partition(":")
    if source in BLEND_FORMS:
        return BLEND_FORMS[source], tuple(names.split(","))
    return (source, (names,)) if source in GENE_FORMS else ("gene", ())


def is_whole(key: str) -> bool:
    """Whether the numbers of a key are whole: those of genes and cells as they were counted."""
    return key.startswith("gene:") or key in _MEASURED


def is_blend(key: str) -> bool:
    """Whether a key names several genes at once, which `ValueSource.read_blend` reads."""
    return key.partition(":")[0] in BLEND_FORMS


@dataclass(frozen=True, slots=True)
class ColourChoice:
    """One entry of *colour by*: its key, its name on screen, the group it is listed in, and whether it has a star."""

    key: str
    label: str
    group: str
    starred: bool = False


def starred_first(choices: Sequence[ColourChoice], favourites: Sequence[str]) -> tuple[ColourChoice, ...]:
    """The choices that are ``favourites`` (genes) with a star, in the order of these, before all others."""
    place: dict[tuple[str, ...], int] = {(gene,): number for number, gene in enumerate(favourites)}
    starred = [choice for choice in choices if genes_of(choice.key)[1] in place]
    starred.sort(key=lambda choice: place[genes_of(choice.key)[1]])
    others = (choice for choice in choices if genes_of(choice.key)[1] not in place)
    return (*(replace(choice, starred=True) for choice in starred), *others)


@dataclass(frozen=True, slots=True)
class Values:
    """One value a cell: codes into ``categories`` (-1 is missing), or numbers (NaN is missing) when that is None.

    ``colours`` are those that the slide itself gives its categories.
    """

    key: str
    title: str
    data: NDArray[np.int32] | NDArray[np.float32] = field(repr=False)
    categories: tuple[str, ...] | None = None
    colours: Mapping[str, Rgb] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValueSource:
    """A snapshot of everything that cells can be coloured by.

    ``genes`` are the counts by gene, ``totals`` `(N,)` all counts of each cell, ``rows`` finds a cell id's row,
    ``columns`` are those of the table that say something of cells (`colourable_columns`), ``annotated`` maps cell id →
    class name, ``colours`` a column of the table to those of its categories, ``obsm`` an array of the table to its
    number of components.
    """

    slide: Slide
    genes: GeneColumns
    totals: NDArray[np.float32]
    rows: IdRows
    columns: frozenset[str]
    prediction: "Prediction | None" = None
    annotated: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    colours: Mapping[str, Mapping[str, Rgb]] = field(default_factory=dict)
    obsm: Mapping[str, int] = field(default_factory=dict)

    @property
    def default_key(self) -> str | None:
        """What a slide is coloured by when nobody chose: its predicted types, else the types it came with."""
        if self.prediction is not None and self._has("type"):
            return "type"
        known = (name for name in OBS_KNOWN_CELL_TYPE if name in self.columns)
        return next((f"obs:{name}" for name in known), None)

    def choices(self) -> tuple[ColourChoice, ...]:
        """What `read` answers, in the order of the list on screen; a gene once (`forms` has its other forms)."""
        found = []
        if self.prediction is not None:
            found += [ColourChoice(key, label, "Predicted") for key, label in _PREDICTED.items() if self._has(key)]
            found += [ColourChoice(CONFIDENCE, "Confidence of the type", "Predicted")] * self._is_predicted(CONFIDENCE)
        found.append(ColourChoice(ANNOTATION, "My annotation", "Annotated"))
        found += [ColourChoice(key, label, "Measured cell") for key, label in _MEASURED.items()]
        found += [ColourChoice(f"obs:{name}", name, "Table") for name in self.slide.obs.columns if name in self.columns]
        found += [ColourChoice(f"gene:{gene}", gene, "Measured gene") for gene in self.slide.panel.genes]
        if self.prediction is not None:
            beyond = (gene for gene in self.prediction.imputed_genes if gene not in self.slide.panel)
            found += [ColourChoice(f"imputed:{gene}", f"{gene} (imputed)", "Imputed gene") for gene in beyond]
        for source, widths in (("embedding", self._embeddings()), ("obsm", self.obsm)):
            for name, width in widths.items():
                components = range(1, min(width, MAX_LISTED) + 1)
                keys = [f"{source}:{name}:{number}" for number in components]
                found += [ColourChoice(key, _component_title(key), "Embedding") for key in keys]
        return tuple(found)

    def forms(self, key: str | None) -> tuple[ColourChoice, ...]:
        """The forms in which all genes of a key are there: as counted, normalised, imputed; none of what is no gene."""
        _, genes = genes_of(key)
        if not genes:
            return ()
        imputed = self.prediction is not None and set(genes) <= set(self.prediction.imputed_genes)
        measured = all(gene in self.slide.panel for gene in genes)
        there = ["gene", "normalised"] * measured + ["imputed"] * imputed
        return tuple(ColourChoice(gene_key(genes, form), GENE_FORMS[form], "Gene") for form in there)

    def check(self, key: str) -> None:
        """Raises what `read` would raise for a key that this slide does not have, without reading."""
        source, _, name = key.partition(":")
        if is_blend(key):
            form, genes = genes_of(key)
            if not 1 < len(genes) <= MAX_BLENDED:
                raise SpatiaError(f"Two or {MAX_BLENDED} genes are blended at once, not {len(genes)}: '{key}'.")
            for gene in genes:
                self.check(gene_key([gene], form))
        elif source in ("gene", "normalised"):
            self.slide.panel.index(name)
        elif source == "imputed":
            self._imputed_idx(name)
        elif not (
            key == ANNOTATION
            or key in _MEASURED
            or self._has_component(key)
            or self._is_predicted(key)
            or (source == "obs" and name in self.columns)
        ):
            raise SpatiaError(self._unknown(key))

    def has(self, key: str) -> bool:
        """Whether `read` answers this key."""
        try:
            self.check(key)
        except SpatiaError:
            return False
        return True

    def is_number(self, key: str) -> bool:
        """Whether a key has numbers, not categories. Raises as `check` does, and for several genes at once."""
        self.check(key)
        if is_blend(key):
            raise SpatiaError(f"'{key}' are several genes, not one value a cell. Take one gene at a time.")
        source, _, name = key.partition(":")
        if source == "obs":
            return _is_numeric(self.slide.obs[name])
        return source in (*GENE_FORMS, "obsm", "embedding") or key == CONFIDENCE or key in _MEASURED

    def read_blend(self, key: str) -> tuple[Values, ...]:
        """The values of each gene of a key of several genes."""
        form, genes = genes_of(key)
        return tuple(self.read(gene_key([gene], form)) for gene in genes)

    def read(self, key: str) -> Values:
        """The values of one key. Raises `SpatiaError` or `PanelError` for a key that this slide does not have."""
        self.check(key)
        source, _, name = key.partition(":")
        if source in ("gene", "normalised"):
            counts = self.genes.column(self.slide.panel.index(name))
            if source == "normalised":
                counts = np.log1p(counts * (TARGET_LIBRARY / np.maximum(self.totals, 1)))
            return Values(key, f"{name} ({GENE_FORMS[source].lower()})", counts)
        if source == "obs":
            return replace(from_column(key, name, self.slide.obs[name]), colours=self.colours.get(name, {}))
        if key == ANNOTATION:
            return self._annotation()
        if source == "obsm":
            array, _, number = name.rpartition(":")
            return Values(key, _component_title(key), read_obsm(self.slide, array)[:, int(number) - 1].copy())
        if key in _MEASURED:
            measured = self.totals if key == COUNTS else self.slide.counts.getnnz(axis=1)
            return Values(key, _MEASURED[key], np.asarray(measured, dtype=np.float32))
        assert self.prediction is not None
        if source == "embedding":
            scale, _, number = name.rpartition(":")
            column = self.prediction.embedding[scale][:, int(number) - 1]
            return Values(key, _component_title(key), np.array(column, dtype=np.float32))
        if source == "imputed":
            column = self.prediction.imputed[:, self._imputed_idx(name)]
            return Values(key, f"{name} (imputed{self._how_well(name)})", np.asarray(column, dtype=np.float32))
        if key == CONFIDENCE:
            return Values(key, "Confidence of the type", np.asarray(self.prediction.confidence, dtype=np.float32))
        return from_column(key, _PREDICTED[key], pd.Series(self._predicted(key)))

    def _embeddings(self) -> dict[str, int]:
        """Number of components of each embedding of the prediction."""
        embedding = {} if self.prediction is None else self.prediction.embedding
        return {scale: values.shape[1] for scale, values in embedding.items()}

    def _has_component(self, key: str) -> bool:
        source, _, name = key.partition(":")
        array, _, number = name.rpartition(":")
        widths = {"obsm": self.obsm, "embedding": self._embeddings()}.get(source, {})
        return number.isdecimal() and 1 <= int(number) <= widths.get(array, 0)

    def _is_predicted(self, key: str) -> bool:
        if key == CONFIDENCE:
            return self.prediction is not None and self.prediction.confidence is not None
        return self.prediction is not None and key in _PREDICTED and self._has(key)

    def _predicted(self, key: str) -> "NDArray[np.str_] | None":
        assert self.prediction is not None
        column: NDArray[np.str_] | None = getattr(self.prediction, "cell_type" if key == "type" else key)
        return column

    def _has(self, key: str) -> bool:
        return self._predicted(key) is not None

    def _imputed_idx(self, gene: str) -> int:
        genes = () if self.prediction is None else tuple(self.prediction.imputed_genes)
        if gene not in genes:
            raise PanelError(f"Gene '{gene}' has no imputed expression here; {len(genes)} genes have. Predict first.")
        return genes.index(gene)

    def _how_well(self, gene: str) -> str:
        """What held-out cells say of an imputed gene, where that is known."""
        assert self.prediction is not None
        scores = self.prediction.of_imputed.get(VAR_HELD_OUT[0])
        score = np.nan if scores is None else float(scores[self._imputed_idx(gene)])
        return f", r = {score:.2f} where hidden" if np.isfinite(score) else ""

    def _annotation(self) -> Values:
        code = {name: idx for idx, name in enumerate(self.classes)}
        codes = np.full(self.slide.num_cells, -1, dtype=np.int32)
        if self.annotated:
            rows = self.rows.rows(list(self.annotated))
            given = np.array([code[name] for name in self.annotated.values()], np.int32)
            codes[rows[rows >= 0]] = given[rows >= 0]
        return Values(ANNOTATION, "My annotation", codes, self.classes)

    def _unknown(self, key: str) -> str:
        keys = [choice.key for choice in self.choices()]
        near = get_close_matches(key, keys, n=3, cutoff=0.4)
        hint = f" Did you mean {', '.join(near)}?" if near else f" Take one such as {', '.join(keys[:4])}."
        predicted = " Predict first." if self.prediction is None and key in (*_PREDICTED, CONFIDENCE) else ""
        return f"Cells cannot be coloured by '{key}': slide '{self.slide.name}' has no such values.{predicted or hint}"


def _component_title(key: str) -> str:
    """``X_pca 1`` of the table's array, ``Cell embedding 1 (predicted)`` of the prediction's."""
    source, _, name = key.partition(":")
    array, _, number = name.rpartition(":")
    return f"{array} {number}" if source == "obsm" else f"{array.capitalize()} embedding {number} (predicted)"


def colourable_columns(obs: pd.DataFrame) -> frozenset[str]:
    """Names of the columns that cells can be coloured by: no identifiers, and not too many categories.

    It takes 0.1 s for a million cells: made once, when a slide is opened.
    """
    return frozenset(str(name) for name in obs.columns if _is_colourable(obs[name]))


def _is_colourable(column: pd.Series) -> bool:
    if _is_numeric(column):
        return not (pd.api.types.is_integer_dtype(column) and _is_unique(column))
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        num_names = np.count_nonzero(np.bincount(codes[codes >= 0]))
    else:
        num_names = column.nunique(dropna=True)
    return bool(1 < num_names <= min(MAX_CATEGORIES, len(column) - 1))


def _is_unique(column: pd.Series) -> bool:
    """Most columns that are not are told by their first values."""
    return not column.iloc[:LOOKED_AT_FIRST].duplicated().any() and not column.duplicated().any()


def from_column(key: str, title: str, column: pd.Series) -> Values:
    """A table column as numbers, or as codes of its categories in natural order."""
    if _is_numeric(column):
        return Values(key, title, column.to_numpy(dtype=np.float32, na_value=np.nan))
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, values = pd.factorize(column)
    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values)))
    names = sorted({str(values[code]) for code in used}, key=natural_order)
    place = np.full(len(values) + 1, -1, np.int32)  # the last is that of a missing value, whose code is -1
    place[used] = [names.index(str(values[code])) for code in used]
    return Values(key, title, place[codes], tuple(names))


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def natural_order(name: str) -> tuple[int, int, str]:
    """Sort key that puts '2' before '10' and numbers before words."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)
