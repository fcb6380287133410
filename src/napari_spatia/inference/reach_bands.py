"""What a percentile of `inference.reach.Reach.percentile` is called: from what was seen to far beyond it."""

BANDS = (
    (80.0, "within what was seen"),
    (95.0, "at the edge of what was seen"),
    (99.0, "beyond what was seen"),
    (100.0, "far beyond what was seen"),
)
"""Highest percentile of each band, and its name."""


def band(percentile: float) -> int:
    """Which of `BANDS` a percentile in [0, 100] lies in."""
    return next(number for number, (highest, _) in enumerate(BANDS) if percentile <= highest)
