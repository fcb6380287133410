from napari_spatia.session.history import History


def test_undo_and_redo_walk_the_same_steps():
    history = History(0).set(1).set(2)
    assert history.undo().present == 1
    assert history.undo().undo().present == 0
    assert history.undo().undo().redo().redo() == history


def test_one_gesture_is_one_step():
    history = History(0)
    for value in (1, 2, 3):
        history = history.set(value, gesture="slider GENE1")
    assert history.undo().present == 0
    again = history.end_gesture().set(4, gesture="slider GENE1")
    assert again.undo().present == 3


def test_setting_after_undo_forgets_the_future():
    history = History(0).set(1).undo().set(5)
    assert not history.can_redo
    assert history.redo().present == 5


def test_equal_value_is_no_step():
    assert not History(0).set(0).can_undo
