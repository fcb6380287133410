"""Windows of chunked pixels are those of the array, and what stays in memory is bounded."""

import dask.array as da
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.data.chunks import ChunkedPixels, KeptChunks, SlidePixels

PIXELS = np.arange(70 * 50).reshape(70, 50)
CHUNKS = ((30, 40), (16, 16, 18))


def lazy(reads=None):
    """The pixels in chunks; the shape of each that is read is noted in ``reads``."""
    array = da.from_array(PIXELS, chunks=CHUNKS)
    return array if reads is None else array.map_blocks(lambda block: (reads.append(block.shape), block)[1])


def keys(length):
    bound = st.none() | st.integers(-length - 3, length + 3)
    return st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, 5])) | st.integers(-length, length - 1)


@settings(deadline=None)
@given(keys(70), keys(50))
def test_every_window_is_that_of_the_array(rows, columns):
    pixels = ChunkedPixels(lazy(), KeptChunks())
    assert np.array_equal(pixels[rows, columns], PIXELS[rows, columns])
    assert np.array_equal(pixels[rows], PIXELS[rows])


def test_an_array_like_of_the_same_shape_and_type():
    pixels = ChunkedPixels(lazy(), KeptChunks())
    assert (pixels.shape, pixels.ndim, pixels.size, pixels.dtype) == ((70, 50), 2, 3500, PIXELS.dtype)
    assert np.array_equal(np.asarray(pixels), PIXELS)


def test_a_small_move_reads_what_is_new():
    reads = []
    pixels = ChunkedPixels(lazy(reads), KeptChunks())
    reads.clear()  # dask looks at an empty block once
    assert np.array_equal(pixels[0:20, 0:10], PIXELS[0:20, 0:10])
    assert np.array_equal(pixels[5:25, 2:12], PIXELS[5:25, 2:12])
    assert reads == [(30, 16)] and pixels.in_memory(0, 0) and not pixels.in_memory(0, 16)
    assert np.array_equal(pixels[5:25, 10:20], PIXELS[5:25, 10:20])
    assert reads == [(30, 16), (30, 16)] and pixels.in_memory(0, 16)


def test_what_a_move_brings_into_a_window_is_read_as_few_rectangles():
    reads = []
    array = da.from_array(PIXELS, chunks=10).map_blocks(lambda block: block)

    class Noted:
        shape, chunks, ndim, dtype = array.shape, array.chunks, array.ndim, array.dtype

        def __getitem__(self, key):
            reads.append(tuple((part.start, part.stop) for part in key))
            return array[key]

    pixels = ChunkedPixels(Noted(), KeptChunks())
    assert np.array_equal(pixels[0:30, 0:30], PIXELS[0:30, 0:30])
    assert reads == [((0, 30), (0, 30))]
    reads.clear()
    assert np.array_equal(pixels[10:40, 10:40], PIXELS[10:40, 10:40])
    assert sorted(reads) == [((10, 30), (30, 40)), ((30, 40), (10, 40))]


def test_channels_that_share_their_chunks_are_read_once():
    image = np.arange(3 * 20 * 20).reshape(3, 20, 20)
    reads, kept = [], KeptChunks()

    def noted(block):
        reads.append(block.shape)
        return block

    for chunks, at_once in (((3, 10, 10), 3), ((2, 10, 10), 2), ((1, 10, 10), 1)):
        array = da.from_array(image, chunks=chunks).map_blocks(noted)
        reads.clear()
        for channel in range(3):
            pixels = ChunkedPixels(array, kept, channel)
            assert np.array_equal(pixels[2:9, 3:8], image[channel, 2:9, 3:8])
        assert sum(shape[0] for shape in reads) == 3 and reads[0][0] == at_once


def test_chunks_that_were_not_read_for_longest_go():
    kept = KeptChunks(max_bytes=2 * 30 * 16 * 8)
    one, other = ChunkedPixels(lazy(), kept), ChunkedPixels(lazy(), kept)
    assert one[0, 0] == other[0, 0] == 0
    assert one[0, 1] == 1  # read last
    assert other[0, 17] == 17
    assert one.in_memory(0, 0) and not other.in_memory(0, 0) and other.in_memory(0, 17)
    assert ChunkedPixels(lazy(), KeptChunks(max_bytes=1))[0, 3] == 3, "one that is too large is still answered"


def test_pixels_of_a_slide_are_its_stains_and_labels(small_slide):
    pixels = SlidePixels.of_image(small_slide.image).with_labels(small_slide.labels)
    for level, (image, labels) in enumerate(zip(small_slide.image.levels, small_slide.labels.levels, strict=True)):
        assert np.array_equal(pixels.labels[level], np.asarray(labels))
        assert all(np.array_equal(stain[level], np.asarray(image)[idx]) for idx, stain in enumerate(pixels.stains))
