"""How the elements of a slide's store are registered: the maps from their own frames to the slide's µm."""

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data import ngff
from napari_spatia.data.elements import SlideStore
from napari_spatia.data.ngff import Placement
from napari_spatia.data.slide import Slide
from napari_spatia.errors import SlideError


def um_per_unit(store: SlideStore, slide: Slide) -> float:
    """µm in one unit of the slide's coordinate system, as the slide was opened."""
    transforms = store.transforms("images", slide.image_name)
    stored = ngff.placement(transforms, slide.coordinate_system, f"images/{slide.image_name}").scale
    return slide.image.um_per_px / stored


def placement_um(store: SlideStore, slide: Slide, kind: str, name: str) -> Placement:
    """Scale and shift from an element's frame to µm. Raises `SlideError` for an element that lies turned or nowhere."""
    inner = ngff.placement(_transforms(store, slide, kind, name), slide.coordinate_system, f"{kind}/{name}")
    return inner.enlarged(um_per_unit(store, slide))


def affine_um(store: SlideStore, slide: Slide, kind: str, name: str) -> NDArray[np.float64]:
    """`(3, 3)` matrix on (y, x, 1) from an element's frame to µm. Raises `SlideError` for one that lies nowhere."""
    inner = ngff.affine(_transforms(store, slide, kind, name), slide.coordinate_system, f"{kind}/{name}")
    unit = um_per_unit(store, slide)
    return np.diag([unit, unit, 1.0]) @ inner


def _transforms(store: SlideStore, slide: Slide, kind: str, name: str) -> list[dict]:
    transforms = store.transforms(kind, name)
    known = ngff.coordinate_systems(transforms)
    if slide.coordinate_system not in known:
        raise SlideError(
            f"{kind}/{name} of slide '{slide.name}' lies in coordinate system {', '.join(known) or 'none'}. Expected "
            f"'{slide.coordinate_system}', in which the slide is shown: register the element to it with spatialdata."
        )
    return transforms
