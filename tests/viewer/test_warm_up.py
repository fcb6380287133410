"""What a window loads while nobody waits is there when the first layers are added."""

from vispy.visuals.line.dash_atlas import DashAtlas, _make_pattern

from napari_spatia.viewer.warm_up import is_warm, warm_up


def test_the_dashes_of_a_labels_layer_are_made_beforehand():
    warm_up()
    assert is_warm()
    made = _make_pattern.cache_info().misses
    DashAtlas()
    assert _make_pattern.cache_info().misses == made
