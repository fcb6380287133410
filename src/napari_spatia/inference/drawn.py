"""What a drawn picture shares with the crop of a real cell: its mask is one piece, in the middle of the window."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label


def one_piece(masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(n, H, W)` masks in [0, 1], each without any piece (above 0.5) but its largest."""
    cleaned = masks.copy()
    for mask, clean in zip(masks, cleaned, strict=True):
        pieces = label(mask >= 0.5, connectivity=1)
        size = np.bincount(pieces.ravel())
        size[0] = 0
        clean[(pieces > 0) & (pieces != size.argmax())] = 0
    return cleaned


def in_the_middle(
    pictures: NDArray[np.float32], masks: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(n, C, H, W)` and `(n, H, W)` moved by whole pixels until each mask's centroid lies in the middle.

    So it does in crops of real cells. What comes in at an edge repeats it; a picture without a mask stays.
    """
    moved = pictures.copy(), masks.copy()
    size = masks.shape[-1]
    for number, mask in enumerate(masks >= 0.5):
        if mask.any():
            shift = np.rint(np.argwhere(mask).mean(axis=0) - (size - 1) / 2).astype(int)
            rows, columns = (np.clip(np.arange(size) + by, 0, size - 1) for by in shift)
            moved[0][number] = pictures[number][:, rows[:, None], columns]
            moved[1][number] = masks[number][rows[:, None], columns]
    return moved
