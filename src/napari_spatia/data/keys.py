"""Every name that napari-spatia reads from or writes into a slide's table. One home, so that a typo cannot hide."""

from typing import Final

PREFIX: Final = "spatia"
"""Start of every name that this package writes."""

# obs columns, one value a cell
OBS_CELL_TYPE: Final = "spatia_cell_type"
OBS_CELL_TYPE_CONFIDENCE: Final = "spatia_cell_type_confidence"
OBS_CLUSTER: Final = "spatia_cluster"
OBS_DOMAIN: Final = "spatia_domain"
OBS_ANNOTATION: Final = "spatia_annotation"
"""Class that a person gave the cell; empty where none was given."""

PREDICTED_OBS: Final = (OBS_CELL_TYPE, OBS_CELL_TYPE_CONFIDENCE, OBS_CLUSTER, OBS_DOMAIN)

# obsm arrays, one row a cell
OBSM_SPATIAL: Final = "spatial"
"""Centres as (x, y), the table convention; turned to (y, x) in `napari_spatia.data` and nowhere else."""
OBSM_CELL: Final = "spatia_cell"
OBSM_NICHE: Final = "spatia_niche"
OBSM_TISSUE: Final = "spatia_tissue"
OBSM_TYPE_PROBABILITY: Final = "spatia_cell_type_probability"
EMBEDDINGS: Final = {"cell": OBSM_CELL, "niche": OBSM_NICHE, "tissue": OBSM_TISSUE}
"""Scale of an embedding → its obsm key."""

# uns entries
UNS_SPATIA: Final = "spatia"
"""Provenance: checkpoint and its hash, options, seed, versions, held-out scores."""
UNS_ANNOTATION: Final = "spatia_annotation"
"""Classes of a person's annotation, in order, and their keys."""
UNS_SPATIALDATA: Final = "spatialdata_attrs"


def colors_of(column: str) -> str:
    """The uns entry with one ``#rrggbb`` per category of an obs column, as scanpy and napari-spatialdata read it."""
    return f"{column}_colors"


UNS_ANNOTATION_COLORS: Final = colors_of(OBS_ANNOTATION)

# tables
TABLE_IMPUTED: Final = "spatia_imputed"
"""Table beside the slide's own: imputed expression, the same cells and region."""

VAR_SOURCE: Final = "source"
"""Column of that table's var: the model or the reference that a gene's values come from."""
VAR_HELD_OUT: Final = ("held_out_pearson", "held_out_spearman")
"""Columns of that table's var: correlation with measured values on held-out cells, missing where not measured."""

# names in other people's tables
VAR_FEATURE_TYPES: Final = "feature_types"
GENE_FEATURE_TYPE: Final = "Gene Expression"
COUNT_LAYERS: Final = ("counts", "raw_counts", "raw")
OBS_KNOWN_CELL_TYPE: Final = ("cell_type", "celltype", "cell_types", "annotation")
"""Columns in which slides carry a cell type of their own; the first that is there is the truth to train on."""
