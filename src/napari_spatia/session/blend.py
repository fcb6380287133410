"""Several genes at once: each from black to its own colour, added up. Pure functions, as in `colour`."""

from collections.abc import Mapping, Sequence

import numpy as np

from napari_spatia.data.colors import Rgb
from napari_spatia.session.colour import LegendRow, Lookup, Painting, number_limits, only_passing, percentile_range
from napari_spatia.session.values import GENE_FORMS, Values, genes_of

BLEND_COLOURS: tuple[Rgb, ...] = ((255, 0, 255), (0, 255, 0), (0, 255, 255))
"""Magenta, green, cyan: given to genes in this order."""


def blend_colours(genes: Sequence[str], known: Mapping[str, Rgb]) -> dict[str, Rgb]:
    """A colour for each gene, no two alike: the one that it is known by, else the first that no other has."""
    colours: dict[str, Rgb] = {}
    for gene in genes:
        if gene in known and known[gene] not in colours.values():
            colours[gene] = known[gene]
    for gene in genes:
        if gene not in colours:
            colours[gene] = next(colour for colour in BLEND_COLOURS if colour not in colours.values())
    return {gene: colours[gene] for gene in genes}


def lookup_blend(key: str, parts: Sequence[Values], known: Mapping[str, Rgb], how: Painting) -> Lookup:
    """Each cell in the sum of its genes' colours; ``parts`` are the numbers of the genes of ``key``, in its order.

    A gene is black at the lower percentile of its own numbers and in full colour at the upper one. One that is hidden,
    or that a cell has no number of, adds nothing.
    """
    form, genes = genes_of(key)
    colours = blend_colours(genes, known)
    total = np.zeros((3, len(parts[0].data)), dtype=np.float32)
    rows = []
    for gene, values in zip(genes, parts, strict=True):
        numbers = values.data[np.isfinite(values.data)]
        low, high = percentile_range(numbers, number_limits(numbers), how.percent)
        shown = gene not in how.hidden
        expressing = values.data > 0 if how.passing is None else (values.data > 0) & how.passing
        rows.append(LegendRow(gene, colours[gene], int(expressing.sum()), shown, (low, high)))
        if shown:
            strength = np.nan_to_num(np.clip((values.data - low) / (high - low), 0.0, 1.0), nan=0.0)
            for channel in np.flatnonzero(colours[gene]):
                total[channel] += strength * np.float32(colours[gene][channel])
    rgba = np.full((total.shape[1], 4), 255, dtype=np.uint8)
    rgba[:, :3] = np.minimum(total, 255.0).T
    return Lookup(
        key,
        f"{' + '.join(genes)} ({GENE_FORMS[form].lower()})",
        only_passing(rgba, how.passing),
        tuple(rows),
        values=tuple(parts),
    )
