import numpy as np

from napari_spatia.inference.drawn import in_the_middle, one_piece


def test_only_the_largest_piece_stays_and_keeps_its_values():
    masks = np.zeros((3, 8, 8), np.float32)
    masks[0, 1:4, 1:4], masks[0, 6, 6], masks[0, 5, 2] = 0.8, 1.0, 0.4
    masks[1, 2:5, 2:5] = 1.0
    cleaned = one_piece(masks)
    assert cleaned[0, 6, 6] == 0 and cleaned[0, 5, 2] == np.float32(0.4)
    assert (cleaned[0, 1:4, 1:4] == np.float32(0.8)).all()
    assert np.array_equal(cleaned[1:], masks[1:]), "one piece, or none, stays as it is"


def test_pictures_move_with_their_masks_to_the_middle():
    masks = np.zeros((2, 9, 9), np.float32)
    masks[0, 1:4, 4:7] = 1.0  # centroid (2, 5)
    pictures = np.random.default_rng(0).random((2, 3, 9, 9)).astype(np.float32)
    moved, moved_masks = in_the_middle(pictures, masks)
    assert np.argwhere(moved_masks[0]).mean(axis=0).tolist() == [4.0, 4.0]
    assert np.array_equal(moved[0, :, 3:6, 3:6], pictures[0, :, 1:4, 4:7])
    assert np.array_equal(moved[0, :, 0, 1:8], pictures[0, :, 0, 2:9]), "an edge is repeated"
    assert np.array_equal(moved[1], pictures[1]), "a picture without a mask stays"
