import numpy as np
from napari.components import ViewerModel

from napari_spatia.session.session import Session
from napari_spatia.viewer.layer_owners import LayerOwners


def test_what_was_added_last_to_the_slide_before_is_hidden_first(fake_backend, tmp_path):
    viewer = ViewerModel()
    owners = LayerOwners(viewer)
    first, second = (Session(backend=fake_backend, sidecar=tmp_path / name) for name in "ab")
    owners.bring(first)
    hidden = []
    for name in ("stain", "cells", "counterfactual"):
        layer = viewer.add_image(np.zeros((4, 4)), name=name)
        layer.events.visible.connect(lambda event: hidden.append(event.source.name))
    owners.bring(second)
    assert hidden == ["counterfactual", "cells", "stain"]
    owners.close()
