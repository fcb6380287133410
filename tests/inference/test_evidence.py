import numpy as np
import pytest

from napari_spatia.data.morphology import features_of
from napari_spatia.inference.evidence import MeasuredChange, Spread


@pytest.mark.parametrize(
    ("change", "over_seeds", "sd", "noise_sd", "is_changed"),
    [
        (3.0, 2.5, 0.5, 4.0, True),
        (-3.0, -2.5, 0.5, 4.0, True),
        (11.9, -1.3, 0.5, 20.0, False),  # the seeds say that it goes the other way
        (11.9, 0.3, 0.5, 4.0, False),  # or nothing
        (0.4, 2.5, 0.5, 4.0, False),  # within the spread
        (0.1, 0.1, 0.001, 4.0, False),  # sure, and nothing beside what noise does
        (0.9, 0.9, 0.001, 4.0, True),
        (np.nan, 1.0, 0.1, 1.0, False),
    ],
)
def test_a_change_counts_where_seeds_agree_and_noise_does_less(change, over_seeds, sd, noise_sd, is_changed):
    feature = features_of(("DAPI",))[0]
    measured = MeasuredChange(feature, 100.0, 100.0 + change, Spread(100.0, noise_sd, over_seeds, sd, 8))
    assert measured.is_changed == is_changed
    assert not MeasuredChange(feature, 100.0, 103.0, Spread(100.0, 4.0, 2.5, 0.5, 1)).is_changed, "of one picture"
