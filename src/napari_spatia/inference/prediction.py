"""What was predicted of a slide's cells. Apart from what predicts it, so that opening a slide imports no torch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prediction:
    """N cells, T types, D embedding width, K imputed genes. What was not asked for is None or empty.

    ``confidence`` `(N,)` float32 in [0, 1] is the probability of ``cell_type``; ``type_probability`` `(N, T)` float32
    has the columns ``cell_types``; ``cluster`` and ``domain`` `(N,)` str are named by size, "1" the largest;
    ``embedding`` maps "cell", "niche", "tissue" to `(N, D)` float32; ``imputed`` `(N, K)` float32 is the expected
    normalised expression (`data.counts.normalised`; genes from a reference have the scale of `transfer.Transfer`) of
    ``imputed_genes``; ``of_imputed`` says of each `(K,)` where it comes from (`keys.VAR_SOURCE`) and how well it is
    told on held-out cells (`keys.VAR_HELD_OUT`, NaN where not measured).
    """

    cell_id: NDArray[np.str_]
    cell_type: NDArray[np.str_] | None
    confidence: NDArray[np.float32] | None
    type_probability: NDArray[np.float32] | None
    cell_types: tuple[str, ...]
    cluster: NDArray[np.str_] | None
    domain: NDArray[np.str_] | None
    embedding: dict[str, NDArray[np.float32]]
    imputed: NDArray[np.float32]
    imputed_genes: tuple[str, ...]
    provenance: dict[str, Any]
    of_imputed: dict[str, NDArray] = field(default_factory=dict)
