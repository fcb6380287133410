"""Gene programmes: named sets of genes that are edited together, the shipped ones and a person's own.

They stand in GMT files, the field's plain text for gene sets: a line is a name, a description and genes, separated by
tabs. A gene with a minus before it moves the other way. Blank lines and lines that begin with ``#`` are skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from napari_spatia.data.panel import Panel
from napari_spatia.errors import PanelError, SpatiaError, did_you_mean
from napari_spatia.files import staged_file

SHIPPED_FILE = Path(__file__).with_name("programmes.gmt")
_GMT = "name<TAB>description<TAB>gene<TAB>gene…"


@dataclass(frozen=True, slots=True)
class Programme:
    """Genes that move together: ``up`` with the programme, ``down`` against it."""

    name: str
    description: str
    up: tuple[str, ...]
    down: tuple[str, ...] = ()

    @property
    def genes(self) -> tuple[str, ...]:
        return self.up + self.down

    def measured(self, panel: Panel) -> tuple[str, ...]:
        """The programme's genes that a panel has."""
        return tuple(gene for gene in self.genes if gene in panel)

    def missing(self, panel: Panel) -> tuple[str, ...]:
        """The programme's genes that a panel lacks."""
        return tuple(gene for gene in self.genes if gene not in panel)

    def log2_fc(self, strength: float, panel: Panel) -> dict[str, float]:
        """The edit of each measured gene: ``strength``, or its opposite.

        Raises `PanelError` when the panel has none of the genes.
        """
        genes = self.measured(panel)
        if not genes:
            raise PanelError(
                f"Programme '{self.name}' cannot be edited: the panel of {len(panel)} genes has none of its "
                f"{len(self.genes)} ({', '.join(self.genes[:5])}, …). Take another programme, or write one of genes of "
                "this panel into a file of your own (`napari-spatia programmes path`)."
            )
        return {gene: -strength if gene in self.down else strength for gene in genes}

    def as_line(self) -> str:
        """The programme as a line of a GMT file, without the line's end."""
        return "\t".join((self.name, self.description, *self.up, *(f"-{gene}" for gene in self.down)))


def user_file() -> Path:
    """Where a person's own programmes are read from, in the platform's configuration folder; need not exist."""
    return platformdirs.user_config_path("napari-spatia") / "programmes.gmt"


def make_user_file() -> Path:
    """The person's own file, begun with a line that says what goes into it where there was none."""
    path = user_file()
    if not path.exists():
        example = Programme("my_programme", "What it is", ("GENE1", "GENE2"), ("GENE3",)).as_line()
        with staged_file(path) as staged:
            staged.write_text(f"# One programme a line, {_GMT}; -GENE moves the other way.\n# {example}\n", "utf-8")
    return path


def load_programmes(path: Path | None = None) -> dict[str, Programme]:
    """The shipped programmes, the person's own and those of ``path``, by name; of one name the last counts.

    Raises `SpatiaError` for a file that cannot be read as GMT, with the line.
    """
    files = [SHIPPED_FILE, *(file for file in [user_file()] if file.exists()), *([path] if path else [])]
    return {name: programme for file in files for name, programme in read_gmt(file).items()}


def read_gmt(path: Path) -> dict[str, Programme]:
    """The programmes of one file, by name. Raises `SpatiaError` where it is missing or malformed."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpatiaError(
            f"Cannot read programmes from '{path}': {error}. Expected text, a line each: {_GMT}."
        ) from error
    found: dict[str, Programme] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            programme = _parsed(line, f"Line {number} of '{path}'")
            if programme.name in found:
                raise SpatiaError(f"Line {number} of '{path}' names programme '{programme.name}' again. Rename one.")
            found[programme.name] = programme
    return found


def _parsed(line: str, where: str) -> Programme:
    name, *rest = (field.strip() for field in line.split("\t"))
    genes = [gene for gene in rest[1:] if gene]
    if not name or not genes:
        raise SpatiaError(f"{where} is no programme: '{line[:60]}'. Expected {_GMT}, with tabs between.")
    names = [gene.removeprefix("-") for gene in genes]
    twice = sorted({gene for gene in names if names.count(gene) > 1})
    if twice:
        raise SpatiaError(f"{where}: programme '{name}' names {', '.join(twice)} more than once. Keep one of each.")
    down = tuple(gene[1:] for gene in genes if gene.startswith("-"))
    return Programme(name, rest[0], tuple(gene for gene in genes if not gene.startswith("-")), down)


def find_programme(name: str, programmes: Mapping[str, Programme]) -> Programme:
    """One programme by name. Raises `SpatiaError`, with the nearest names, when there is none."""
    if name not in programmes:
        raise SpatiaError(
            f"There is no programme '{name}'.{did_you_mean(name, programmes)} "
            "`napari-spatia programmes list` names them all."
        )
    return programmes[name]
