import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_spatia.data.chunks import TILE_PX, ChunkedPixels, KeptChunks
from napari_spatia.viewer.overlay import ColourSource, PaintedLevel


@pytest.mark.parametrize("painted", [False, True])
def test_a_small_move_of_the_view_reads_nothing(painted):
    levels = [ChunkedPixels(da.zeros((side, side), dtype=np.uint8, chunks=500), KeptChunks()) for side in (2000, 1000)]
    shown = [PaintedLevel(level, ColourSource()) for level in levels] if painted else levels
    layer, read = Image(shown, multiscale=True, rgb=painted), []
    layer.events.set_data.connect(lambda event: read.append(event))

    def look(first_px):
        layer._update_draw(1.0, np.array([[first_px, first_px], [first_px + 400, first_px + 400]]), (400, 400))
        return len(read)

    first = look(TILE_PX + 10)
    assert first and look(TILE_PX + 40) == first, "the tiles around the window are there already"
    assert look(2 * TILE_PX + 10) > first
