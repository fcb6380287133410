"""What can be predicted, and what it can be read from: names alone, so that the command line starts at once."""

TASKS = ("embed", "annotate", "cluster", "impute")
INPUTS = ("image", "genes", "niche", "tissue")
"""What a model may read of a cell."""
