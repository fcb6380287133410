"""Verbs that colour the cells by several genes at once."""

from collections.abc import Sequence

from napari_spatia.errors import SpatiaError
from napari_spatia.session.colouring import ColourVerbs
from napari_spatia.session.values import GENE_FORMS, MAX_BLENDED, gene_key, genes_of


class BlendVerbs(ColourVerbs):
    """Which genes are blended. Their colours, and which are painted, are chosen as those of categories are."""

    def blend_genes(self, genes: Sequence[str], form: str = "gene") -> None:
        """Colour by up to three genes at once, each from black to its own colour; ``form`` is one of `GENE_FORMS`."""
        genes = tuple(dict.fromkeys(genes))
        if not 1 <= len(genes) <= MAX_BLENDED:
            raise SpatiaError(f"One to {MAX_BLENDED} genes are shown at once, not {len(genes)}. Take a gene off first.")
        if form not in GENE_FORMS:
            raise SpatiaError(f"Unknown form '{form}' of a gene. Expected one of {', '.join(GENE_FORMS)}.")
        self.colour_by(gene_key(genes, form))

    def add_to_blend(self, gene: str) -> None:
        """Blend the genes on screen with another, in their form where that is there of all of them."""
        form, genes = genes_of(self.state.colour)
        genes = (*genes, gene)
        forms = [genes_of(choice.key)[0] for choice in self._values().forms(gene_key(genes, form))]
        self.blend_genes(genes, form if form in forms or not forms else forms[0])

    def remove_from_blend(self, gene: str) -> None:
        """Take a gene off the blend; the last one left is coloured as one gene is."""
        form, genes = genes_of(self.state.colour)
        if gene not in genes or len(genes) < 2:
            raise SpatiaError(
                f"Gene '{gene}' is not one of several on screen. On screen: {', '.join(genes) or 'none'}."
            )
        self.blend_genes([other for other in genes if other != gene], form)
