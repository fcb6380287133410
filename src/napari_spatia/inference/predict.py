"""Everything the model says about the cells of a slide: embeddings, types, clusters, niche domains, imputed genes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spatia.data import keys
from napari_spatia.data.crops import TILE_UM
from napari_spatia.data.panel import Panel
from napari_spatia.data.reference import Reference
from napari_spatia.errors import SpatiaError
from napari_spatia.inference.cluster import cluster_cells
from napari_spatia.inference.domains import find_domains
from napari_spatia.inference.prediction import Prediction
from napari_spatia.inference.tasks import TASKS
from napari_spatia.inference.transfer import Transfer, transfer
from napari_spatia.progress import Progress, part, silent

if TYPE_CHECKING:
    from napari_spatia.inference.predictor import BoundSlide, CheckpointInfo

CELLS_AT_ONCE = 16_384
"""Expected expression of this many cells is in memory at a time."""
MOST_IMPUTED_GENES = 1000
"""Of a larger panel, so many genes are imputed when none is named: those that held-out cells are told best."""
NOT_AS_SCORED = (
    "Imputed genes have no held-out score: less is read here than when the checkpoint's genes were scored (every input "
    "and stain, and all genes but a tenth)."
)
NOTED_VERSIONS = ("napari-spatia", "torch", "numpy", "scikit-learn", "igraph", "spatialdata")


@dataclass(frozen=True, slots=True)
class _Outputs:
    """`CellOutputs` of the whole slide, with the expression of the asked genes only."""

    embedding: dict[str, NDArray[np.float32]]
    type_probability: NDArray[np.float32]
    expression: NDArray[np.float32]


def predict(
    bound: "BoundSlide",
    tasks: Sequence[str] = TASKS,
    genes: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
    reference: Reference | None = None,
) -> Prediction:
    """Runs the named ``tasks`` on every cell of a slide.

    "cluster" gives clusters and niche domains. "impute" gives ``genes`` and the genes hidden from the model, or every
    gene of the checkpoint when neither is named (of more than `MOST_IMPUTED_GENES`, those told best); and with a
    ``reference``, those of its genes that neither the slide nor the checkpoint has. Raises `SpatiaError` for an unknown
    task, `PanelError` for a gene that neither the checkpoint nor the reference knows.
    """
    tasks = check_tasks(tasks)
    if reference is not None and "impute" not in tasks:
        raise SpatiaError("A reference imputes genes, and the task impute was not asked for. Add it to --tasks.")
    known = bound.predictor.info.panel
    of_reference = [gene for gene in genes or () if reference is not None and gene not in known]
    of_model = None if genes is None else [gene for gene in genes if gene not in of_reference]
    imputed_genes = _imputed_genes(bound, of_model) if "impute" in tasks and (of_model or not of_reference) else ()
    carried = None
    if reference is not None and (of_reference or genes is None):
        carried = _carry_over(bound, reference, of_reference or None, seed, part(progress, 0.0, 0.05))
    outputs = _run_model(bound, imputed_genes, part(progress, 0.05, 0.85))
    cluster = domain = None
    if "cluster" in tasks:
        cluster = cluster_cells(outputs.embedding["cell"], seed=seed, progress=part(progress, 0.85, 0.95))
        centers_um = bound.slide.centers_um
        domain = find_domains(outputs.embedding["niche"], centers_um, seed=seed, progress=part(progress, 0.95, 1.0))
    cell_types = bound.predictor.info.cell_types
    probability = outputs.type_probability if "annotate" in tasks and cell_types else None
    progress(1.0, "predicted")
    return Prediction(
        cell_id=bound.slide.cell_id,
        cell_type=None if probability is None else np.array(cell_types)[probability.argmax(axis=1)],
        confidence=None if probability is None else probability.max(axis=1),
        type_probability=probability,
        cell_types=() if probability is None else cell_types,
        cluster=cluster,
        domain=domain,
        embedding=outputs.embedding if "embed" in tasks else {},
        imputed=outputs.expression if carried is None else np.hstack([outputs.expression, carried.expression]),
        imputed_genes=imputed_genes if carried is None else (*imputed_genes, *carried.genes),
        provenance=_provenance(bound, tasks, imputed_genes, seed)
        | ({} if carried is None else {"reference": carried.to_dict()}),
        of_imputed=_of_imputed(bound, imputed_genes, carried),
    )


def _of_imputed(bound: "BoundSlide", own: tuple[str, ...], carried: Transfer | None) -> dict[str, NDArray]:
    """Columns `(K,)` of the imputed genes: the model's own come first, with their score when hidden, where it holds."""
    info = bound.predictor.info
    source = [f"model {info.name}"] * len(own)
    pearson = _held_out_pearson(info)[info.panel.indices(own)]
    if not bound.seen_as_scored:
        pearson = np.full(len(own), np.nan, np.float32)
    scores = [pearson, np.full(len(own), np.nan, np.float32)]
    if carried is not None:
        source += [f"reference {carried.reference}"] * len(carried.genes)
        scores = [
            np.append(*pair) for pair in zip(scores, (carried.score.pearson, carried.score.spearman), strict=True)
        ]
    return {keys.VAR_SOURCE: np.array(source, dtype=object), **dict(zip(keys.VAR_HELD_OUT, scores, strict=True))}


def _carry_over(
    bound: "BoundSlide", reference: Reference, genes: list[str] | None, seed: int, progress: Progress
) -> Transfer:
    """Genes of the reference that neither the slide nor the checkpoint has; hidden genes are not read."""
    slide, known = bound.slide, bound.predictor.info.panel
    seen = [gene for gene in slide.panel.genes if gene not in bound.hidden]
    if genes is None:
        genes = [gene for gene in reference.panel.genes if gene not in slide.panel and gene not in known]
    counts = slide.counts[:, slide.panel.indices(seen)]
    return transfer(counts, Panel(tuple(seen)), reference, genes, seed, progress)


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks in their usual order. Raises `SpatiaError` for one that does not exist, or for none."""
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        found = f"Unknown task '{unknown[0]}'" if unknown else "No task was named"
        raise SpatiaError(f"{found}. Expected some of {','.join(TASKS)}.")
    return tuple(task for task in TASKS if task in tasks)


def _imputed_genes(bound: "BoundSlide", genes: Sequence[str] | None) -> tuple[str, ...]:
    panel = bound.predictor.info.panel
    asked = (*(genes or ()), *(gene for gene in bound.hidden if gene in panel))
    named = tuple(dict.fromkeys(asked))
    panel.indices(named)  # raises PanelError, with the nearest names, for a gene that is not in it
    if named or len(panel) <= MOST_IMPUTED_GENES:
        return named or panel.genes
    told_best = np.argsort(-_held_out_pearson(bound.predictor.info), kind="stable")[:MOST_IMPUTED_GENES]
    return tuple(panel.genes[i] for i in np.sort(told_best))


def _held_out_pearson(info: "CheckpointInfo") -> NDArray[np.float32]:
    """`(G,)` correlation of each gene with its imputation when hidden from held-out cells, NaN where not measured."""
    return np.array(info.held_out.get("imputed_gene_pearson", [np.nan] * len(info.panel)), np.float32)


def _run_model(bound: "BoundSlide", genes: tuple[str, ...], progress: Progress) -> _Outputs:
    """All cells, in the order of the slide; read in the order of the tissue, so that a part shares image chunks."""
    num_cells = bound.slide.num_cells
    columns = bound.predictor.info.panel.indices(genes)
    order = np.lexsort(np.floor(bound.slide.centers_um / TILE_UM).T)
    parts = np.array_split(order, max(1, -(-num_cells // CELLS_AT_ONCE)))
    expression = np.empty((num_cells, len(genes)), np.float32)
    type_probability = np.empty((num_cells, len(bound.predictor.info.cell_types)), np.float32)
    embedding: dict[str, NDArray[np.float32]] = {}
    done = 0
    for cell_idx in parts:
        span = part(progress, done / num_cells, (done + len(cell_idx)) / num_cells)
        outputs = bound.embed(cell_idx, columns, progress=span)
        for scale in ("cell", "niche", "tissue"):
            values = getattr(outputs, scale)
            embedding.setdefault(scale, np.empty((num_cells, values.shape[1]), np.float32))[cell_idx] = values
        type_probability[cell_idx] = outputs.type_probability
        expression[cell_idx] = outputs.expression
        done += len(cell_idx)
    return _Outputs(embedding, type_probability, expression)


def _provenance(bound: "BoundSlide", tasks: tuple[str, ...], genes: tuple[str, ...], seed: int) -> dict[str, Any]:
    """What has to be known to make the same prediction again; plain values that a store and JSON can hold."""
    info = bound.predictor.info
    return {
        "checkpoint": {"name": info.name, "sha256": info.sha256, "preset": info.preset, "held_out": info.held_out},
        "options": {
            "tasks": list(tasks),
            "inputs": list(bound.inputs),
            "hidden_genes": list(bound.hidden),
            "num_imputed_genes": len(genes),
            "seed": seed,
            "device": bound.predictor.device,
        },
        "notes": [*bound.notes, *([] if bound.seen_as_scored or not genes else [NOT_AS_SCORED])],
        "versions": {name: version(name) for name in NOTED_VERSIONS},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
