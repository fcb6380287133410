"""What a slide holds, as plain values for `napari-spatia info`."""

from typing import Any

from napari_spatia.data import keys
from napari_spatia.data.elements import KINDS, open_store
from napari_spatia.data.slide import Slide
from napari_spatia.data.transaction import is_read_only, zarr_format


def describe_slide(slide: Slide) -> dict[str, Any]:
    """Plain values, ready for JSON: cells, genes, channels, pixel size, what was chosen, what else the store has."""
    store = open_store(slide.path)
    height, width = slide.image.shape_px
    y0, x0, y1, x1 = slide.image.extent_um
    return {
        "path": str(slide.path),
        "zarr_format": zarr_format(slide.path),
        "read_only": is_read_only(slide.path),
        "cells": slide.num_cells,
        "genes": len(slide.panel),
        "first_genes": list(slide.panel.genes[:8]),
        "counts": int(slide.counts.sum()),
        "channels": list(slide.channels),
        "um_per_px": slide.image.um_per_px,
        "image_px": {"height": height, "width": width},
        "image_um": {"height": round(y1 - y0, 3), "width": round(x1 - x0, 3)},
        "image_dtype": str(slide.image.levels[0].dtype),
        "image_levels": len(slide.image.levels),
        "coordinate_system": slide.coordinate_system,
        "image": slide.image_name,
        "labels": slide.labels_name,
        "labels_drawn_from_shapes": slide.labels_name not in store.names("labels"),
        "table": slide.table_name,
        "elements": {kind: list(store.names(kind)) for kind in (*KINDS, "points")},
        "obs_columns": [str(name) for name in slide.obs.columns],
        "cell_type_column": next((name for name in keys.OBS_KNOWN_CELL_TYPE if name in slide.obs), None),
        "predicted": [name for name in keys.PREDICTED_OBS if name in slide.obs],
        "annotated_cells": int(slide.obs[keys.OBS_ANNOTATION].notna().sum()) if keys.OBS_ANNOTATION in slide.obs else 0,
    }
