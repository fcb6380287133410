"""The names are a contract with files that people keep: `docs` and other programs read them."""

import re

from napari_spatia.data import keys


def test_the_names_of_the_command_line_contract() -> None:
    assert keys.PREDICTED_OBS == (
        "spatia_cell_type",
        "spatia_cell_type_confidence",
        "spatia_cluster",
        "spatia_domain",
    )
    assert (keys.OBSM_CELL, keys.OBSM_NICHE, keys.OBSM_TISSUE) == ("spatia_cell", "spatia_niche", "spatia_tissue")
    assert (keys.UNS_SPATIA, keys.OBS_ANNOTATION, keys.TABLE_IMPUTED) == (
        "spatia",
        "spatia_annotation",
        "spatia_imputed",
    )
    assert keys.UNS_ANNOTATION_COLORS == "spatia_annotation_colors"


def test_every_name_is_one_that_spatialdata_accepts() -> None:
    names = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)]
    names.remove(keys.GENE_FEATURE_TYPE)  # a value in var, not a name
    assert len(names) > 10 and all(re.fullmatch(r"[A-Za-z0-9_.\-]+", name) for name in names)
