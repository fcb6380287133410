from functools import partial

from napari_spatia.widgets.cell_dock import CellDock


def test_the_list_of_cells_changes_after_the_slide_has_been_drawn(put, ready):
    waiting = {}
    dock = put(partial(CellDock, rest=lambda name, ms, call: waiting.update({name: call})), ready)
    for call in waiting.values():
        call()
    waiting.clear()
    before = dock.walk.list.count()
    ready.choose_rows([1, 3])
    assert dock.walk.list.count() == before, "painted with the slide, it makes OpenGL compose the whole window twice"
    for call in waiting.values():
        call()
    assert dock.walk.list.count() == before + 1 and dock.walk.list.itemText(1) == "Chosen cells"
