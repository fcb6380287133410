"""What a window loads while nobody waits is there when the first layers are added."""

import gc

from vispy.visuals.line.dash_atlas import DashAtlas, _make_pattern

from napari_spatia.viewer.warm_up import is_warm, warm_up


def test_the_dashes_of_a_labels_layer_are_made_beforehand():
    warm_up()
    assert is_warm()
    made = _make_pattern.cache_info().misses
    DashAtlas()
    assert _make_pattern.cache_info().misses == made


def test_no_search_for_garbage_goes_through_the_modules_again():
    warm_up()
    assert gc.get_freeze_count() > 100_000
